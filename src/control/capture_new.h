/* SPDX-License-Identifier: Apache-2.0
 *
 * A new capture of any adapter, whatever its client's words were: it is checked as a whole, also
 * against the store and the rest of the service, and made. control/captures.h has those
 * rules that need neither.
 */
#pragma once

#include "control/api.h"

/* Checks it, and fills in what may be left out. 0: what is wrong has been added to the faults; 1:
 * that will be known later (API_LATER); -1: it cannot be known, which has become the answer. */
int capture_new_check(struct api_turn *t, struct object *o, struct json_faults *f);
/* Puts one without faults into the store, with its event. -1 with the answer, also where there are
 * too many already. */
int capture_new_put(struct api_turn *t, struct object *o);
