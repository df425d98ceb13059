/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/encap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/time.h"
#include "data/flow.h"
#include "data/outputs.h"
#include "data/sink/plain.h"
#include "proto/ether.h"
#include "sys/rawip.h"

enum {
    LONGEST = UINT16_MAX - ENCAP_IPV4_LEN - ENCAP_HEAD_MAX, /* frame in an IPv4 packet */
    SHORTEST = 14,                                          /* an Ethernet header */
    LABEL_MAX = 63, /* characters between two dots of a host's name */
    RESOLVE_MS = 5000,
    TRIES = 3, /* of a packet that the answer to an earlier one had in its place */
};

struct encap_sink {
    struct plain_sink plain;
    struct encap_wish wish;
    int fd;
    bool six;
    uint32_t seq;
    uint32_t room;       /* bytes of a frame that fit the path, as far as is known */
    bool narrow;         /* a frame of the last batch was cut */
    _Atomic int trouble; /* the error for which the last packet was not sent; 0: it was */
    uint8_t copy[LONGEST];
};

static struct encap_sink *of(struct sink *s)
{
    return (struct encap_sink *)s;
}

/* Bytes around a frame in the IP packet. */
static uint32_t around(const struct encap_sink *e)
{
    return (uint32_t)encap_len(&e->wish.tunnel) + (e->six ? ENCAP_IPV6_LEN : ENCAP_IPV4_LEN);
}

/* ---- frames ---- */

static struct encap_frame describe(const struct encap_sink *e, const struct frame *f, uint32_t len,
                                   uint64_t flow)
{
    struct encap_frame d = {.len = len,
                            .cut = len < f->origlen,
                            .flow = (uint16_t)flow,
                            .seq = e->seq,
                            .port = f->point,
                            .ts_ns = f->ts_ns,
                            .out = f->dir == FRAME_DIR_OUT};
    uint8_t head[ETHER_HDR_LEN + 2];
    if (f->caplen >= sizeof(head)) {
        frame_copy(f, 0, head, sizeof(head));
        d.tagged = ether_is_tag((uint16_t)(head[12] << 8 | head[13]));
        d.tci = (uint16_t)(head[14] << 8 | head[15]);
    }
    return d;
}

/* VXLAN's source port is the flow's; the others have no place for it. No key: whoever gets the
 * frames sees the flow anyway. */
static uint64_t flow_of(const struct encap_sink *e, const struct frame *f)
{
    static const uint8_t key[KEYED_HASH_KEY_LEN];
    uint8_t room[INNER_SCRATCH];
    struct inner in;
    if (e->wish.tunnel.kind != ENCAP_VXLAN) {
        return 0;
    }
    flow_walk(f, room, &in);
    return flow_hash(&in, key);
}

/* One packet, until the kernel takes it. An error may be the answer to an earlier packet (a port
 * that nobody listens on): then the same packet goes the next time. */
static int send_packet(struct encap_sink *e, const struct iovec parts[2])
{
    struct mono end = mono_add_ms(mono_now(), PLAIN_STUCK_MS);
    int r;
    for (unsigned tries = 0;;) {
        r = rawip_send(e->fd, parts, 2);
        if (r == -ENOBUFS && !mono_due(mono_now(), end)) { /* a queue on the way out is full */
            plain_wait();
        } else if (r == 0 || (r == -EMSGSIZE && e->wish.oversize != ENCAP_FRAGMENT) ||
                   ++tries == TRIES) {
            return r;
        }
    }
}

static int send_frame(struct encap_sink *e, const struct frame *f, uint32_t len, uint64_t flow)
{
    uint8_t head[ENCAP_HEAD_MAX];
    const struct encap_frame d = describe(e, f, len, flow);
    const uint8_t *bytes = f->data;
    encap_write(&e->wish.tunnel, &d, head);
    if (f->ins_len > 0) {
        frame_copy(f, 0, e->copy, len);
        bytes = e->copy;
    }
    const struct iovec parts[] = {{head, encap_len(&e->wish.tunnel)},
                                  {(void *)(uintptr_t)bytes, len}};
    return send_packet(e, parts);
}

