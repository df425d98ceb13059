/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap services and flows as every adapter makes and deletes them; how a refusal is worded is the
 * adapter's. The ports that they name become ids, and must be of the project that the object is of.
 *
 * An object that is deleted has the status PENDING_DELETE until those who carry it out have let go
 * of it (control/agents.h).
 */
#pragma once

#include "control/api.h"
#include "control/objects.h"
#include "model/kinds.h"
#include "model/taps.h"

enum tap_fault {
    TAP_FAULT_NONE,
    TAP_FAULT_LATER,           /* something was asked for: API_LATER */
    TAP_FAULT_ANSWERED,        /* a failure has become the answer */
    TAP_FAULT_NO_PORT,         /* whoever asks sees none of that name */
    TAP_FAULT_FOREIGN_PORT,    /* it is of another project */
    TAP_FAULT_NO_SERVICE,      /* whoever asks sees none of that name */
    TAP_FAULT_SEVERAL,         /* several services have that name */
    TAP_FAULT_FOREIGN_SERVICE, /* it is of another project */
    TAP_FAULT_LEAVES,          /* it is being deleted */
    TAP_FAULT_LOOP,            /* copies would be copied again */
    TAP_FAULT_FILTER,          /* the sentence has libpcap's words */
    TAP_FAULT_QUOTA,           /* the project has as many as it may */
};

enum {
    TAPS_SERVICES_MOST = 100, /* of a project */
    TAPS_FLOWS_MOST = 1000,
};

/* Checks a new object, and puts ids and the project into it. `project` is the one that it is to be
 * of; NULL: that of whoever asks, and for an admin who sees all that of its port. `beside` has
 * those of its kind that are made with it and were checked before, or is NULL; their filters are
 * all alike or empty, as an edge is asked once. `err` gets a sentence with each fault but the first
 * three. */
enum tap_fault taps_check_service(struct api_turn *t, struct object *o, const char *project,
                                  const struct objects *beside, struct error *err);
enum tap_fault taps_check_flow(struct api_turn *t, struct object *o, const char *project,
                               const struct objects *beside, struct error *err);
/* Puts what was checked, and tells. False: a failure has become the answer. */
bool taps_put(struct api_turn *t, struct object *o);

/* Deletes it: it is gone, or on its way out, and so are a service's flows. False: a failure has
 * become the answer. */
bool taps_delete(struct api_turn *t, struct object *o);

/* The service of that id or, if it is the only one, name. *ret is object_done()'s. */
enum tap_fault taps_find_service(struct api_turn *t, const char *word, struct object *ret,
                                 struct error *err);
