/* SPDX-License-Identifier: Apache-2.0 */
#include "control/hashes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "control/captures_each.h"
#include "model/kinds.h"
#include "sys/crypto/kdf.h"

enum {
    FIRST_MS = 2000, /* after a start there is more urgent work */
    EACH_MS = 5,     /* between two pieces */
    BUSY_MS = 1000,
    PIECE = 256 << 10,
};

struct id {
    char text[KIND_ID];
};

struct hashes {
    struct hashes_conf conf;
    struct loop_timer *timer;
    bool looked; /* for those that ended before this process began */
    struct id *waiting;
    size_t n, cap;
    /* The one that is read. */
    struct id id; /* "": none */
    int fd;       /* owned; -1: it is not open yet */
    uint64_t at;
    struct sha256 sum;
    uint8_t piece[PIECE];
};

static void set_timer(struct hashes *h, int64_t ms)
{
    loop_set_timer(h->conf.loop, h->timer, mono_add_ms(mono_now(), ms), 0);
}

static void give_up(struct hashes *h)
{
    closep(&h->fd);
    h->fd = -1;
    h->id.text[0] = '\0';
}

/* One that finds no memory has no hash until the next start. */
static void push(struct hashes *h, const char *id)
{
    if (h->n == h->cap) {
        const size_t cap = h->cap ? 2 * h->cap : 16;
        struct id *waiting = reallocarray(h->waiting, cap, sizeof(*waiting));
        if (!waiting) {
            return;
        }
        h->waiting = waiting;
        h->cap = cap;
    }
    (void)snprintf(h->waiting[h->n++].text, KIND_ID, "%s", id);
}

static int push_old(void *user, const struct object *o)
{
    if (o->v[CAPTURE_F_BYTES].set && o->v[CAPTURE_F_BYTES].n > 0) {
        push(user, o->v[FIELD_OF_ID].text);
    }
    return 0;
}

/* A store that fails has told so elsewhere. */
static void look(struct hashes *h)
{
    const struct value none = {.set = false};
    const struct store_filter more = {CAPTURE_F_SHA256, &none};
    struct error err = {""};
    (void)captures_each(h->conf.store, CAPTURES_ENDED, &more, 1, push_old, h, &err);
    h->looked = true;
}

/* ---- the result ---- */

/* -ENOENT: it was deleted meanwhile. One that has a hash already was there twice. */
static int put(struct store *s, const char *id, const char *text, struct error *err)
{
    struct object o;
    int r = s->ops->get(s, &kind_capture, id, &o, err);
    if (r < 0) {
        return r;
    }
    if (!o.v[CAPTURE_F_SHA256].set) {
        r = object_set_text(&o, CAPTURE_F_SHA256, text);
        object_set_int(&o, FIELD_OF_GENERATION, o.v[FIELD_OF_GENERATION].n + 1);
        r = r < 0 ? r : s->ops->put(s, &o, err);
    }
    object_done(&o);
    return r;
}

static void conclude(struct hashes *h)
{
    uint8_t hash[KDF_HASH_LEN];
    char text[2 * KDF_HASH_LEN + 1];
    struct error err = {""};
    struct store *s = h->conf.store;
    sha256_end(&h->sum, hash);
    text_hex(text, hash, sizeof(hash));
    h->conf.settle(h->conf.user);
    int r = s->ops->begin(s, &err);
    r = r < 0 ? r : put(s, h->id.text, text, &err);
    r = r < 0 ? r : s->ops->commit(s, &err);
    if (r < 0) {
        s->ops->rollback(s);
    }
    give_up(h);
}

/* ---- the reading ---- */

/* It is open, or will be once somebody has answered; or it is given up, for a while where too many
 * files are being opened. */
static void open_next(struct hashes *h)
{
    uint8_t id[16];
    struct error err = {""};
    const int r =
        uuid_parse(h->id.text, id) < 0 ? -EINVAL : h->conf.open(h->conf.user, id, h, &h->fd, &err);
    h->fd = r < 0 ? -1 : h->fd;
    h->at = 0;
    sha256_begin(&h->sum);
    if (r == -EBUSY) {
        push(h, h->id.text);
        set_timer(h, BUSY_MS);
    }
    if (r < 0 && r != -EAGAIN) {
        give_up(h);
    }
}

static void read_on(struct hashes *h)
{
    const ssize_t n = pread(h->fd, h->piece, sizeof(h->piece), (off_t)h->at);
    if (n > 0) {
        sha256_add(&h->sum, h->piece, (size_t)n);
        h->at += (uint64_t)n;
    } else if (n == 0) {
        conclude(h);
    } else {
        give_up(h);
    }
}

static void on_time(struct loop *l, struct mono now, void *user)
{
    struct hashes *h = user;
    (void)l;
    (void)now;
    if (!h->looked) {
        look(h);
    }
    if (h->fd >= 0) {
        read_on(h);
    }
    const bool has_none = h->id.text[0] == '\0';
    if (h->fd >= 0 || (has_none && h->n > 0)) {
        set_timer(h, EACH_MS);
    }
    if (has_none && h->n > 0) {
        h->id = h->waiting[--h->n];
        open_next(h);
    }
}

/* ---- its life ---- */

int hashes_new(const struct hashes_conf *conf, struct mono now, struct hashes **ret)
{
    struct hashes *h = calloc(1, sizeof(*h));
    if (!h) {
        return -ENOMEM;
    }
    h->conf = *conf;
    h->fd = -1;
    const int r = loop_add_timer(conf->loop, mono_add_ms(now, FIRST_MS), 0, on_time, h, &h->timer);
    if (r < 0) {
        free(h);
        return r;
    }
    *ret = h;
    return 0;
}

void hashes_free(struct hashes *h)
{
    if (!h) {
        return;
    }
    loop_del_timer(h->conf.loop, h->timer);
    closep(&h->fd);
    free(h->waiting);
    free(h);
}

void hashes_add(struct hashes *h, const char *id)
{
    push(h, id);
    if (h->id.text[0] == '\0' && h->looked) {
        set_timer(h, EACH_MS);
    }
}

bool hashes_woken(struct hashes *h, const void *waiter)
{
    if (waiter != h) {
        return false;
    }
    if (h->id.text[0] && h->fd < 0) {
        set_timer(h, EACH_MS);
        open_next(h);
    }
    return true;
}
