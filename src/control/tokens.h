/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: 256 random bits that somebody shows to be let in. The store has their hash, which is
 * plain SHA-256: what is random through and through cannot be guessed faster from it. So a token is
 * told once, when it is made, and never again.
 */
#pragma once

#include "base/base64url.h"
#include "control/store.h"

enum {
    TOKEN_BYTES = 32,
    TOKEN_TEXT = BASE64URL_LEN(32) + 1, /* characters, the end included */
    TOKEN_HASH = 64 + 1,                /* hexadecimal, the end included */
};

/* The token's text and its hash, out of random bytes. */
void token_make(const uint8_t random[TOKEN_BYTES], char ret_text[TOKEN_TEXT],
                char ret_hash[TOKEN_HASH]);
/* The hash of what is shown as a token. -EINVAL: no token looks like that. */
int token_hash(const char *text, char ret[TOKEN_HASH]);
/* The token's object, object_done()'s. -ENOENT: there is none of that hash; -EKEYEXPIRED,
 * -EKEYREVOKED, and *ret is untouched; another -errno with a sentence: the store failed. */
int token_find(struct store *s, const char *text, int64_t now_ns, struct object *ret,
               struct error *err);
