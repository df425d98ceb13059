/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts super-packets into the frames that are on the wire (proto/gso.h), finishes checksums that
 * were left to the card, and slices to the snaplen, in this order: so a tool downstream sees what a
 * capture with all offloads off would have seen.
 *
 * An expanding stage: more may come out than went in. Frames that need no work pass without a copy.
 */
#pragma once

#include "base/ledger.h"
#include "data/stage.h"

/* `cut` false: super-packets pass as they are. The ledger (CUT) must outlive the stage. -ENOMEM. */
int cut_stage_new(bool cut, uint32_t snaplen, struct ledger *ledger, struct stage **ret);
