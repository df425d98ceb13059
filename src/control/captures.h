/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of a new or changed capture that no table of fields can say: times, limits, and which
 * fields go with which type. Pure functions over objects of the kind `capture`.
 */
#pragma once

#include "control/json.h"
#include "model/kinds.h"

enum {
    CAPTURES_LATE_S = 5,    /* that a start may be before now */
    CAPTURES_OF_OWNER = 32, /* that have not ended, of one owner; … */
    CAPTURES_AT_ONCE = 256, /* … and of all */
};

enum capture_state captures_state(const struct object *o);
/* Has it ended, in whatever way? */
bool captures_ended(const struct object *o);
/* A new one: without a start, it starts now. Adds faults. */
void captures_check_new(struct object *o, int64_t now_ns, struct json_faults *f);
/* One with another stop than before. */
void captures_check_stop(const struct object *o, int64_t now_ns, struct json_faults *f);
/* One that has not ended is to end now. Before its start it is cancelled at once. Later it is
 * finishing, with the code "cancelled" as the sign for whoever carries it out, until that is done
 * with what there is. -ENOMEM. */
int captures_cancel(struct object *o, int64_t now_ns, const char *who);
