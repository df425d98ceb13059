/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sys/resolve.h"

enum {
    RESOLVE_MS = 5000,
};

static int connect_to(struct tap_grants *g, const struct udp_addr *a, struct broker_reply *reply)
{
    int r = udp_connect(a, &reply->fd, &reply->err);
    if (r == 0) {
        g->found = *a;
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
static int connect_to_one(struct tap_grants *g, const struct sockaddr_storage found[], size_t n,
                          bool next, struct broker_reply *reply)
{
    size_t first = 0;
    int r = -ENETUNREACH;
    for (size_t i = 0; i < n && g->found.len; i++) {
        struct udp_addr a = as_addr(&found[i]);
        first = udp_addr_equal(&a, &g->found) ? i + next : first;
    }
    for (size_t i = 0; i < n && r < 0; i++) {
        struct udp_addr a = as_addr(&found[(first + i) % n]);
        r = connect_to(g, &a, reply);
    }
    return r;
}

static int connect_collector(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct tap_grants *g = ctx;
    struct resolve_conf rc = {0};
    struct sockaddr_storage found[RESOLVE_MAX];
    size_t n = 0;
    int r = 0;
    struct rd rd = rd_make(args, len);
    uint8_t where = rd_u8(&rd);
    if (where > DIALER_WHERE_NEXT) {
        return error_set(&reply->err, EINVAL, "there is no such way to choose an address");
    }
    if (where == DIALER_WHERE_FOUND && g->found.len) {
        return connect_to(g, &g->found, reply);
    }
    if (geteuid() == 0) {
        r = broker_find_user(g->user, &rc.child, &reply->err);
    }
    if (r == 0) {
        r = resolve_host(&rc, g->collector->host, g->collector->port,
                         mono_add_ms(mono_now(), RESOLVE_MS), found, RESOLVE_MAX, &n, &reply->err);
    }
    return r < 0 ? r : connect_to_one(g, found, n, where == DIALER_WHERE_NEXT, reply);
}

static int reload(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct tap_grants *g = ctx;
    return reload_serve(&g->reload, reply);
}

const struct broker_request tap_requests[TAP_REQUESTS] = {
    INTERFACE_REQUEST_ROWS,
    [TAP_CONNECT] = {"reach the collector", connect_collector, 1, 1},
    [TAP_RELOAD] = {"read the configuration file again", reload, 0, 0},
};

/* ---- in the engine ---- */

int tap_request_connect(struct broker *b, enum dialer_where where, int *ret_fd, struct error *err)
{
    uint8_t number = (uint8_t)where;
    return broker_call(b, TAP_CONNECT, &number, 1, NULL, NULL, ret_fd, err);
}

int tap_request_reload(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, TAP_RELOAD, NULL, 0, NULL, NULL, ret_fd, err);
}
