/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages there are, a row each, in the order in which they stand in a pipeline. The ledger
 * (base/ledger.h) has the counters of each, and data/stage.h its kind and the function that makes
 * it, NAME_stage_new(), which stands in the file of that name in data/stage/.
 *
 * OWN(ID, name, ends, counts): it counts in a stage of the ledger of its own, in LEDGER_TABLE.
 * DROPS(X, ID, name, ends, code, words): what it drops is one row of the ledger's stage `stages` at
 * a tap, and one of `stages_rx` at a collector. The code is that of the tap's row in a REPORT
 * (docs/protocol.md). These rows come last.
 *
 * `ends`: TAP, COLLECTOR or BOTH, where the stage stands.
 */
#pragma once

#define STAGE_LIST(OWN, DROPS, X)                                                                  \
    OWN(TUNNEL, tunnel, TAP, SELECT)                                                               \
    OWN(CUT, cut, TAP, CUT)
