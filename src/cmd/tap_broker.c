/* SPDX-License-Identifier: Apache-2.0
 *
 * The closed table of what a tap's engine may ask its broker for. What each request may open was
 * decided by the command line before the split.
 */
#include <errno.h>
#include <fnmatch.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tap.h"
#include "sys/resolve.h"

enum {
    RESOLVE_MS = 5000,
    NAME_LEN = 16,
    NOT_THE_FRAME = 4096, /* of a block of the ring */
};

const struct tap_word *tap_word_for(const struct tap_conf *c, const char *name)
{
    const struct tap_word *found = NULL;
    for (unsigned i = 0; i < c->n_words; i++) {
        const struct tap_word *w = &c->word[i];
        if (!w->pattern && strcmp(w->text, name) == 0) {
            return w;
        }
        if (!found && w->pattern && fnmatch(w->pattern, name, 0) == 0) {
            found = w;
        }
    }
    return found;
}

enum frame_dir tap_direction(const struct tap_conf *c, uint16_t arphrd)
{
    return c->dir == FRAME_DIR_UNKNOWN && arphrd == ARPHRD_LOOPBACK ? FRAME_DIR_IN : c->dir;
}

struct ring_conf tap_ring_conf(const struct tap_conf *c, const struct tap_word *word,
                               const struct tap_opened *of)
{
    enum netif_framing framing = netif_framing(of->arphrd, of->flags);
    return (struct ring_conf){.ifindex = (int)of->index,
                              .raw_ip = framing == NETIF_RAW_IP,
                              .cooked = framing == NETIF_COOKED,
                              .longest = of->longest,
                              .promiscuous = !c->not_promiscuous && !word->any,
                              .ignore_outgoing = tap_direction(c, of->arphrd) == FRAME_DIR_IN,
                              .bytes = of->ring_bytes};
}

uint32_t tap_ring_share(unsigned n)
{
    uint32_t share = TAP_PATTERN_RINGS / MAX(n, 1U);
    return MIN(MAX(share, (uint32_t)TAP_PATTERN_RING_MIN), (uint32_t)RING_BYTES_DEFAULT);
}

int tap_may_carry(const struct tap_conf *c, const struct netif *link, struct error *err)
{
    enum netif_framing framing = netif_framing(link->arphrd, link->flags);
    bool ethernet = framing == NETIF_ETHERNET;
    const struct error *of_filter = &c->program_error[ethernet ? NETIF_ETHERNET : NETIF_RAW_IP];
    if (framing == NETIF_OTHER) {
        return error_set(
            err, EOPNOTSUPP,
            "%s: its frames have headers of their own kind (ARPHRD %u), for which there "
            "is no form as Ethernet",
            link->name, link->arphrd);
    }
    if (!ethernet && c->has_vlans) {
        return error_set(err, EINVAL, "%s has no VLANs: leave --vlan out", link->name);
    }
    if (of_filter->text[0]) {
        return error_set(err, EINVAL, "%s: %s", link->name, of_filter->text);
    }
    return 0;
}

static void put_opened(struct broker_reply *reply, const struct tap_opened *o)
{
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    wr_u32(&w, o->index);
    wr_u32(&w, o->flags);
    wr_u32(&w, o->mtu);
    wr_u32(&w, o->longest);
    wr_u32(&w, o->ring_bytes);
    wr_u16(&w, o->arphrd);
    reply->len = wr_len(&w);
}

int tap_opened_decode(const uint8_t *data, size_t len, struct tap_opened *ret)
{
    struct rd r = rd_make(data, len);
    struct tap_opened o = {.index = rd_u32(&r)};
    o.flags = rd_u32(&r);
    o.mtu = rd_u32(&r);
    o.longest = rd_u32(&r);
    o.ring_bytes = rd_u32(&r);
    o.arphrd = rd_u16(&r);
    if (!rd_ok(&r)) {
        return -EBADMSG;
    }
    *ret = o;
    return 0;
}

/* The interfaces that patterns match now, in the namespace where it is tapped. */
static unsigned count_matches(const struct tap_conf *c)
{
    unsigned n = 0;
    struct if_nameindex *all = if_nameindex();
    for (size_t i = 0; all && all[i].if_index != 0; i++) {
        const struct tap_word *word = tap_word_for(c, all[i].if_name);
        n += word && word->pattern;
    }
    if_freenameindex(all);
    return n;
}

/* Patterns match one interface or hundreds: the rings of all these share the memory that is meant
 * for them, but for those that have to hold longer super-packets. */
static uint32_t ring_bytes(const struct tap_conf *c, const struct tap_word *word, uint32_t longest)
{
    bool shares =
        word->pattern && c->ring_bytes == 0 && longest < RING_BLOCK_DEFAULT - NOT_THE_FRAME;
    return shares ? tap_ring_share(count_matches(c)) : c->ring_bytes;
}

