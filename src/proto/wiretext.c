/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wiretext.h"

#include "base/text.h"

void wr_text(struct wr *w, const char *text, size_t cap)
{
    const size_t len = strnlen(text, cap - 1);
    wr_u16(w, (uint16_t)len);
    wr_copy(w, text, len);
}

bool rd_text(struct rd *r, char *ret, size_t cap)
{
    const size_t len = rd_u16(r);
    const uint8_t *at = rd_take(r, len);
    ret[0] = '\0';
    if (!at || len >= cap || memchr(at, '\0', len)) {
        r->bad = true;
        return false;
    }
    memcpy(ret, at, len);
    ret[len] = '\0';
    if (!text_is_clean(ret)) {
        r->bad = true;
    }
    return rd_ok(r);
}
