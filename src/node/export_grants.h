/* SPDX-License-Identifier: Apache-2.0
 *
 * The request of a meter's or a collector's engine for another connection to a collector of flow
 * records: of that list, which was decided by the command line, the broker opens each again.
 */
#pragma once

#include "node/export_list.h"
#include "sys/broker.h"

struct export_grants {
    const struct export_list *list;
    unsigned tried[EXPORT_LIST_MAX]; /* connections so far to each: addresses take turns */
};

/* In the broker, for a row of its table of one byte: the place in the list. */
int export_serve(struct export_grants *g, const void *args, size_t len, struct broker_reply *reply);

/* In the engine, as broker_call: by the request of that number. */
int export_ask(struct broker *b, unsigned request, unsigned i, int *ret_fd, struct error *err);
/* The same by the request of a table. */
typedef int export_request(struct broker *b, unsigned i, int *ret_fd, struct error *err);
