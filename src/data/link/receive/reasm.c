/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/receive/reasm.h"

#include <stdlib.h>

#include "base/cleanup.h"

enum {
    KEPT_COST = 64, /* of a segment that is kept, beside its bytes */
    ARENA_FIRST = 4 << 10,
    ARENA_USUAL = 64 << 10, /* enough for all that straddle in a batch, as a rule */
    SLACK_MS = 1000,        /* by which the path may have delayed one record more than another */
};

struct kept {
    uint8_t *data; /* NULL: nothing kept here */
    uint32_t len;
};

struct held {
    struct kept kept;
    uint64_t counter;
    struct mono since;
};

/* A frame of which a part has come. */
struct partial {
    bool active;
    bool headed; /* the header is complete, `f` is valid and the body has its place in the arena */
    uint8_t header[LINK_FRAME_HEADER_MAX];
    uint32_t header_have;
    int64_t base_ts;
    struct link_frame f;
    uint32_t at, have; /* the body's place in the arena */
};

struct reasm {
    struct ledger *ledger;
    struct reasm_room *room;
    struct mono began, came; /* the stream, its last segment */
    uint64_t next;           /* counter of the next segment in order */
    uint64_t accounted;      /* number of the next frame that is not accounted for */
    uint64_t known;          /* frames that the tap is known to have numbered */
    uint64_t lost;
    uint32_t lost_before; /* lost since the last frame that was given */
    bool broken;          /* the stream's content is of no use: skip to the next frame start */
    enum ledger_id why;   /* broken: as what its frames are counted */
    struct partial part;
    uint8_t *arena; /* bodies of straddling frames, until the batch is delivered */
    uint32_t arena_used, arena_size;
    struct held held[REASM_WINDOW];
    unsigned held_count, spent_count;
    uint32_t held_bytes;
    struct mono held_since;          /* of the oldest that is kept: as old is the gap before it */
    struct kept spent[REASM_WINDOW]; /* kept segments that the current batch points into */
    uint32_t point;
    uint32_t *sub; /* POINT_SUBS entries, made when first needed; 0: as `point` */
};

struct reasm *reasm_new(uint32_t point, struct ledger *ledger, struct reasm_room *room,
                        struct mono now)
{
    struct reasm *r = calloc(1, sizeof(*r));
    if (r) {
        r->point = point;
        r->ledger = ledger;
        r->room = room;
        r->began = r->came = now;
    }
    return r;
}

/* ---- memory ---- */

/* The bytes that the tap may have in all once it has taken `n` more. */
static size_t share(const struct reasm_room *m, size_t n)
{
    size_t left = m->all->max - MIN(m->all->used + n, m->all->max);
    return MIN(m->max, left / 2);
}

/* Takes `n` bytes, up to the tap's share or a part of it. */
static bool room_take(struct reasm_room *m, size_t n, unsigned part)
{
    if (m->used + n > share(m, n) / part) {
        return false;
    }
    m->used += n;
    m->all->used += n;
    return true;
}

static void room_give(struct reasm_room *m, size_t n)
{
    m->used -= n;
    m->all->used -= n;
}

static void let_go(struct reasm *r, struct kept *k)
{
    if (k->data) {
        room_give(r->room, k->len + KEPT_COST);
        free(TAKE_PTR(k->data));
    }
}

static void arena_drop(struct reasm *r)
{
    room_give(r->room, r->arena_size);
    free(TAKE_PTR(r->arena));
    r->arena_size = r->arena_used = 0;
}

/* Another arena in the place of this one, of which nothing is in use. False: it stays. */
static bool arena_grow(struct reasm *r, uint32_t size, unsigned part)
{
    if (!room_take(r->room, size - r->arena_size, part)) {
        return false;
    }
    uint8_t *arena = malloc(size);
    if (!arena) {
        room_give(r->room, size - r->arena_size);
        return false;
    }
    free(r->arena);
    r->arena = arena;
    r->arena_size = size;
    return true;
}

