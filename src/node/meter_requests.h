/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter's requests to its broker, both ends: the closed table, which the privileged process
 * serves, and the function by which the engine asks. It begins with those about interfaces
 * (node/interface_requests.h); what each may open was decided by the command line before the split.
 */
#pragma once

#include "node/export_grants.h"
#include "node/interface_requests.h"

enum meter_request {
    /* u8, a place in the list of collectors: gives a socket for another connection to it */
    METER_EXPORT = INTERFACE_REQUESTS,
    METER_REQUESTS,
};

/* The ctx of the tables' handlers. */
struct meter_grants {
    struct interface_grants interfaces; /* first; unused with a file */
    struct export_grants exports;
};

/* Of a meter of interfaces, and of one of a file, which may open none. */
extern const struct broker_request meter_requests[METER_REQUESTS];
extern const struct broker_request meter_file_requests[METER_REQUESTS];

/* ---- in the engine; as broker_call ---- */

export_request meter_request_export;
