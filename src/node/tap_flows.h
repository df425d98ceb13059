/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records in place of frames, for one capture of a tap whose ladder stands on that step
 * (model/ladder.h): a meter, which the stage `degrade` gives frames to, and pieces of IPFIX
 * messages (data/meter/carry.h), which go to the link's sending end as frames do. Belongs to the
 * capture's thread.
 */
#pragma once

#include "data/limit.h"
#include "data/sink.h"

struct tap_flows;

/* The counts of the stage LIMIT that have to do with messages are kept in `ledger`, which outlives
 * it. -ENOMEM, -EIO: no random numbers. */
int tap_flows_new(struct ledger *ledger, struct tap_flows **ret);
/* Takes NULL. */
void tap_flows_free(struct tap_flows *t);
/* The meter, for frames of point 0. */
struct sink *tap_flows_meter(const struct tap_flows *t);
/* After each run: frames up to `now_ns` (struct wall) have been given to the meter, or where not
 * `all`, up to the last of them. Gives the link what it has room for. */
void tap_flows_ran(struct tap_flows *t, bool all, int64_t now_ns, struct sink *link);
/* No frame comes any more: all flows end, once, and what they have left goes by tap_flows_ran().
 * True the first time. */
bool tap_flows_end(struct tap_flows *t);
/* Something waits for the link. */
bool tap_flows_waits(const struct tap_flows *t);
/* Pieces that wait still are given up, and counted. */
void tap_flows_give_up(struct tap_flows *t);