void reasm_delivered(struct reasm *r)
{
    for (unsigned i = 0; i < r->spent_count; i++) {
        let_go(r, &r->spent[i]);
    }
    r->spent_count = 0;
    if (r->part.active && r->part.headed) {
        memmove(r->arena, r->arena + r->part.at, r->part.have);
        r->part.at = 0;
        r->arena_used = r->part.f.caplen;
        return;
    }
    r->arena_used = 0;
    if (r->arena_size > ARENA_USUAL && r->room->used > share(r->room, 0) / 2) {
        arena_drop(r); /* others of this tap may want it */
    }
}

void reasm_free(struct reasm *r)
{
    if (!r) {
        return;
    }
    r->part.active = false;
    reasm_delivered(r);
    for (unsigned i = 0; i < REASM_WINDOW; i++) {
        let_go(r, &r->held[i].kept);
    }
    arena_drop(r);
    free(r->sub);
    free(r);
}

void reasm_set_point(struct reasm *r, uint16_t sub, uint32_t point)
{
    if (!r->sub) {
        r->sub = calloc(POINT_SUBS, sizeof(*r->sub));
    }
    if (r->sub && sub < POINT_SUBS) {
        r->sub[sub] = point;
    }
}

uint64_t reasm_accounted(const struct reasm *r)
{
    return r->accounted;
}

uint64_t reasm_lost(const struct reasm *r)
{
    return r->lost;
}

/* ---- what can be ---- */

/* So many came to be in the time, at this rate a second; a second's worth at once. */
static uint64_t at_most(uint64_t rate, struct mono since, struct mono now)
{
    uint64_t ms = (uint64_t)MAX(mono_diff(now, since) / NSEC_PER_MSEC, 0) + SLACK_MS, n;
    return __builtin_mul_overflow(ms, rate / 1000, &n) ? UINT64_MAX : n;
}

static uint64_t starts_in(uint64_t datagrams)
{
    uint64_t n;
    return __builtin_mul_overflow(datagrams, (uint64_t)REASM_STARTS, &n) ? UINT64_MAX : n;
}

void reasm_implausible(struct reasm *r)
{
    ledger_add(r->ledger, LEDGER_RX_IMPLAUSIBLE, 1);
}

bool reasm_plausible(struct reasm *r, uint64_t datagrams, struct mono now)
{
    if (datagrams <= r->next || (datagrams - r->next <= at_most(REASM_RATE, r->came, now) &&
                                 datagrams <= at_most(REASM_RATE, r->began, now))) {
        return true;
    }
    reasm_implausible(r);
    return false;
}

/* The frames beyond those known lie in the datagrams that did not come, but for one that has begun
 * and those that the tap has yet to send off. */
static bool frames_plausible(struct reasm *r, uint64_t frames, uint64_t datagrams, struct mono now)
{
    uint64_t missing = datagrams - MIN(datagrams, r->next);
    if (frames <= r->known || (frames - r->known - 1 <= starts_in(missing + 1) &&
                               frames <= at_most(REASM_RATE_FRAMES, r->began, now))) {
        return true;
    }
    reasm_implausible(r);
    return false;
}

/* ---- accounts ---- */

static void know(struct reasm *r, uint64_t frames)
{
    if (frames > r->known) {
        ledger_add(r->ledger, LEDGER_RX_IN, frames - r->known);
        r->known = frames;
    }
}

/* Frames up to but not including number `upto` did not come (or came to nothing). */
static void account_missing(struct reasm *r, uint64_t upto, enum ledger_id why)
{
    if (upto <= r->accounted) {
        return;
    }
    uint64_t n = upto - r->accounted;
    know(r, upto);
    ledger_add(r->ledger, why, n);
    r->lost += n;
    r->lost_before += (uint32_t)MIN(n, UINT32_MAX - r->lost_before);
    r->accounted = upto;
}

static void deliver(struct reasm *r, struct batch_out *out)
{
    out->push(out);
    reasm_delivered(r);
}

