/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts in messages: a u16 length and the bytes, without an end.
 */
#pragma once

#include "base/bytes.h"

/* At most `cap` - 1 bytes of it. */
void wr_text(struct wr *w, const char *text, size_t cap);
/* Of fewer than `cap` bytes, UTF-8 without control characters; *ret ends with 0. False: it is none
 * of these, and the cursor is bad. */
bool rd_text(struct rd *r, char *ret, size_t cap);
