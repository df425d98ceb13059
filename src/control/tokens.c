/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tokens.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "model/kinds.h"
#include "sys/crypto/kdf.h"

static void hash_text(const char *text, char ret[TOKEN_HASH])
{
    uint8_t hash[KDF_HASH_LEN];
    sha256(text, strlen(text), hash);
    text_hex(ret, hash, sizeof(hash));
}

void token_make(const uint8_t random[TOKEN_BYTES], char ret_text[TOKEN_TEXT],
                char ret_hash[TOKEN_HASH])
{
    base64url_put(random, TOKEN_BYTES, ret_text);
    hash_text(ret_text, ret_hash);
}

int token_hash(const char *text, char ret[TOKEN_HASH])
{
    uint8_t bytes[TOKEN_BYTES];
    size_t len = strlen(text);
    if (len != TOKEN_TEXT - 1 || base64url_get(text, len, bytes, sizeof(bytes)) != TOKEN_BYTES) {
        return -EINVAL;
    }
    hash_text(text, ret);
    return 0;
}

struct found {
    struct object o;
    int r;
};

static int take(void *user, const struct object *o)
{
    struct found *f = user;
    object_init(&f->o, o->kind);
    f->r = object_copy(&f->o, o);
    return 1;
}

int token_find(struct store *s, const char *text, int64_t now_ns, struct object *ret,
               struct error *err)
{
    char hash[TOKEN_HASH];
    struct found f = {.r = -ENOENT};
    if (token_hash(text, hash) < 0) {
        return -ENOENT;
    }
    const struct value is = {.set = true, .text = hash};
    const struct store_query q = {
        .filter = {{TOKEN_F_HASH, &is}}, .n_filters = 1, .sort = FIELD_OF_ID, .limit = 1};
    int r = s->ops->list(s, &kind_token, &q, take, &f, err);
    if (r < 0) {
        return r == -ENOENT ? -EIO : r;
    }
    if (f.r < 0) {
        return f.r == -ENOENT ? -ENOENT : error_set(err, ENOMEM, "memory is short");
    }
    const struct value *expires = &f.o.v[TOKEN_F_EXPIRES];
    r = f.o.v[TOKEN_F_REVOKED].set && f.o.v[TOKEN_F_REVOKED].n ? -EKEYREVOKED
        : expires->set && expires->n <= now_ns                 ? -EKEYEXPIRED
                                                               : 0;
    if (r < 0) {
        object_done(&f.o);
        return r;
    }
    *ret = f.o;
    return 0;
}