static void give(struct reasm *r, const struct link_frame *f, const uint8_t *body,
                 struct batch_out *out)
{
    uint32_t point = f->has_port && f->port < POINT_SUBS && r->sub ? r->sub[f->port] : 0;
    struct frame *to = &out->batch->f[out->batch->n++];
    const bool flows = to->flows = f->ext && link_frame_is_flows(f);
    to->data = body;
    to->datalen = to->caplen = f->caplen;
    to->origlen = f->origlen;
    to->lost = r->lost_before;
    to->more = f->weight - 1;
    to->ts_ns = f->ts_ns;
    to->point = point ? point : r->point;
    to->dir = f->dir;
    to->rung = f->ext ? link_frame_rung(f) : 0;
    to->clock = to->ins_len = to->gso_type = to->vnet_flags = 0;
    to->ins_off = 0;
    r->lost_before = flows ? r->lost_before : 0;
    r->accounted++;
    know(r, r->accounted);
    ledger_add(r->ledger, flows ? LEDGER_RX_MESSAGES : LEDGER_RX_OUT, 1);
    ledger_add(r->ledger, LEDGER_RX_BYTES, f->caplen);
}

/* A place for a body of `n` bytes; false when memory is short. Gives the batch away when the arena
 * is full; a larger one is for frames that need it, or where there is plenty. */
static bool arena_take(struct reasm *r, uint32_t n, struct batch_out *out)
{
    uint32_t size = MAX(r->arena_size, (uint32_t)ARENA_FIRST);
    if (r->arena_size - r->arena_used < n && r->arena_used > 0) {
        deliver(r, out);
        if (r->arena_size < ARENA_USUAL) {
            (void)arena_grow(r, 2 * r->arena_size, 2);
        }
    }
    while (size < n) {
        size *= 2;
    }
    if (r->arena_size - r->arena_used < n && !arena_grow(r, size, 1)) {
        return false;
    }
    r->part.at = r->arena_used;
    r->arena_used += n;
    return true;
}

static void break_off(struct reasm *r, enum ledger_id why)
{
    r->part.active = false;
    r->broken = true;
    r->why = why;
}

/* Adds to the header of the frame begun; *ret_took: how many bytes. True once it is complete, or
 * cannot be one. */
static bool partial_header(struct partial *part, const uint8_t *p, uint32_t n, uint32_t *ret_took)
{
    int need = part->header_have > 0 ? link_frame_header_len(part->header, part->header_have) : 1;
    for (*ret_took = 0; need > 0 && (uint32_t)need > part->header_have && *ret_took < n;) {
        uint32_t more = MIN(n - *ret_took, (uint32_t)need - part->header_have);
        memcpy(part->header + part->header_have, p + *ret_took, more);
        part->header_have += more;
        *ret_took += more;
        need = link_frame_header_len(part->header, part->header_have);
    }
    return need < 0 || (uint32_t)need == part->header_have;
}

/* Adds to the frame begun; returns how many bytes it took. On nonsense the stream is broken. */
static uint32_t partial_feed(struct reasm *r, const uint8_t *p, uint32_t n, struct batch_out *out)
{
    struct partial *part = &r->part;
    uint32_t took = 0;
    if (!part->headed) {
        if (!partial_header(part, p, n, &took)) {
            return took;
        }
        bool good =
            link_frame_decode(part->header, part->header_have, part->base_ts, &part->f) == 0;
        if (!good || !arena_take(r, part->f.caplen, out)) {
            break_off(r, good ? LEDGER_RX_NO_ROOM : LEDGER_RX_MALFORMED);
            return took;
        }
        part->headed = true;
        part->have = 0;
    }
    uint32_t body = MIN(n - took, part->f.caplen - part->have);
    memcpy(r->arena + part->at + part->have, p + took, body);
    part->have += body;
    return took + body;
}

static bool partial_done(const struct partial *part)
{
    return part->active && part->headed && part->have == part->f.caplen;
}

/* Bytes [0, n) of the payload continue the frame begun in an earlier segment. `last`: it must end
 * here, for the next frame starts right behind. */
static void continue_frame(struct reasm *r, const uint8_t *p, uint32_t n, bool last,
                           struct batch_out *out)
{
    while (n > 0 && r->part.active && !partial_done(&r->part)) {
        uint32_t took = partial_feed(r, p, n, out);
        p += took;
        n -= took;
    }
    if (r->part.active && (n > 0 || (last && !partial_done(&r->part)))) {
        break_off(r, LEDGER_RX_MALFORMED);
    }
    if (partial_done(&r->part)) {
        r->part.active = false;
        give(r, &r->part.f, r->arena + r->part.at, out);
    }
}

