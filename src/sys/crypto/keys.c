/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crypto/keys.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "sys/crypto/kdf.h"

int key_generate(uint8_t ret_priv[KEY_LEN])
{
    uint8_t key[KEY_LEN];
    int r = random_bytes(key, sizeof(key));
    if (r == 0) { /* RFC 7748 section 5; so the file holds the number that is computed with */
        key[0] = (uint8_t)(key[0] & 248);
        key[31] = (uint8_t)((key[31] & 127) | 64);
        memcpy(ret_priv, key, sizeof(key));
    }
    secure_wipe(key, sizeof(key));
    return r;
}

void key_public(const uint8_t priv[KEY_LEN], uint8_t ret_pub[KEY_LEN])
{
    crypto_scalarmult_curve25519_base(ret_pub, priv);
}

void key_format(const uint8_t key[KEY_LEN], char ret[KEY_TEXT_LEN + 1])
{
    sodium_bin2base64(ret, KEY_TEXT_LEN + 1, key, KEY_LEN, sodium_base64_VARIANT_ORIGINAL);
}

int key_parse(const char *text, size_t len, uint8_t ret[KEY_LEN])
{
    uint8_t key[KEY_LEN] = {0};
    char again[KEY_TEXT_LEN + 1];
    size_t n = 0;
    if (len != KEY_TEXT_LEN) {
        return -EINVAL;
    }
    /* libsodium 1.0.18 reads some bytes above 127 as letters. So the text must also be the very one
     * that the key is written as, which settles the alphabet, the padding and stray bits at once.
     */
    int r = sodium_base642bin(key, sizeof(key), text, len, NULL, &n, NULL,
                              sodium_base64_VARIANT_ORIGINAL);
    bool ok = r == 0 && n == sizeof(key);
    key_format(key, again);
    ok = ok && secure_equal(again, text, KEY_TEXT_LEN);
    if (ok) {
        memcpy(ret, key, sizeof(key));
    }
    secure_wipe(again, sizeof(again));
    secure_wipe(key, sizeof(key));
    return ok ? 0 : -EINVAL;
}

/* A stretch of text: the rest of a file, a line, a word. */
struct span {
    const char *p, *end;
};

static size_t span_len(struct span s)
{
    return (size_t)(s.end - s.p);
}

/* Takes the next line off `text`, without its LF or CR LF. False at the end. */
static bool next_line(struct span *text, struct span *ret)
{
    if (text->p == text->end) {
        return false;
    }
    const char *lf = memchr(text->p, '\n', span_len(*text));
    const char *end = lf ? lf : text->end;
    *ret = (struct span){text->p, end > text->p && end[-1] == '\r' ? end - 1 : end};
    text->p = lf ? lf + 1 : text->end;
    return true;
}

/* Takes the next word off `line`. False at its end, and where a comment begins. */
static bool next_word(struct span *line, struct span *ret)
{
    while (line->p < line->end && (*line->p == ' ' || *line->p == '\t')) {
        line->p++;
    }
    if (line->p == line->end || *line->p == '#') {
        return false;
    }
    ret->p = line->p;
    while (line->p < line->end && *line->p != ' ' && *line->p != '\t') {
        line->p++;
    }
    ret->end = line->p;
    return true;
}

int key_load_private(const char *text, size_t len, const char *file_name, uint8_t ret[KEY_LEN],
                     struct error *err)
{
    struct span rest = {text, text + len}, line, word, more;
    uint8_t key[KEY_LEN];
    bool have = false;
    int r = 0;
    for (unsigned no = 1; r == 0 && next_line(&rest, &line); no++) {
        if (!next_word(&line, &word)) {
            continue;
        }
        if (have) {
            r = error_set(err, EINVAL, "%s:%u: a second key; a key file holds one private key",
                          file_name, no);
        } else if (key_parse(word.p, span_len(word), key) < 0 || next_word(&line, &more)) {
            r = error_set(err, EINVAL,
                          "%s:%u: not a private key; it is 44 characters of base64, as "
                          "'farspan keygen' writes them",
                          file_name, no);
        }
        have = true;
    }
    if (r == 0 && !have) {
        r = error_set(err, EINVAL, "%s: holds no private key; 'farspan keygen' makes one",
                      file_name);
    }
    if (r == 0) {
        memcpy(ret, key, sizeof(key));
    }
    secure_wipe(key, sizeof(key));
    return r;
}

/* FNV-1a. The tables are made from the administrator's own list, so nobody else chooses what
 * collides. */
static uint32_t hash_bytes(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t h = 2166136261U;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ p[i]) * 16777619U;
    }
    return h;
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *key_slot(const struct allow_list *l, const uint8_t key[KEY_LEN])
{
    size_t i = hash_bytes(key, KEY_LEN) & (l->slots - 1);
    while (l->by_key[i] && !secure_equal(l->entries[l->by_key[i] - 1].key, key, KEY_LEN)) {
        i = (i + 1) & (l->slots - 1);
    }
    return &l->by_key[i];
}

static uint32_t *name_slot(const struct allow_list *l, const char *name)
{
    size_t i = hash_bytes(name, strlen(name)) & (l->slots - 1);
    while (l->by_name[i] && strcmp(l->entries[l->by_name[i] - 1].name, name) != 0) {
        i = (i + 1) & (l->slots - 1);
    }
    return &l->by_name[i];
}

