/* SPDX-License-Identifier: Apache-2.0 */
#include "node/export_grants.h"

#include <errno.h>

#include "base/bytes.h"

/* Only connections end, and only names may lead elsewhere. */
int export_serve(struct export_grants *g, const void *args, size_t len, struct broker_reply *reply)
{
    struct rd rd = rd_make(args, len);
    const unsigned i = rd_u8(&rd);
    if (!rd_ok(&rd) || !g->list || i >= g->list->n ||
        (!g->list->to[i].tcp && !export_is_named(&g->list->to[i]))) {
        return error_set(&reply->err, EINVAL, "there is no such connection");
    }
    return export_list_open(g->list, i, ++g->tried[i], &reply->fd, &reply->err);
}

int export_ask(struct broker *b, unsigned request, unsigned i, int *ret_fd, struct error *err)
{
    const uint8_t place = (uint8_t)i;
    return broker_call(b, request, &place, 1, NULL, NULL, ret_fd, err);
}
