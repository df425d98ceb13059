/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror_requests.h"

#include <errno.h>
#include <net/if_arp.h>
#include <string.h>

#include "base/bytes.h"
#include "node/filter_memfd.h"
#include "sys/bpf.h"

enum {
    FLAG_VLANS = 1,
    FLAG_SUPER = 2,
    FLAGS = FLAG_VLANS | FLAG_SUPER,
    COUNTS = 7,
};

_Static_assert(sizeof(struct ebpf_taps_count) == COUNTS * sizeof(uint64_t), "all are told");

/* ---- in the broker ---- */

static int enter(const struct mirror_grants *g, struct error *err)
{
    return g->interfaces.netns ? netns_enter(g->interfaces.netns, err) : 0;
}

static void leave(const struct mirror_grants *g)
{
    if (g->interfaces.netns) {
        netns_leave(g->interfaces.netns);
    }
}

int mirror_grants_prepare(struct mirror_grants *g, int notes, struct error *err)
{
    int r = mirror_new(notes, &g->mirror);
    if (r < 0) {
        return error_sys(err, -r, "cannot tap");
    }
    r = enter(g, err);
    if (r == 0) {
        r = mirror_recover(g->mirror, err);
        leave(g);
    }
    return r;
}

void mirror_grants_done(struct mirror_grants *g)
{
    const bool inside = g->mirror && enter(g, NULL) == 0;
    mirror_free(TAKE_PTR(g->mirror));
    if (inside) {
        leave(g);
    }
}

int mirror_serve_ready(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct mirror_grants *g = ctx;
    (void)args;
    (void)len;
    int r = enter(g, &reply->err);
    if (r < 0) {
        return r;
    }
    r = bpf_probe(&reply->err);
    if (r == 0 && !g->mirror) {
        r = mirror_new(-1, &g->mirror);
        r = r < 0 ? error_sys(&reply->err, -r, "cannot tap") : 0;
    }
    if (r == 0) {
        struct wr w = wr_make(reply->data, sizeof(reply->data));
        wr_u64(&w, mirror_life(g->mirror));
        reply->len = wr_len(&w);
    }
    leave(g);
    return r;
}

int mirror_serve_keep(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct mirror_grants *g = ctx;
    int r = enter(g, &reply->err);
    (void)args;
    (void)len;
    if (r == 0) {
        r = filter_keep(&reply->err);
        leave(g);
    }
    return r;
}

/* A name of the command line's interfaces, that ends. */
static int take_name(const struct mirror_grants *g, struct rd *r, char ret[IFNAMSIZ],
                     struct error *err)
{
    rd_copy(r, ret, IFNAMSIZ);
    if (ret[IFNAMSIZ - 1] != '\0' || !selection_word_for(g->interfaces.select, ret)) {
        return error_set(err, EINVAL, "the command line names no such interface");
    }
    return 0;
}

static bool has_own_address(const struct netif *link)
{
    for (unsigned i = 0; i < link->n_addrs; i++) {
        if (!netif_addr_is_link_local(&link->addrs[i])) {
            return true;
        }
    }
    return false;
}

/* The host's end of a cable to a machine or container, which has no address of its own. */
int mirror_serve_faces(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct mirror_grants *g = ctx;
    struct rd rd = rd_make(args, len);
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    char name[IFNAMSIZ];
    struct netif link;
    int r = take_name(g, &rd, name, &reply->err);
    r = r < 0 ? r : enter(g, &reply->err);
    if (r < 0) {
        return r;
    }
    r = netif_find(name, &link, &reply->err);
    leave(g);
    if (r == 0) {
        const bool tap = strcmp(link.kind, "tun") == 0 && link.arphrd == ARPHRD_ETHER,
                   cable = strcmp(link.kind, "veth") == 0 && link.leads_elsewhere;
        wr_u8(&w, (tap || cable) && !has_own_address(&link));
        reply->len = wr_len(&w);
    }
    return r;
}

/* In a child of the broker's. */
int mirror_serve_compile(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    char text[WANTED_FILTER];
    struct filter_prog prog = {0};
    (void)ctx;
    memcpy(text, args, len);
    text[len] = '\0';
    int r = filter_compile_kept(text, &prog, &reply->err);
    r = r < 0 ? r : filter_check_length(&prog, &reply->err);
    r = r < 0 ? r : filter_to_memfd(&prog, &reply->fd, &reply->err);
    filter_done(&prog);
    return r;
}

static int there(const struct mirror_grants *g, struct error *err)
{
    return g->mirror ? 0 : error_set(err, EINVAL, "nobody has asked whether it can be done");
}