/* The path is narrower than was known, or as wide again. */
static void learn(struct encap_sink *e)
{
    int mtu = rawip_path_mtu(e->fd, e->six);
    if (mtu <= 0) { /* it is as it was: the kernel knows of no way now */
        return;
    }
    uint32_t room = mtu > (int)(around(e) + SHORTEST) ? (uint32_t)mtu - around(e) : SHORTEST;
    e->room = MIN(room, (uint32_t)LONGEST);
}

/* Sends as much of the frame as the path takes, or as is wished; *ret_len how much that is. */
static int send_fitting(struct encap_sink *e, const struct frame *f, uint32_t *ret_len)
{
    const bool slice = e->wish.oversize == ENCAP_SLICE;
    const uint64_t flow = flow_of(e, f);
    *ret_len = slice ? MIN(f->caplen, e->room) : f->caplen;
    if (*ret_len > LONGEST) {
        return -EMSGSIZE;
    }
    int r = send_frame(e, f, *ret_len, flow);
    if (r == -EMSGSIZE) { /* so the path is another one */
        learn(e);
        *ret_len = slice ? MIN(*ret_len, e->room) : *ret_len;
        r = *ret_len <= e->room ? send_frame(e, f, *ret_len, flow) : r;
    }
    return r;
}

static void put(struct encap_sink *e, struct ledger *ledger, const struct frame *f)
{
    uint32_t len = 0;
    int r = send_fitting(e, f, &len);
    const bool cut = len < f->caplen;
    const bool fragmented = e->wish.oversize == ENCAP_FRAGMENT && len > e->room;
    if (r == -EMSGSIZE || cut || fragmented) {
        plain_miss_mtu(&e->plain, f->caplen + around(e));
    }
    e->narrow = e->narrow || cut;
    e->trouble = r == -EMSGSIZE ? 0 : -r;
    if (r < 0) {
        ledger_add(ledger, r == -EMSGSIZE ? LEDGER_SINK_LONG : LEDGER_SINK_ERROR, 1);
        return;
    }
    e->seq++;
    ledger_add(ledger, LEDGER_SINK_OUT, 1);
    ledger_add(ledger, LEDGER_SINK_BYTES, len);
    if (cut || fragmented) {
        ledger_add(ledger, cut ? LEDGER_SINK_CUT : LEDGER_SINK_FRAGMENTED, 1);
    }
}

static void encap_sink_write(struct sink *s, const struct batch *b)
{
    struct encap_sink *e = of(s);
    if (e->narrow || e->wish.oversize == ENCAP_FRAGMENT) { /* the kernel tells of neither */
        e->narrow = false;
        learn(e);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        struct ledger *ledger = plain_count_in(&e->plain, f);
        if (ledger && f->caplen < SHORTEST) {
            ledger_add(ledger, LEDGER_SINK_SHORT, 1);
        } else if (ledger) {
            put(e, ledger, f);
        }
    }
}

static int encap_check(struct sink *s, struct error *err)
{
    const struct encap_sink *e = of(s);
    int code = e->trouble;
    if (code == 0) {
        return 0;
    }
    (void)error_sys(err, code, "frames do not leave");
    return -ENETDOWN; /* it may become well again */
}

static void encap_free(struct sink *s)
{
    close(of(s)->fd);
    sink_done(s);
    free(of(s));
}

/* The tables differ in what the sink is called. */
#define OPS(name)                                                                                  \
    {                                                                                              \
        .kind = (name), .counts = LEDGER_SINK, .waits = true, .point_add = plain_point_add,        \
        .point_stats = plain_point_stats, .point_remove = plain_point_remove,                      \
        .write = encap_sink_write, .flush = plain_flush, .check = encap_check,                     \
        .missed_mtu = plain_missed_mtu, .finish = encap_check, .free = encap_free                  \
    }

