/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter_requests.h"

#include <errno.h>

static int open_export(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    return export_serve(&((struct meter_grants *)ctx)->exports, args, len, reply);
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
    return export_ask(b, METER_EXPORT, i, ret_fd, err);
}