/* In the namespace where it is tapped. */
static int open_there(struct tap_conf *c, const char *name, const struct tap_word *word,
                      struct broker_reply *reply)
{
    struct netif link = {0};
    int r = netif_get(name, &link, &reply->err);
    r = r < 0 ? r : tap_may_carry(c, &link, &reply->err);
    if (r == 0 && word->pattern && tap_own_there(&link)) {
        r = error_set(&reply->err, EBUSY, "a collector's own device");
    }
    r = r < 0 ? r : ring_list_may(&c->rings, name, &reply->err);
    if (r == 0) {
        const struct tap_opened o = {.index = (uint32_t)link.index,
                                     .flags = link.flags,
                                     .mtu = link.mtu,
                                     .longest = link.longest,
                                     .ring_bytes = ring_bytes(c, word, link.longest),
                                     .arphrd = link.arphrd};
        struct ring_conf rc = tap_ring_conf(c, word, &o);
        r = ring_open(&rc, &reply->fd, &reply->err);
        put_opened(reply, &o);
        if (r < 0) {
            error_prefix(&reply->err, "%s", name);
        } else {
            ring_list_add(&c->rings, name, reply->fd);
        }
    }
    return r;
}

static int open_ring(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct tap_conf *c = ctx;
    char name[NAME_LEN + 1] = "";
    memcpy(name, args, MIN(len, (size_t)NAME_LEN));
    const struct tap_word *word = name[NAME_LEN - 1] == '\0' ? tap_word_for(c, name) : NULL;
    if (!word) {
        return error_set(&reply->err, EINVAL, "the command line names no such interface");
    }
    int r = c->netns ? netns_enter(c->netns, &reply->err) : 0;
    if (r == 0) {
        r = open_there(c, name, word, reply);
        if (c->netns) {
            netns_leave(c->netns);
        }
    }
    return r;
}

static int watch(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct tap_conf *c = ctx;
    int r = c->netns ? netns_enter(c->netns, &reply->err) : 0;
    if (r == 0) {
        r = ifwatch_open(&reply->fd, &reply->err);
        if (c->netns) {
            netns_leave(c->netns);
        }
    }
    return r;
}

static int which_netns(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct tap_conf *c = ctx;
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    wr_u64(&w, c->netns ? netns_id(c->netns) : 1);
    reply->len = wr_len(&w);
    return 0;
}

static int connect_to(struct tap_conf *c, const struct udp_addr *a, struct broker_reply *reply)
{
    int r = udp_connect(a, &reply->fd, &reply->err);
    if (r == 0) {
        c->collector_found = *a;
        (void)udp_set_buffers(reply->fd, 0, 4 << 20, NULL, NULL);
    }
    return r;
}

static struct udp_addr as_addr(const struct sockaddr_storage *ss)
{
    struct udp_addr a = {.len = ss->ss_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6)};
    memcpy(&a.v6, ss, a.len);
    return a;
}

/* Connects to one of the addresses: from the one in use on, or from the one behind that, the first
 * that there is a route to. */
static int connect_to_one(struct tap_conf *c, const struct sockaddr_storage found[], size_t n,
                          bool next, struct broker_reply *reply)
{
    size_t first = 0;
    int r = -ENETUNREACH;
    for (size_t i = 0; i < n && c->collector_found.len; i++) {
        struct udp_addr a = as_addr(&found[i]);
        first = udp_addr_equal(&a, &c->collector_found) ? i + next : first;
    }
    for (size_t i = 0; i < n && r < 0; i++) {
        struct udp_addr a = as_addr(&found[(first + i) % n]);
        r = connect_to(c, &a, reply);
    }
    return r;
}

static int connect_collector(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct tap_conf *c = ctx;
    struct resolve_conf rc = {0};
    struct sockaddr_storage found[RESOLVE_MAX];
    size_t n = 0;
    int r = 0;
    struct rd rd = rd_make(args, len);
    uint8_t where = rd_u8(&rd);
    if (where > DIALER_WHERE_NEXT) {
        return error_set(&reply->err, EINVAL, "there is no such way to choose an address");
    }
    if (where == DIALER_WHERE_FOUND && c->collector_found.len) {
        return connect_to(c, &c->collector_found, reply);
    }
    if (geteuid() == 0) {
        r = broker_find_user(c->user, &rc.child, &reply->err);
    }
    if (r == 0) {
        r = resolve_host(&rc, c->collector.host, c->collector.port,
                         mono_add_ms(mono_now(), RESOLVE_MS), found, RESOLVE_MAX, &n, &reply->err);
    }
    return r < 0 ? r : connect_to_one(c, found, n, where == DIALER_WHERE_NEXT, reply);
}

const struct broker_request tap_requests[TAP_REQUESTS] = {
    [TAP_OPEN_RING] = {"open the ring", open_ring, NAME_LEN, NAME_LEN},
    [TAP_CONNECT] = {"reach the collector", connect_collector, 1, 1},
    [TAP_WATCH] = {"watch the interfaces", watch, 0, 0},
    [TAP_NETNS] = {"look for the namespace", which_netns, 0, 0},
    [TAP_OWN] = {"look for a collector's device", tap_own_request, 4, 4},
};