static const struct sink_ops ops[] = {[ENCAP_VXLAN] = OPS("vxlan"),
                                      [ENCAP_GRE] = OPS("gre"),
                                      [ENCAP_ERSPAN] = OPS("erspan"),
                                      [ENCAP_ERSPAN3] = OPS("erspan3")};

int encap_sink_new(const struct encap_wish *w, const char *name, int fd, struct sink **ret,
                   struct error *err)
{
    struct encap_sink *e = calloc(1, sizeof(*e));
    if (!e || sink_init(&e->plain.sink, &ops[w->tunnel.kind], name) < 0) {
        free(e);
        close(fd);
        return error_sys(err, ENOMEM, "%s", name);
    }
    e->wish = *w;
    e->fd = fd;
    e->six = rawip_is_six(fd);
    e->room = LONGEST;
    learn(e);
    *ret = &e->plain.sink;
    return 0;
}

/* ---- the words ---- */

static int read_oversize(const char *text, struct encap_wish *w, struct error *err)
{
    static const char *const words[] = {[ENCAP_SLICE] = "oversize=slice",
                                        [ENCAP_DROP] = "oversize=drop",
                                        [ENCAP_FRAGMENT] = "oversize=fragment"};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            w->oversize = (enum encap_oversize)i;
            return 0;
        }
    }
    return error_set(err, EINVAL,
                     "\"%s\" is no setting of a tunnel, but \"oversize=slice\", "
                     "\"oversize=drop\" and \"oversize=fragment\" are",
                     text);
}

/* The number behind the address. */
static int read_id(enum encap_kind kind, const char *text, struct encap *t, struct error *err)
{
    static const struct {
        const char *what;
        uint64_t max;
    } ids[] = {[ENCAP_VXLAN] = {"the VNI", ENCAP_VNI_MAX},
               [ENCAP_GRE] = {"the key", UINT32_MAX},
               [ENCAP_ERSPAN] = {"the session", ENCAP_SESSION_MAX},
               [ENCAP_ERSPAN3] = {"the session", ENCAP_SESSION_MAX}};
    uint64_t id = 0;
    if (!text && kind != ENCAP_GRE) {
        return error_set(err, EINVAL, "%s is missing", ids[kind].what);
    }
    int r = text ? parse_u64(text, ids[kind].what, 0, ids[kind].max, &id, err) : 0;
    t->id = (uint32_t)id;
    t->has_key = text != NULL;
    return r;
}

/* Labels of letters, digits, '-' and '_' with dots between; the last one is no number, so that no
 * short form of an address is taken for a name. */
static bool is_host_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
    static const char digits[] = "0123456789";
    const size_t len = strlen(text);
    const char *last = text;
    if (len == 0 || len > ENCAP_HOST_MAX) {
        return false;
    }
    for (const char *label = text;; label++) {
        const size_t n = strcspn(label, ".");
        for (size_t i = 0; i < n; i++) {
            if (!strchr(letters, label[i]) && !strchr(digits, label[i])) {
                return false;
            }
        }
        if (label[0] == '-' || n > LABEL_MAX || (n == 0 && label[0] != '\0')) {
            return false;
        }
        last = n > 0 ? label : last;
        label += n;
        if (label[0] == '\0') {
            return strspn(last, digits) < strcspn(last, ".");
        }
    }
}

/* "192.0.2.1:1" and "[2001:db8::1]:1" have a port, "2001:db8::1" has none. */
static bool has_port(const char *text)
{
    const char *colon = strchr(text, ':');
    return text[0] == '[' ? strstr(text, "]:") != NULL : colon && !strchr(colon + 1, ':');
}

