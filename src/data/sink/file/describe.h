/* SPDX-License-Identifier: Apache-2.0
 *
 * The words that capture files have for people: the description of an observation point, and a
 * frame's comment.
 */
#pragma once

#include "base/batch.h"
#include "data/sink.h"
#include "proto/pcapng.h"

enum {
    DESCRIBE_COMMENT = 224, /* bytes of a frame's comment */
};

/* The point's interface description block as it stands in the file; *ret is the caller's, by
 * free(). Shortened texts are no matter to anyone. -ENOMEM. */
int describe_point(const struct point_offer *point, uint32_t snaplen, uint16_t linktype,
                   uint8_t **ret, uint32_t *ret_len);
/* The step of the tap's limit that begins with the frame, for how many it stands, and what is known
 * of its tap's clock from it on; absent where there is nothing to be said. */
struct pcapng_text describe_frame(const struct frame *f, char ret[DESCRIBE_COMMENT]);
