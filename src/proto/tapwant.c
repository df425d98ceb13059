/* SPDX-License-Identifier: Apache-2.0
 *
 * The layouts are in the header. Flags and numbers that have no meaning are refused, so that each
 * content has one form.
 */
#include "proto/tapwant.h"

#include <errno.h>

#include "base/batch.h"
#include "base/cleanup.h"
#include "proto/wiretext.h"

enum {
    HAS_VLANS = 1,
    SUPER = 2,
};

int tap_want_put(struct wr *w, const struct tap_want *v)
{
    wr_copy(w, v->id, sizeof(v->id));
    wr_copy(w, v->service, sizeof(v->service));
    wr_u8(w, v->dir);
    wr_u8(w, (uint8_t)((v->has_vlans ? HAS_VLANS : 0) | (v->super ? SUPER : 0)));
    wr_text(w, v->source, sizeof(v->source));
    wr_text(w, v->destination, sizeof(v->destination));
    for (size_t i = 0; v->has_vlans && i < ARRAY_SIZE(v->vlans.bits); i++) {
        wr_u64(w, v->vlans.bits[i]);
    }
    wr_text(w, v->filter, sizeof(v->filter));
    return wr_ok(w) ? 0 : -EMSGSIZE;
}

int tap_want_get(struct rd *r, struct tap_want *ret)
{
    struct tap_want v = {.dir = 0};
    rd_copy(r, v.id, sizeof(v.id));
    rd_copy(r, v.service, sizeof(v.service));
    v.dir = rd_u8(r);
    const uint8_t flags = rd_u8(r);
    v.has_vlans = flags & HAS_VLANS;
    v.super = flags & SUPER;
    if ((flags & ~(HAS_VLANS | SUPER)) != 0 || v.dir > FRAME_DIR_OUT ||
        !rd_text(r, v.source, sizeof(v.source)) ||
        !rd_text(r, v.destination, sizeof(v.destination)) || v.source[0] == '\0' ||
        v.destination[0] == '\0') {
        return -EBADMSG;
    }
    for (size_t i = 0; v.has_vlans && i < ARRAY_SIZE(v.vlans.bits); i++) {
        v.vlans.bits[i] = rd_u64(r);
    }
    if (!rd_text(r, v.filter, sizeof(v.filter))) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}

int tap_is_put(struct wr *w, const struct tap_is *v)
{
    wr_copy(w, v->id, sizeof(v->id));
    wr_u8(w, (uint8_t)v->state);
    wr_u8(w, (uint8_t)v->way);
    wr_text(w, v->words, sizeof(v->words));
    wr_u64(w, v->life);
    wr_u64(w, v->frames);
    wr_u64(w, v->bytes);
    wr_u64(w, v->dropped);
    return wr_ok(w) ? 0 : -EMSGSIZE;
}

int tap_is_get(struct rd *r, struct tap_is *ret)
{
    struct tap_is v = {.state = TAP_IS_AWAY};
    rd_copy(r, v.id, sizeof(v.id));
    v.state = (enum tap_state)rd_u8(r);
    v.way = (enum tap_way)rd_u8(r);
    if (v.state < TAP_IS_FLOWING || v.state > TAP_IS_FAILED || v.way > TAP_WAY_PIPELINE ||
        !rd_text(r, v.words, sizeof(v.words))) {
        return -EBADMSG;
    }
    v.life = rd_u64(r);
    v.frames = rd_u64(r);
    v.bytes = rd_u64(r);
    v.dropped = rd_u64(r);
    if (!rd_ok(r)) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}