/* Frames that start in this segment: bytes from the first header on. */
static void new_frames(struct reasm *r, const struct link_segment *s, struct batch_out *out)
{
    uint32_t at = s->first;
    while (at < s->payload_len) {
        if (out->batch->n == BATCH_MAX) {
            deliver(r, out);
        }
        const uint8_t *p = s->payload + at;
        uint32_t left = s->payload_len - at;
        int head = link_frame_header_len(p, left);
        struct link_frame f;
        if (head > 0 && (uint32_t)head < left &&
            link_frame_decode(p, (uint32_t)head, s->base_ts, &f) == 0 &&
            f.caplen <= left - (uint32_t)head) {
            give(r, &f, p + head, out);
            at += (uint32_t)head + f.caplen;
            continue;
        }
        r->part = (struct partial){.active = true, .base_ts = s->base_ts};
        at += partial_feed(r, p, left, out);
        if (r->broken) {
            return;
        }
    }
}

/* Segment in its turn; `gap`: the one before is missing. */
static void process(struct reasm *r, uint64_t counter, const uint8_t *plain, size_t len, bool gap,
                    struct batch_out *out)
{
    struct link_segment s;
    if (out->batch->n == BATCH_MAX) {
        deliver(r, out);
    }
    if (link_segment_decode(plain, len, &s) < 0) {
        break_off(r, LEDGER_RX_MALFORMED);
        return;
    }
    if (s.frame_no > starts_in(counter)) { /* they began in those before it */
        reasm_implausible(r);
        break_off(r, LEDGER_RX_MALFORMED);
        return;
    }
    bool starts = s.first != LINK_NO_FRAME;
    if (gap) {
        r->part.active = false;
        account_missing(r, s.frame_no, r->broken ? r->why : LEDGER_RX_LOST);
        r->broken = false;
        /* The rest of the frame that the gap cut is passed over; later segments that only continue
         * it are too, for no frame is active. */
    } else if (r->part.active) {
        continue_frame(r, s.payload, starts ? s.first : s.payload_len, starts, out);
    }
    if (!starts) {
        return;
    }
    if (out->batch->n == BATCH_MAX) {
        deliver(r, out);
    }
    if (s.frame_no != r->accounted) {
        /* Without a gap these are frames that came to nothing; a number that goes back is
         * nonsense, and nothing of such a segment is believed. */
        account_missing(r, s.frame_no,
                        gap         ? LEDGER_RX_LOST
                        : r->broken ? r->why
                                    : LEDGER_RX_MALFORMED);
        if (s.frame_no < r->accounted) {
            break_off(r, LEDGER_RX_MALFORMED);
            return;
        }
    }
    r->broken = false;
    r->part.active = false;
    new_frames(r, &s, out);
}

/* A kept segment in its turn: the batch may point into it, so it is freed when that is delivered.
 */
static void process_held(struct reasm *r, struct held *h, bool gap, struct batch_out *out)
{
    struct kept k = h->kept;
    h->kept.data = NULL;
    r->held_count--;
    r->held_bytes -= k.len;
    if (r->spent_count == REASM_WINDOW) {
        deliver(r, out);
    }
    process(r, h->counter, k.data, k.len, gap, out);
    r->spent[r->spent_count++] = k;
}

static struct held *held_at(struct reasm *r, uint64_t counter)
{
    struct held *h = &r->held[counter % REASM_WINDOW];
    return h->kept.data && h->counter == counter ? h : NULL;
}

/* The store's age is that of its oldest segment, not the time since it was last empty: where the
 * order is never quite right, it never is. */
static void find_oldest(struct reasm *r)
{
    bool any = false;
    for (unsigned i = 0; r->held_count > 0 && i < REASM_WINDOW; i++) {
        const struct held *h = &r->held[i];
        if (h->kept.data && (!any || h->since.ns < r->held_since.ns)) {
            r->held_since = h->since;
            any = true;
        }
    }
}

static void drain_in_order(struct reasm *r, struct batch_out *out)
{
    unsigned before = r->held_count;
    for (struct held *h; r->held_count > 0 && (h = held_at(r, r->next)) != NULL;) {
        r->next++;
        process_held(r, h, false, out);
    }
    if (r->held_count != before) {
        find_oldest(r);
    }
}

