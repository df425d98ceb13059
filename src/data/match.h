/* SPDX-License-Identifier: Apache-2.0
 *
 * A frame against a filter that was compiled for bytes in memory (sys/filter.h).
 */
#pragma once

#include "base/batch.h"
#include "sys/filter.h"

/* `room` takes a frame that is not in one piece. */
static inline bool match_frame(const struct filter_prog *p, const struct frame *f,
                               uint8_t room[FRAME_LEN_MAX])
{
    const uint8_t *bytes = f->data;
    if (f->ins_len > 0 && f->caplen <= FRAME_LEN_MAX) {
        frame_copy(f, 0, room, f->caplen);
        bytes = room;
    }
    return filter_matches(p, bytes, f->caplen, f->origlen);
}
