/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter's requests to its broker, both ends: the closed table, which the privileged process
 * serves, and the function by which the engine asks. It begins with those about interfaces
 * (node/interface_requests.h); what each may open was decided by the command line before the split.
 */
#pragma once

#include "node/export_list.h"
#include "node/interface_requests.h"

enum meter_request {
    /* u8, a place in the list of collectors: gives a socket for another connection to it */
    METER_EXPORT = INTERFACE_REQUESTS,
    METER_REQUESTS,
};

/* The ctx of the tables' handlers. */
struct meter_grants {
    struct interface_grants interfaces; /* first; unused with a file */
    const struct export_list *exports;
    unsigned tried[EXPORT_LIST_MAX]; /* connections so far to each: addresses take turns */
};

/* Of a meter of interfaces, and of one of a file, which may open none. */
extern const struct broker_request meter_requests[METER_REQUESTS];
extern const struct broker_request meter_file_requests[METER_REQUESTS];

/* ---- in the engine; as broker_call ---- */

int meter_request_export(struct broker *b, unsigned i, int *ret_fd, struct error *err);
