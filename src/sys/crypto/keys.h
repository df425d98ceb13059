/* SPDX-License-Identifier: Apache-2.0
 *
 * Identity keys of taps and collectors (X25519, RFC 7748) as people handle them: base64 in a key
 * file, and the list of taps that a collector allows. Text in, values out; the broker opens the
 * files. The text form is WireGuard's: 32 bytes, 44 characters, so that its tools can be used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    KEY_LEN = 32,
    KEY_TEXT_LEN = 44,         /* without a terminator */
    KEY_FILE_MAX = 64 * 1024,  /* bytes of a key file that are worth reading */
    ALLOW_NAME_MAX = 32,       /* characters of [A-Za-z0-9._-] */
    ALLOW_ENTRIES_MAX = 16384, /* taps in a list */
    ALLOW_FILE_MAX = 4 * 1024 * 1024,
};

/* A fresh private key from the kernel. getrandom's errno. */
int key_generate(uint8_t ret_priv[KEY_LEN]);

/* The public key that belongs to a private one. */
void key_public(const uint8_t priv[KEY_LEN], uint8_t ret_pub[KEY_LEN]);

/* The 44 characters and a terminator, in constant time. The caller wipes a private key's text. */
void key_format(const uint8_t key[KEY_LEN], char ret[KEY_TEXT_LEN + 1]);

/* Exactly 44 characters of the standard alphabet with padding, no blank, no stray bit at the end,
 * so that a key has one text only; in constant time for a given length. -EINVAL. */
int key_parse(const char *text, size_t len, uint8_t ret[KEY_LEN]);

/* A key file's contents: the first line that is neither blank nor a `#` comment is the private key,
 * and no other such line follows. Blanks around a key and CR LF are taken. -EINVAL with
 * "FILE:LINE: what", which never quotes the file. */
int key_load_private(const char *text, size_t len, const char *file_name, uint8_t ret[KEY_LEN],
                     struct error *err);

struct allow_entry {
    uint8_t key[KEY_LEN]; /* public */
    uint8_t psk[KEY_LEN]; /* zeros when has_psk is false */
    bool has_psk;
    unsigned line;
    char name[ALLOW_NAME_MAX + 1];
};

/* The taps that may connect. Zero it before the first use; entries are in the file's order. */
struct allow_list {
    struct allow_entry *entries;
    size_t n;
    uint32_t *by_key, *by_name; /* hash tables of 1 + index, 0 for free, of `slots` (2^x) each */
    size_t slots;
};

/* Lines `PUBLICKEY NAME [psk=BASE64]`, blank lines, and `#` comments, also behind the words of a
 * line. Keys and names are unique. An empty list is one. -EINVAL with "FILE:LINE: what", -E2BIG for
 * more than ALLOW_ENTRIES_MAX lines, -ENOMEM; `ret` is then untouched. The caller frees the list
 * with allow_done. */
int allow_parse(const char *text, size_t len, const char *file_name, struct allow_list *ret,
                struct error *err);

/* The entry with that public key, or NULL. The keys are compared in constant time. */
const struct allow_entry *allow_find(const struct allow_list *list, const uint8_t key[KEY_LEN]);

/* The entry with that name, or NULL. */
const struct allow_entry *allow_find_name(const struct allow_list *list, const char *name);

/* Wipes and frees; the list is then empty. Takes NULL and a zeroed list. */
void allow_done(struct allow_list *list);