/* Gives up what is missing before the first kept segment, then goes on in order. */
static void skip_gap(struct reasm *r, struct batch_out *out)
{
    uint64_t c = r->next;
    while (!held_at(r, c)) {
        c++; /* at most REASM_WINDOW steps: something is kept within the window */
    }
    ledger_add(r->ledger, LEDGER_RX_GAP_DATAGRAMS, c - r->next);
    r->next = c + 1;
    process_held(r, held_at(r, c), true, out);
    find_oldest(r);
    drain_in_order(r, out);
}

/* False where it finds no place; *crowded: as the tap has used up its memory. */
static bool hold(struct reasm *r, uint64_t counter, const uint8_t *plain, size_t len,
                 struct mono now, bool *crowded)
{
    struct held *h = &r->held[counter % REASM_WINDOW];
    if (counter - r->next >= REASM_WINDOW || h->kept.data || r->held_bytes + len > REASM_BYTES) {
        return false;
    }
    if (!room_take(r->room, len + KEPT_COST, 1)) {
        *crowded = true;
        return false;
    }
    h->kept.data = malloc(len ? len : 1);
    if (!h->kept.data) {
        room_give(r->room, len + KEPT_COST);
        return false;
    }
    memcpy(h->kept.data, plain, len);
    h->kept.len = (uint32_t)len;
    h->counter = counter;
    h->since = now;
    if (r->held_count++ == 0) {
        r->held_since = now;
    }
    r->held_bytes += (uint32_t)len;
    return true;
}

/* A segment ahead of its turn is kept, or it ends the wait for what is missing before it. True: so
 * long that its own turn has come. */
static bool ahead(struct reasm *r, uint64_t counter, const uint8_t *plain, size_t len,
                  struct mono now, struct batch_out *out)
{
    bool crowded = false, kept = false;
    while (counter > r->next && !(kept = hold(r, counter, plain, len, now, &crowded)) &&
           r->held_count > 0) {
        skip_gap(r, out);
    }
    ledger_add(r->ledger, LEDGER_RX_CROWDED_DATAGRAMS, crowded && !kept);
    return counter > r->next && !kept;
}

void reasm_segment(struct reasm *r, uint64_t counter, const uint8_t *plain, size_t len,
                   struct mono now, struct batch_out *out)
{
    ledger_add(r->ledger, LEDGER_RX_DATAGRAMS, 1);
    r->came = now;
    if (counter < r->next) {
        ledger_add(r->ledger, LEDGER_RX_LATE_DATAGRAMS, 1);
    } else if (ahead(r, counter, plain, len, now, out)) {
        ledger_add(r->ledger, LEDGER_RX_GAP_DATAGRAMS, counter - r->next);
        r->next = counter + 1;
        process(r, counter, plain, len, true, out);
    } else if (counter < r->next) { /* its place was given up to make room */
        ledger_add(r->ledger, LEDGER_RX_LATE_DATAGRAMS, 1);
    } else if (counter == r->next) {
        r->next++;
        process(r, counter, plain, len, false, out);
        drain_in_order(r, out);
    }
}

struct mono reasm_tick(struct reasm *r, struct mono now, struct batch_out *out)
{
    while (r->held_count > 0 && mono_due(now, mono_add_ms(r->held_since, REASM_HOLD_MS))) {
        skip_gap(r, out);
    }
    return r->held_count > 0 ? mono_add_ms(r->held_since, REASM_HOLD_MS) : (struct mono){0};
}

bool reasm_waits(const struct reasm *r)
{
    return r->held_count > 0;
}

void reasm_report(struct reasm *r, uint64_t frames, uint64_t datagrams, struct mono now)
{
    if (reasm_plausible(r, datagrams, now) && frames_plausible(r, frames, datagrams, now)) {
        know(r, frames);
    }
}

void reasm_finish(struct reasm *r, struct batch_out *out)
{
    while (r->held_count > 0) {
        skip_gap(r, out);
    }
    r->part.active = false;
    account_missing(r, r->known, r->broken ? r->why : LEDGER_RX_LOST);
}
