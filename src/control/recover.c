/* SPDX-License-Identifier: Apache-2.0 */
#include "control/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "model/kinds.h"
#include "model/texts.h"
#include "proto/pcapng.h"

enum {
    HEAD = 256 << 10, /* bytes of a file in which its interfaces and first frame are looked for */
    MOST = 1 << 16,   /* files */
    VERSION_IPFIX = 10,
};

struct ids {
    uint8_t (*at)[UUID_BYTES]; /* owned, in order */
    size_t n;
    bool *known; /* owned: the store has it */
};

static void ids_done(struct ids *l)
{
    free(l->at);
    free(l->known);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, UUID_BYTES);
}

/* -ENOMEM, -EIO, -EFBIG. */
static int read_ids(int fd, struct ids *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size < 0 || st.st_size % UUID_BYTES != 0) {
        return -EIO;
    }
    const size_t n = (size_t)st.st_size / UUID_BYTES;
    if (n > MOST) {
        return -EFBIG;
    }
    struct ids l = {.at = calloc(n + 1, UUID_BYTES), .n = n, .known = calloc(n + 1, sizeof(bool))};
    int r = l.at && l.known ? 0 : -ENOMEM;
    if (r == 0 && pread(fd, l.at, n * UUID_BYTES, 0) != (ssize_t)(n * UUID_BYTES)) {
        r = -EIO;
    }
    if (r < 0) {
        ids_done(&l);
        return r;
    }
    qsort(l.at, n, UUID_BYTES, by_bytes);
    *ret = l;
    return 0;
}

static int mark(void *user, const struct object *o)
{
    struct ids *l = user;
    uint8_t id[UUID_BYTES];
    const uint8_t(*at)[UUID_BYTES] = NULL;
    if (uuid_parse(o->v[FIELD_OF_ID].text, id) == 0) {
        at = bsearch(id, l->at, l->n, UUID_BYTES, by_bytes);
    }
    if (at) {
        l->known[at - (const uint8_t(*)[UUID_BYTES])l->at] = true;
    }
    return 0;
}

/* ---- one file ---- */

/* The beginning of a pcapng file tells its interfaces, and the time of its first frame. */
static void look_at_packets(const uint8_t *head, size_t n, struct object *o)
{
    _cleanup_(freep) struct pcapng_reader *reader = malloc(sizeof(*reader));
    struct pcapng_item item = {.kind = PCAPNG_OTHER};
    char points[KIND_TEXT_MAX] = TEXTS_NONE, name[TEXTS_ITEM];
    unsigned n_points = 0;
    if (!reader) {
        return;
    }
    pcapng_reader_init(reader);
    for (size_t at = 0; at < n && item.kind != PCAPNG_FRAME; at += item.len) {
        if (pcapng_read(reader, head + at, n - at, &item) < 0 || item.kind == PCAPNG_MORE) {
            break;
        }
        if (item.kind == PCAPNG_INTERFACE && n_points < CAPTURE_POINTS && item.idb.name.p) {
            (void)snprintf(name, sizeof(name), "%.*s", (int)MIN(item.idb.name.len, 200U),
                           item.idb.name.p);
            n_points += texts_add(points, sizeof(points), name) == 0;
        }
    }
    (void)object_set_text(o, CAPTURE_F_POINTS, points);
    if (item.kind == PCAPNG_FRAME) {
        object_set_int(o, CAPTURE_F_START, item.epb.ts_ns);
    }
}

/* NULL: it is none of a capture. */
static const char *type_of(const uint8_t *head, size_t n)
{
    static const uint8_t section[] = {0x0a, 0x0d, 0x0d, 0x0a};
    struct rd r = rd_make(head, n);
    if (n >= sizeof(section) && memcmp(head, section, sizeof(section)) == 0) {
        return "packet";
    }
    if (n >= 5 && memcmp(head, "time,", 5) == 0) {
        return "ethernet";
    }
    return n >= 2 && rd_u16(&r) == VERSION_IPFIX ? "netflow" : NULL;
}

