/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter_requests.h"

#include <errno.h>

#include "base/bytes.h"

/* Only connections end, and are asked for again. */
static int open_export(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct meter_grants *g = ctx;
    struct rd rd = rd_make(args, len);
    const unsigned i = rd_u8(&rd);
    if (!g->exports || i >= g->exports->n || !g->exports->to[i].tcp) {
        return error_set(&reply->err, EINVAL, "there is no such connection");
    }
    return export_list_open(g->exports, i, ++g->tried[i], &reply->fd, &reply->err);
}

static int refuse(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    (void)args;
    (void)len;
    return error_set(&reply->err, EINVAL, "a file is metered, and no interface");
}

const struct broker_request meter_requests[METER_REQUESTS] = {
    INTERFACE_REQUEST_ROWS,
    [METER_EXPORT] = {"connect to a collector", open_export, 1, 1},
};

const struct broker_request meter_file_requests[METER_REQUESTS] = {
    [INTERFACE_OPEN_RING] = {"open the ring", refuse, 0, 0},
    [INTERFACE_WATCH] = {"watch the interfaces", refuse, 0, 0},
    [INTERFACE_NETNS] = {"look for the namespace", refuse, 0, 0},
    [INTERFACE_OWN] = {"look for a collector's device", refuse, 0, 0},
    [METER_EXPORT] = {"connect to a collector", open_export, 1, 1},
};

int meter_request_export(struct broker *b, unsigned i, int *ret_fd, struct error *err)
{
    const uint8_t place = (uint8_t)i;
    return broker_call(b, METER_EXPORT, &place, 1, NULL, NULL, ret_fd, err);
}
