/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages there are, a row each, in the order in which they stand in a pipeline. The ledger
 * (base/ledger.h) has the counters of each, and data/stage.h its kind and the functions of the file
 * of that name in data/stage/.
 *
 * OWN(ID, name, ends, counts): it always stands at those ends (TAP, COLLECTOR, BOTH, or CAPTURE:
 * a tap and a meter of interfaces), and counts
 * in a stage of the ledger of its own, in LEDGER_TABLE. NAME_stage_new() makes it.
 *
 * USER(X, ID, name, kind, code, key, words, form, help): it stands where the user wants it, at
 * either end (--stage), and NAME_stage_read() reads its words. Its one counter is a row of the
 * ledger's stage `stages` at a tap, and one of `stages_rx` at a collector: of the kind DROP, for
 * frames that it drops, or INFO, for those that it changes. The code is that of the tap's row in a
 * REPORT (docs/protocol.md). `form` and `help` are for people. These rows stand together.
 */
#pragma once

#define STAGE_LIST(OWN, USER, X)                                                                   \
    OWN(TUNNEL, tunnel, CAPTURE, SELECT)                                                           \
    OWN(CUT, cut, TAP, CUT)                                                                        \
    USER(X, SLICE, slice, INFO, 36, "sliced", "cut short", "slice N|headers",                      \
         "keeps the first N bytes of a frame, or its headers")                                     \
    USER(X, SAMPLE, sample, DROP, 37, "sampled", "left out of the sample",                         \
         "sample packet|flow 1/N [outer|inner] [seed S]",                                          \
         "keeps one frame in N, or the frames of one flow in N")                                   \
    USER(X, VLAN, vlan, DROP, 38, "vlan", "not of these VLANs", "vlan LIST",                       \
         "keeps frames of these VLANs, such as 100,200-210")                                       \
    USER(X, DIRECTION, direction, DROP, 39, "direction", "of the other direction",                 \
         "direction in|out", "keeps frames that came in to the host, or that left it")             \
    USER(X, FILTER, filter, DROP, 45, "filter", "not matched by the filter", "filter EXPR",        \
         "keeps frames that match a pcap-filter(7) expression")                                    \
    USER(X, STRIP, strip, INFO, 46, "stripped", "freed of a tunnel or of tags",                    \
         "strip vlan|vxlan|gre|erspan", "takes off VLAN tags, or a tunnel's headers")              \
    OWN(DEGRADE, degrade, TAP, LIMIT)                                                              \
    OWN(ALIGN, align, COLLECTOR, LINK_RX)

/* Nothing, for those who look at rows of the other kind. */
#define STAGE_NO_OWN(ID, name, ends, counts)
#define STAGE_NO_USER(X, ID, name, kind, code, key, words, form, help)