static int read_address(enum encap_kind kind, const char *text, struct encap_wish *w,
                        struct error *err)
{
    struct host_port hp = {.port = ENCAP_VXLAN_PORT};
    const size_t len = strlen(text);
    if (kind == ENCAP_VXLAN && has_port(text)) {
        int r = parse_host_port(text, &hp, err);
        if (r < 0) {
            return r;
        }
    } else {
        const bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
        snprintf(hp.host, sizeof(hp.host), "%.*s", (int)(brackets ? len - 2 : len),
                 text + (brackets ? 1 : 0));
    }
    w->tunnel.port = hp.port;
    if (udp_addr_parse(hp.host, &w->to) == 0) {
        return 0;
    }
    w->to.len = 0;
    if (!is_host_name(hp.host)) {
        return error_set(err, EINVAL, "\"%s\" is neither an address nor a host's name", hp.host);
    }
    snprintf(w->host, sizeof(w->host), "%s", hp.host);
    return 0;
}

int encap_wish_read(enum encap_kind kind, const char *text, struct encap_wish *ret,
                    struct error *err)
{
    struct encap_wish w = {.tunnel.kind = kind};
    char copy[512], *rest = copy;
    snprintf(copy, sizeof(copy), "%s", text);
    char *address = strsep(&rest, ","), *id = address;
    address = strsep(&id, "/");
    int r = read_address(kind, address, &w, err);
    r = r < 0 ? r : read_id(kind, id, &w.tunnel, err);
    r = r < 0 || !rest ? r : read_oversize(rest, &w, err);
    if (r == 0) {
        *ret = w;
    }
    return r;
}

static int read_own(enum encap_kind kind, const char *text, void **ret, struct error *err)
{
    struct encap_wish *w = malloc(sizeof(*w));
    int r = w ? encap_wish_read(kind, text, w, err) : error_sys(err, ENOMEM, "a tunnel");
    if (r < 0) {
        free(w);
        return r;
    }
    *ret = w;
    return 0;
}

static int open_at(const struct encap_wish *w, const struct udp_addr *to, int *ret_fd,
                   struct error *err)
{
    return rawip_open(to, encap_protocol(w->tunnel.kind), w->oversize == ENCAP_FRAGMENT, ret_fd,
                      err);
}

/* A name's first address to which there is a way. */
static int open_own(const void *own, const struct resolve_conf *names, int *ret_fd,
                    struct error *err)
{
    const struct encap_wish *w = own;
    struct sockaddr_storage found[RESOLVE_MAX];
    size_t n = 0;
    if (w->to.len > 0) {
        return open_at(w, &w->to, ret_fd, err);
    }
    int r = resolve_host(names, w->host, 0, mono_add_ms(mono_now(), RESOLVE_MS), found, RESOLVE_MAX,
                         &n, err);
    if (r < 0) {
        return r;
    }
    r = -ENOENT;
    for (size_t i = 0; r < 0 && i < n; i++) {
        struct udp_addr to = {.len =
                                  found[i].ss_family == AF_INET6 ? sizeof(to.v6) : sizeof(to.v4)};
        memcpy(&to.sa, &found[i], to.len);
        r = open_at(w, &to, ret_fd, err);
    }
    return r;
}

/* The three functions of a row in data/outputs.h. */
#define TUNNEL(tunnel, KIND)                                                                       \
    int tunnel##_output_read(const char *text, void **ret, struct error *err)                      \
    {                                                                                              \
        return read_own(KIND, text, ret, err);                                                     \
    }                                                                                              \
    int tunnel##_output_open(const void *own, const struct resolve_conf *names, int *ret_fd,       \
                             struct error *err)                                                    \
    {                                                                                              \
        return open_own(own, names, ret_fd, err);                                                  \
    }                                                                                              \
    int tunnel##_output(const struct output_wish *w, struct sink **ret, struct error *err)         \
    {                                                                                              \
        return encap_sink_new(w->own, w->name, w->fd, ret, err);                                   \
    }

TUNNEL(vxlan, ENCAP_VXLAN)
TUNNEL(gre, ENCAP_GRE)
TUNNEL(erspan, ENCAP_ERSPAN)
TUNNEL(erspan3, ENCAP_ERSPAN3)