/* The id's, as far as it tells one. */
static int64_t time_of(const uint8_t id[UUID_BYTES], int64_t else_ns)
{
    uint64_t ms = 0;
    return uuid_time(id, &ms) == 0 && ms < INT64_MAX / NSEC_PER_MSEC ? (int64_t)ms * NSEC_PER_MSEC
                                                                     : else_ns;
}

static int set_texts(struct object *o, const uint8_t id[UUID_BYTES], const char *type)
{
    static const char why[] = "its file was there without a capture; its counts are not known";
    char text[UUID_TEXT];
    uuid_text(id, text);
    int r = object_set_text(o, FIELD_OF_ID, text);
    r = r < 0 ? r : object_set_text(o, FIELD_OF_PROJECT, RECOVER_PROJECT);
    r = r < 0 ? r : object_set_text(o, FIELD_OF_OWNER, "farspan");
    r = r < 0 ? r : object_set_text(o, CAPTURE_F_TYPE, type);
    r = r < 0 ? r : object_set_text(o, CAPTURE_F_POINTS, TEXTS_NONE);
    r = r < 0 ? r : object_set_text(o, CAPTURE_F_STATE, "done");
    return r < 0 ? r : object_set_text(o, CAPTURE_F_REASON, why);
}

/* 1: it is one; 0: it is no capture's file, and is left alone. *ret is object_done()'s. */
static int make(const uint8_t id[UUID_BYTES], int fd, struct object *ret, struct error *err)
{
    _cleanup_(freep) uint8_t *head = malloc(HEAD);
    struct stat st;
    const ssize_t n = head ? pread(fd, head, HEAD, 0) : -1;
    if (n < 0 || fstat(fd, &st) < 0) {
        return error_sys(err, head ? errno : ENOMEM, "a capture's file cannot be read");
    }
    const char *type = type_of(head, (size_t)n);
    const int64_t ended = st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec;
    if (!type) {
        return 0;
    }
    object_init(ret, &kind_capture);
    if (set_texts(ret, id, type) < 0 || object_defaults(ret, err) < 0) {
        object_done(ret);
        return error_sys(err, ENOMEM, "a capture cannot be made of its file");
    }
    object_set_int(ret, FIELD_OF_GENERATION, 1);
    object_set_int(ret, FIELD_OF_CREATED, time_of(id, ended));
    object_set_int(ret, CAPTURE_F_ENDED, ended);
    object_set_int(ret, CAPTURE_F_BYTES, st.st_size);
    if (strcmp(type, "packet") == 0) {
        look_at_packets(head, (size_t)n, ret);
    }
    return 1;
}

/* A file that cannot be opened or read stays where it is; the others do not wait for it. */
static int recover_one(const struct recover_conf *c, const uint8_t id[UUID_BYTES],
                       struct error *err)
{
    _cleanup_(closep) int fd = -1;
    struct error why = {""};
    struct object o;
    int r = c->open(c->user, id, &fd, &why);
    r = r < 0 ? r : make(id, fd, &o, &why);
    if (r <= 0) {
        return 0;
    }
    r = c->store->ops->put(c->store, &o, err);
    object_done(&o);
    return r < 0 ? r : 1;
}

static int recover_all(const struct recover_conf *c, const struct ids *l, struct error *err)
{
    struct store *s = c->store;
    int n = 0, r = s->ops->begin(s, err);
    for (size_t i = 0; r >= 0 && i < l->n; i++) {
        r = l->known[i] ? 0 : recover_one(c, l->at[i], err);
        n += r > 0;
    }
    r = r < 0 ? r : s->ops->commit(s, err);
    if (r < 0) {
        s->ops->rollback(s);
    }
    return r < 0 ? r : n;
}

int recover_captures(const struct recover_conf *c, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    const struct store_query all = {.sort = FIELD_OF_ID};
    struct ids l = {.n = 0};
    int r = c->list(c->user, &fd, err);
    if (r < 0) {
        return r;
    }
    r = read_ids(fd, &l);
    if (r < 0) {
        return error_sys(err, -r, "the list of captures' files cannot be read");
    }
    r = l.n > 0 ? c->store->ops->list(c->store, &kind_capture, &all, mark, &l, err) : 0;
    r = r < 0 || l.n == 0 ? r : recover_all(c, &l, err);
    ids_done(&l);
    return r;
}