int mirror_serve_put(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct mirror_grants *g = ctx;
    struct mirror_flow f = {.dir = 0};
    struct rd r = rd_make(args, len);
    int e = there(g, &reply->err);
    rd_copy(&r, f.id, sizeof(f.id));
    rd_copy(&r, f.service, sizeof(f.service));
    e = e < 0 ? e : take_name(g, &r, f.source, &reply->err);
    e = e < 0 ? e : take_name(g, &r, f.destination, &reply->err);
    if (e < 0) {
        return e;
    }
    f.dir = rd_u8(&r);
    const uint8_t flags = rd_u8(&r);
    f.n_filter = rd_u16(&r);
    f.has_vlans = flags & FLAG_VLANS;
    f.super = flags & FLAG_SUPER;
    for (size_t i = 0; f.has_vlans && i < ARRAY_SIZE(f.vlans.bits); i++) {
        f.vlans.bits[i] = rd_u64(&r);
    }
    if (!rd_ok(&r) || rd_left(&r) > 0 || (flags & ~FLAGS) != 0 || f.dir > FRAME_DIR_OUT ||
        f.n_filter > BPF_MAXINSNS) {
        return error_set(&reply->err, EINVAL, "that is no flow");
    }
    return mirror_put(g->mirror, &f, &reply->err);
}

int mirror_serve_code(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct mirror_grants *g = ctx;
    struct sock_filter code[MIRROR_CODE_MAX];
    uint8_t id[WANTED_ID];
    struct rd r = rd_make(args, len);
    rd_copy(&r, id, sizeof(id));
    const unsigned at = rd_u16(&r);
    const size_t bytes = rd_left(&r);
    const int e = there(g, &reply->err);
    if (e < 0) {
        return e;
    }
    if (bytes == 0 || bytes % sizeof(*code) != 0 || bytes > sizeof(code)) {
        return error_set(&reply->err, EINVAL, "these are no instructions");
    }
    rd_copy(&r, code, bytes);
    return mirror_code(g->mirror, id, at, code, (unsigned)(bytes / sizeof(*code)), &reply->err);
}

int mirror_serve_drop(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct mirror_grants *g = ctx;
    (void)len;
    (void)reply;
    if (g->mirror) {
        mirror_drop(g->mirror, args);
    }
    return 0;
}

int mirror_serve_round(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct mirror_grants *g = ctx;
    const int r = there(g, &reply->err);
    (void)len;
    if (r == 0) {
        (*(const uint8_t *)args ? mirror_end : mirror_begin)(g->mirror);
    }
    return r;
}

int mirror_serve_apply(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct mirror_grants *g = ctx;
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    int r = there(g, &reply->err);
    (void)args;
    (void)len;
    r = r < 0 ? r : enter(g, &reply->err);
    if (r == 0) {
        wr_u8(&w, mirror_apply(g->mirror, mono_now()));
        reply->len = wr_len(&w);
        leave(g);
    }
    return r;
}

static void put_is(struct wr *w, const struct mirror_is *is)
{
    const struct ebpf_taps_count *c = &is->counts;
    const size_t words = strlen(is->words);
    wr_u8(w, (uint8_t)is->state);
    wr_u16(w, (uint16_t)words);
    wr_copy(w, is->words, words);
    wr_u64(w, c->frames);
    wr_u64(w, c->bytes);
    wr_u64(w, c->failed_down);
    wr_u64(w, c->failed_gone);
    wr_u64(w, c->failed_big);
    wr_u64(w, c->failed_full);
    wr_u64(w, c->failed_other);
}

int mirror_serve_is(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct mirror_grants *g = ctx;
    struct rd r = rd_make(args, len);
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    struct mirror_is is;
    const int e = there(g, &reply->err);
    if (e < 0) {
        return e;
    }
    while (rd_left(&r) >= WANTED_ID) {
        if (mirror_read(g->mirror, rd_take(&r, WANTED_ID), &is) == 0) {
            put_is(&w, &is);
        } else {
            wr_u8(&w, 0);
        }
    }
    reply->len = wr_len(&w);
    return rd_left(&r) > 0 || !wr_ok(&w) ? error_set(&reply->err, EINVAL, "that is no list of ids")
                                         : 0;
}

/* ---- in the engine ---- */

int mirror_request_ready(struct broker *b, uint64_t *ret_life, struct error *err)
{
    uint8_t data[sizeof(uint64_t)];
    size_t len = sizeof(data);
    const int r = broker_call(b, MIRROR_READY, NULL, 0, data, &len, NULL, err);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    *ret_life = rd_u64(&rd);
    return r == 0 && !rd_ok(&rd) ? error_set(err, EBADMSG, "the broker's answer is none") : r;
}

