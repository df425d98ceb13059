/* SPDX-License-Identifier: Apache-2.0
 *
 * How a ledger becomes a pcapng statistics block. Pure.
 *
 * The format has four numbers for what a ledger says in thirty: isb_ifrecv and isb_filteraccept are
 * what the tap's filter accepted (what it refused, the kernel does not count), isb_osdrop is what
 * the tap's kernel dropped, isb_usrdeliv is what this file holds, and isb_ifdrop, which Wireshark
 * shows as "dropped", is all that was lost between there and here. The comment has the ledger's own
 * words. Of a tap that told no figures, the first three are left out.
 */
#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "data/sink/file/point.h"

/* The writer thread's, at the time `end`. */
void file_stats_put(struct wr *w, const struct file_point *point, struct wall end);
