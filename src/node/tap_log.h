/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of the log for each tap that a collector remembers, and each sender without one, every so
 * often (--log-interval).
 */
#pragma once

#include "data/link/listen/listener.h"
#include "node/describe.h"
#include "node/mirrors.h"
#include "node/teller.h"
#include "sys/loop.h"

struct tap_log {
    struct loop *loop;
    const struct listener *listener;
    const struct mirrors *mirrors; /* NULL: nothing comes without a tap */
    const struct teller *teller;
    const struct describe_list *describe; /* borrowed; the holder sets another */
    struct loop_timer *timer;             /* NULL: nothing is told */
    uint32_t ms;
};

/* Tells of all taps every `ms` milliseconds from now on; 0: of none. Nothing changes where it is
 * what holds already. -errno: nothing is told. */
int tap_log_every(struct tap_log *l, uint32_t ms);
void tap_log_end(struct tap_log *l);
