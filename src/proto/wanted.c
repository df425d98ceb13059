/* SPDX-License-Identifier: Apache-2.0
 *
 * The layouts are in the header. Flags and numbers that have no meaning are refused, so that each
 * message has one form.
 */
#include "proto/wanted.h"

#include <errno.h>

#include "base/batch.h"
#include "base/cleanup.h"
#include "proto/wiretext.h"

enum {
    HAS_VLANS = 1,
    CANCELLED = 2,
    UP = 1,
    CARRIER = 2,
    FACES_OWNER = 4,
    PERIOD_MIN = 10,
    PERIOD_MAX = 3600000,
};

static int done(const struct wr *w)
{
    return wr_ok(w) ? 0 : -EMSGSIZE;
}

/* ---- what is wanted ---- */

int wanted_put(struct wr *w, const struct wanted *v)
{
    if (v->n_points > WANTED_POINTS) {
        return -EMSGSIZE;
    }
    wr_copy(w, v->id, sizeof(v->id));
    wr_u8(w, (uint8_t)v->kind);
    wr_u8(w, v->dir);
    wr_u8(w, (uint8_t)((v->has_vlans ? HAS_VLANS : 0) | (v->cancelled ? CANCELLED : 0)));
    wr_u8(w, v->n_points);
    wr_u32(w, v->snaplen);
    wr_u32(w, v->period_ms);
    wr_u64(w, (uint64_t)v->start_ns);
    wr_u64(w, (uint64_t)v->stop_ns);
    wr_u64(w, v->most_bytes);
    wr_u64(w, v->most_frames);
    for (unsigned i = 0; i < v->n_points; i++) {
        wr_text(w, v->point[i], sizeof(v->point[i]));
    }
    for (size_t i = 0; v->has_vlans && i < ARRAY_SIZE(v->vlans.bits); i++) {
        wr_u64(w, v->vlans.bits[i]);
    }
    wr_text(w, v->filter, sizeof(v->filter));
    return done(w);
}

/* The parts of which not every value is one. */
static bool is_sound(const struct wanted *v, uint8_t flags)
{
    const bool counters = v->kind == WANTED_ETHERNET;
    return v->kind >= WANTED_PACKET && v->kind <= WANTED_ETHERNET && v->dir <= FRAME_DIR_OUT &&
           (flags & ~(HAS_VLANS | CANCELLED)) == 0 && v->n_points > 0 &&
           v->n_points <= WANTED_POINTS && v->start_ns >= 0 && v->stop_ns >= 0 &&
           (!counters || (v->period_ms >= PERIOD_MIN && v->period_ms <= PERIOD_MAX));
}

static void get_points(struct rd *r, struct wanted *v)
{
    for (unsigned i = 0; i < v->n_points; i++) {
        if (!rd_text(r, v->point[i], sizeof(v->point[i])) || v->point[i][0] == '\0') {
            r->bad = true;
        }
    }
}

int wanted_get(struct rd *r, struct wanted *ret)
{
    struct wanted v = {.kind = WANTED_PACKET};
    rd_copy(r, v.id, sizeof(v.id));
    v.kind = (enum wanted_kind)rd_u8(r);
    v.dir = rd_u8(r);
    const uint8_t flags = rd_u8(r);
    v.has_vlans = flags & HAS_VLANS;
    v.cancelled = flags & CANCELLED;
    v.n_points = rd_u8(r);
    v.snaplen = rd_u32(r);
    v.period_ms = rd_u32(r);
    v.start_ns = (int64_t)rd_u64(r);
    v.stop_ns = (int64_t)rd_u64(r);
    v.most_bytes = rd_u64(r);
    v.most_frames = rd_u64(r);
    if (!rd_ok(r) || !is_sound(&v, flags)) {
        return -EBADMSG;
    }
    get_points(r, &v);
    for (size_t i = 0; v.has_vlans && i < ARRAY_SIZE(v.vlans.bits); i++) {
        v.vlans.bits[i] = rd_u64(r);
    }
    if (!rd_text(r, v.filter, sizeof(v.filter))) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}

/* ---- what is ---- */

int wanted_is_put(struct wr *w, const struct wanted_is *v)
{
    if (v->n_points > WANTED_POINTS) {
        return -EMSGSIZE;
    }
    wr_copy(w, v->id, sizeof(v->id));
    wr_u8(w, (uint8_t)v->state);
    wr_u8(w, (uint8_t)v->reason);
    wr_u8(w, v->n_points);
    wr_text(w, v->words, sizeof(v->words));
    wr_u64(w, v->published);
    wr_u64(w, v->found);
    wr_u64(w, v->offered);
    wr_u64(w, v->unwanted);
    wr_u64(w, v->written);
    wr_u64(w, v->dropped);
    for (unsigned i = 0; i < v->n_points; i++) {
        wr_u64(w, (uint64_t)v->point[i].from_ns);
        wr_u64(w, (uint64_t)v->point[i].until_ns);
    }
    return done(w);
}

static bool is_sound_state(const struct wanted_is *v)
{
    return v->state >= WANTED_WAITS && v->state <= WANTED_FAILED && v->reason < WANTED_REASONS &&
           v->n_points <= WANTED_POINTS;
}

int wanted_is_get(struct rd *r, struct wanted_is *ret)
{
    struct wanted_is v = {.state = WANTED_WAITS};
    rd_copy(r, v.id, sizeof(v.id));
    v.state = (enum wanted_state)rd_u8(r);
    v.reason = (enum wanted_reason)rd_u8(r);
    v.n_points = rd_u8(r);
    if (!rd_ok(r) || !is_sound_state(&v) || !rd_text(r, v.words, sizeof(v.words))) {
        return -EBADMSG;
    }
    v.published = rd_u64(r);
    v.found = rd_u64(r);
    v.offered = rd_u64(r);
    v.unwanted = rd_u64(r);
    v.written = rd_u64(r);
    v.dropped = rd_u64(r);
    for (unsigned i = 0; i < v.n_points; i++) {
        v.point[i].from_ns = (int64_t)rd_u64(r);
        v.point[i].until_ns = (int64_t)rd_u64(r);
        r->bad |= v.point[i].from_ns < 0 || v.point[i].until_ns < v.point[i].from_ns;
    }
    if (!rd_ok(r)) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}

/* ---- ports ---- */

int wanted_port_put(struct wr *w, const struct wanted_port *v)
{
    wr_text(w, v->name, sizeof(v->name));
    wr_u32(w, v->ifindex);
    wr_u32(w, v->mtu);
    wr_u8(w, (uint8_t)((v->up ? UP : 0) | (v->carrier ? CARRIER : 0) |
                       (v->faces_owner ? FACES_OWNER : 0)));
    wr_copy(w, v->mac, sizeof(v->mac));
    wr_u64(w, v->speed_bps);
    return done(w);
}

int wanted_port_get(struct rd *r, struct wanted_port *ret)
{
    struct wanted_port v = {.ifindex = 0};
    if (!rd_text(r, v.name, sizeof(v.name)) || v.name[0] == '\0') {
        return -EBADMSG;
    }
    v.ifindex = rd_u32(r);
    v.mtu = rd_u32(r);
    const uint8_t flags = rd_u8(r);
    v.up = flags & UP;
    v.carrier = flags & CARRIER;
    v.faces_owner = flags & FACES_OWNER;
    rd_copy(r, v.mac, sizeof(v.mac));
    v.speed_bps = rd_u64(r);
    if (!rd_ok(r) || (flags & ~(UP | CARRIER | FACES_OWNER)) != 0) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}
