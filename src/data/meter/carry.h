/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records on their way over the link, in place of frames: IPFIX messages in pieces of some
 * kilobytes, each of which has its templates and can be read alone. A record tells both directions
 * (RFC 5103), in nanoseconds. Pieces wait here, up to CARRY_BYTES, until somebody takes them.
 */
#pragma once

#include "data/meter/exporter.h"

enum {
    CARRY_PIECE = 12 << 10, /* bytes at most */
    CARRY_BYTES = 4 << 20,  /* of pieces that wait */
    CARRY_MS = 1000,        /* for a piece to become full */
};

struct carry_piece {
    const uint8_t *bytes;
    uint32_t len;
    uint64_t packets; /* that its records tell of */
};

/* Takes biflows. A record that finds no room counts as EXPORT_SLOW. -ENOMEM. */
int carry_exporter_new(struct exporter **ret);
/* The oldest piece, good until the next call here; NULL: none waits. */
const struct carry_piece *carry_first(const struct exporter *e);
/* Somebody has taken it. */
void carry_drop(struct exporter *e);
/* Nobody will take those that wait: their records count as if they had found no room. */
void carry_shed(struct exporter *e);
/* Packets in records that found no room. */
uint64_t carry_untold(const struct exporter *e);