static bool name_ok(struct span name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._-";
    if (span_len(name) > ALLOW_NAME_MAX) {
        return false;
    }
    for (const char *p = name.p; p < name.end; p++) {
        if (!memchr(letters, *p, sizeof(letters) - 1)) {
            return false;
        }
    }
    return true;
}

static int parse_psk(struct span word, struct allow_entry *e)
{
    static const char prefix[] = "psk=";
    size_t n = sizeof(prefix) - 1;
    if (span_len(word) < n || memcmp(word.p, prefix, n) != 0 ||
        key_parse(word.p + n, span_len(word) - n, e->psk) < 0) {
        return -EINVAL;
    }
    e->has_psk = true;
    return 0;
}

/* A line's words into `e`. Nothing of the line is quoted: it may hold a secret. */
static int parse_entry(struct span line, struct span key, struct allow_entry *e, const char *file,
                       struct error *err)
{
    struct span word;
    if (key_parse(key.p, span_len(key), e->key) < 0) {
        return error_set(err, EINVAL, "%s:%u: not a public key; it is 44 characters of base64",
                         file, e->line);
    }
    if (!next_word(&line, &word)) {
        return error_set(err, EINVAL, "%s:%u: the tap's name is missing after its key", file,
                         e->line);
    }
    if (!name_ok(word)) {
        return error_set(err, EINVAL,
                         "%s:%u: not a name; it is 1 to %d letters, digits, dots, dashes and "
                         "underscores",
                         file, e->line, ALLOW_NAME_MAX);
    }
    memcpy(e->name, word.p, span_len(word));
    if (next_word(&line, &word) && parse_psk(word, e) < 0) {
        return error_set(err, EINVAL,
                         "%s:%u: after the name only psk= and 44 characters of base64 may follow",
                         file, e->line);
    }
    if (next_word(&line, &word)) {
        return error_set(err, EINVAL, "%s:%u: more words than KEY NAME psk=KEY", file, e->line);
    }
    return 0;
}

/* Puts the entry behind the others, unless its key or name is there. */
static int add_entry(struct allow_list *l, const struct allow_entry *e, const char *file,
                     struct error *err)
{
    uint32_t *k = key_slot(l, e->key), *n = name_slot(l, e->name);
    if (*k) {
        return error_set(err, EINVAL, "%s:%u: this key is already in line %u", file, e->line,
                         l->entries[*k - 1].line);
    }
    if (*n) {
        return error_set(err, EINVAL, "%s:%u: the name %s is already taken in line %u", file,
                         e->line, e->name, l->entries[*n - 1].line);
    }
    l->entries[l->n++] = *e;
    *k = *n = (uint32_t)l->n;
    return 0;
}

static size_t count_entries(struct span text)
{
    struct span line, word;
    size_t n = 0;
    while (next_line(&text, &line)) {
        n += next_word(&line, &word);
    }
    return n;
}

/* Room for `n` entries, and tables at most half full. */
static int allow_reserve(struct allow_list *l, size_t n)
{
    l->slots = 2;
    while (l->slots < 2 * n) {
        l->slots *= 2;
    }
    l->entries = calloc(n ? n : 1, sizeof(*l->entries));
    l->by_key = calloc(l->slots, sizeof(*l->by_key));
    l->by_name = calloc(l->slots, sizeof(*l->by_name));
    return l->entries && l->by_key && l->by_name ? 0 : -ENOMEM;
}

int allow_parse(const char *text, size_t len, const char *file_name, struct allow_list *ret,
                struct error *err)
{
    struct span rest = {text, text + len}, line, word;
    _cleanup_(allow_done) struct allow_list l = {0};
    size_t n = count_entries(rest);
    if (n > ALLOW_ENTRIES_MAX) {
        return error_set(err, E2BIG, "%s: %zu taps; at most %d can be allowed", file_name, n,
                         ALLOW_ENTRIES_MAX);
    }
    if (allow_reserve(&l, n) < 0) {
        return error_sys(err, ENOMEM, "%s", file_name);
    }
    for (unsigned no = 1; next_line(&rest, &line); no++) {
        if (!next_word(&line, &word)) {
            continue;
        }
        struct allow_entry e = {.line = no};
        int r = parse_entry(line, word, &e, file_name, err);
        if (r == 0) {
            r = add_entry(&l, &e, file_name, err);
        }
        secure_wipe(&e, sizeof(e));
        if (r < 0) {
            return r;
        }
    }
    *ret = l;
    l = (struct allow_list){0};
    return 0;
}

const struct allow_entry *allow_find(const struct allow_list *list, const uint8_t key[KEY_LEN])
{
    uint32_t at = list->n ? *key_slot(list, key) : 0;
    return at ? &list->entries[at - 1] : NULL;
}

const struct allow_entry *allow_find_name(const struct allow_list *list, const char *name)
{
    uint32_t at = list->n ? *name_slot(list, name) : 0;
    return at ? &list->entries[at - 1] : NULL;
}

void allow_done(struct allow_list *list)
{
    if (!list) {
        return;
    }
    if (list->entries) {
        secure_wipe(list->entries, list->n * sizeof(*list->entries));
    }
    free(list->entries);
    free(list->by_key);
    free(list->by_name);
    *list = (struct allow_list){0};
}