int mirror_request_keep(struct broker *b, struct error *err)
{
    return broker_call(b, MIRROR_KEEP, NULL, 0, NULL, NULL, NULL, err);
}

bool mirror_request_faces(struct broker *b, const char *name)
{
    uint8_t arg[IFNAMSIZ] = {0}, faces = 0;
    size_t len = sizeof(faces);
    (void)snprintf((char *)arg, sizeof(arg), "%s", name);
    const int r = broker_call(b, MIRROR_FACES, arg, sizeof(arg), &faces, &len, NULL, NULL);
    return r == 0 && len == sizeof(faces) && faces == 1;
}

int mirror_ask_compile(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                       struct error *err)
{
    return broker_ask(b, MIRROR_COMPILE, filter, strlen(filter), fn, user, err);
}

static int put_code(struct broker *b, const struct mirror_flow *f, const struct sock_filter *filter,
                    struct error *err)
{
    uint8_t args[BROKER_ARGS_MAX];
    for (unsigned at = 0; at < f->n_filter; at += MIRROR_CODE_MAX) {
        const unsigned n = MIN(f->n_filter - at, (unsigned)MIRROR_CODE_MAX);
        struct wr w = wr_make(args, sizeof(args));
        wr_copy(&w, f->id, sizeof(f->id));
        wr_u16(&w, (uint16_t)at);
        wr_copy(&w, filter + at, n * sizeof(*filter));
        const int r = broker_call(b, MIRROR_CODE, args, wr_len(&w), NULL, NULL, NULL, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int mirror_request_put(struct broker *b, const struct mirror_flow *f,
                       const struct sock_filter *filter, struct error *err)
{
    uint8_t args[BROKER_ARGS_MAX];
    struct wr w = wr_make(args, sizeof(args));
    wr_copy(&w, f->id, sizeof(f->id));
    wr_copy(&w, f->service, sizeof(f->service));
    wr_copy(&w, f->source, sizeof(f->source));
    wr_copy(&w, f->destination, sizeof(f->destination));
    wr_u8(&w, f->dir);
    wr_u8(&w, (uint8_t)((f->has_vlans ? FLAG_VLANS : 0) | (f->super ? FLAG_SUPER : 0)));
    wr_u16(&w, f->n_filter);
    for (size_t i = 0; f->has_vlans && i < ARRAY_SIZE(f->vlans.bits); i++) {
        wr_u64(&w, f->vlans.bits[i]);
    }
    const int r = broker_call(b, MIRROR_PUT, args, wr_len(&w), NULL, NULL, NULL, err);
    return r < 0 ? r : put_code(b, f, filter, err);
}

int mirror_request_drop(struct broker *b, const uint8_t id[WANTED_ID], struct error *err)
{
    return broker_call(b, MIRROR_DROP, id, WANTED_ID, NULL, NULL, NULL, err);
}

int mirror_request_round(struct broker *b, bool ends, struct error *err)
{
    const uint8_t arg = ends;
    return broker_call(b, MIRROR_ROUND, &arg, sizeof(arg), NULL, NULL, NULL, err);
}

int mirror_request_apply(struct broker *b, bool *ret_more, struct error *err)
{
    uint8_t more = 0;
    size_t len = sizeof(more);
    const int r = broker_call(b, MIRROR_APPLY, NULL, 0, &more, &len, NULL, err);
    *ret_more = r == 0 && len == sizeof(more) && more;
    return r;
}

static void get_is(struct rd *r, struct mirror_is *ret)
{
    struct mirror_is is = {.state = (enum tap_state)rd_u8(r)};
    struct ebpf_taps_count *c = &is.counts;
    if (is.state != 0) {
        const size_t len = rd_u16(r);
        const uint8_t *words = rd_take(r, len);
        if (words && len < sizeof(is.words)) {
            memcpy(is.words, words, len);
        }
        c->frames = rd_u64(r);
        c->bytes = rd_u64(r);
        c->failed_down = rd_u64(r);
        c->failed_gone = rd_u64(r);
        c->failed_big = rd_u64(r);
        c->failed_full = rd_u64(r);
        c->failed_other = rd_u64(r);
    }
    *ret = is;
}

int mirror_request_is(struct broker *b, const uint8_t (*ids)[WANTED_ID], unsigned n,
                      struct mirror_is *ret, struct error *err)
{
    uint8_t data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    int r = broker_call(b, MIRROR_IS, ids, n * sizeof(*ids), data, &len, NULL, err);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    for (unsigned i = 0; r == 0 && i < n; i++) {
        get_is(&rd, &ret[i]);
    }
    return r == 0 && !rd_ok(&rd) ? error_set(err, EBADMSG, "the broker's answer is none") : r;
}
