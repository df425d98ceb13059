/* SPDX-License-Identifier: Apache-2.0
 *
 * A receiver's keys, sessions, streams and observation points, in the data thread: receiver.c puts
 * opened segments into streams, commands.c makes and ends them as the control thread says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/link/receive/impl.h"
#include "sys/crypto/kdf.h"

/* ---- frames ---- */

void rx_deliver(struct receiver *r)
{
    rx_take_flows(r);
    if (r->pipeline.batch.n > 0) {
        r->pipeline.pass.now = r->now; /* all of it has come by then */
        r->pipeline.out.push(&r->pipeline.out);
    }
    for (unsigned i = 0; i < r->n_touched; i++) {
        reasm_delivered(r->touched[i]);
    }
    r->n_touched = 0;
}

void rx_touch(struct receiver *r, struct reasm *reasm)
{
    if (r->n_touched > 0 && r->touched[r->n_touched - 1] == reasm) {
        return;
    }
    if (r->n_touched == ARRAY_SIZE(r->touched)) {
        rx_deliver(r);
    }
    r->touched[r->n_touched++] = reasm;
}

void rx_stream_publish(struct rx_stream *s)
{
    atomic_store_explicit(&s->point->lost, reasm_lost(s->reasm), memory_order_relaxed);
    atomic_store_explicit(&s->point->accounted, reasm_accounted(s->reasm), memory_order_release);
}

struct rx_stream *rx_stream_find(struct rx_session *s, uint16_t id)
{
    if (s && s->recent[id % RECEIVER_RECENT] && s->recent[id % RECEIVER_RECENT]->id == id) {
        return s->recent[id % RECEIVER_RECENT];
    }
    for (unsigned i = 0; s && i < s->n_streams; i++) {
        if (s->stream[i]->id == id) {
            s->recent[id % RECEIVER_RECENT] = s->stream[i];
            return s->stream[i];
        }
    }
    return NULL;
}

void rx_stream_wait(struct receiver *r, struct rx_stream *s)
{
    bool waits = reasm_waits(s->reasm);
    if (waits == (s->waits_at != NULL)) {
        return;
    }
    if (waits) {
        s->waits_at = &r->waiting;
        s->next_waiting = r->waiting;
        r->waiting = s;
        r->tick = r->tick.ns ? r->tick : mono_add_ms(r->now, REASM_HOLD_MS);
    } else {
        *s->waits_at = s->next_waiting;
    }
    if (s->next_waiting) {
        s->next_waiting->waits_at = waits ? &s->next_waiting : s->waits_at;
    }
    if (!waits) {
        s->waits_at = NULL;
    }
}

/* ---- keys ---- */

static struct rx_session *session_of(struct receiver *r, uint32_t id)
{
    return id < RECEIVER_SESSIONS ? r->session[id] : NULL;
}

/* NULL where the slot is in use: the control thread chooses free ones. */
static struct rx_key *key_make(struct receiver *r, uint32_t index, const struct udp_addr *from)
{
    struct rx_key **at = &r->key[index % RECEIVER_SLOTS];
    if (*at) {
        return NULL;
    }
    struct rx_key *k = *at = calloc(1, sizeof(**at));
    if (k) {
        k->index = index;
        k->from = *from;
        bucket_init(&k->control, RECEIVER_CONTROLS_NEW, r->now);
        bucket_init(&k->hello, ADMISSION_KEY_BURST, r->now);
    }
    return k;
}

void rx_key_expect(struct receiver *r, uint32_t index, const struct udp_addr *from,
                   const uint8_t tag[CPACE_TAG_LEN])
{
    struct rx_key *k = key_make(r, index, from);
    if (k) {
        memcpy(k->tag, tag, sizeof(k->tag));
        k->expects = true;
    }
}

void rx_key_add(struct receiver *r, uint32_t index, const struct udp_addr *from, struct aead *aead)
{
    struct rx_key *k = r->key[index % RECEIVER_SLOTS];
    k = k && k->index == index && !k->aead ? k : key_make(r, index, from);
    if (k) {
        k->aead = aead;
    } else {
        aead_free(aead);
    }
}

void rx_key_drop(struct receiver *r, uint32_t index)
{
    struct rx_key *k = r->key[index % RECEIVER_SLOTS];
    if (!k || k->index != index) {
        return;
    }
    for (struct rx_key **at = k->session ? &k->session->keys : NULL; at && *at;) {
        if (*at == k) {
            *at = k->next;
            break;
        }
        at = &(*at)->next;
    }
    r->key[index % RECEIVER_SLOTS] = NULL;
    aead_free(k->aead);
    secure_wipe(k, sizeof(*k));
    free(k);
}

static struct rx_session *session_new(struct receiver *r)
{
    struct rx_session *s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    bucket_init(&s->control, RECEIVER_CONTROLS, r->now);
    s->room = (struct reasm_room){.max = RECEIVER_ROOM, .all = &r->room};
    return s;
}

void rx_key_bind(struct receiver *r, uint32_t index, uint32_t session)
{
    struct rx_key *k = r->key[index % RECEIVER_SLOTS];
    if (!k || k->index != index || k->session || session >= RECEIVER_SESSIONS) {
        return;
    }
    struct rx_session **s = &r->session[session];
    if (!*s) {
        *s = session_new(r);
    }
    k->session = *s;
    if (*s) {
        k->next = (*s)->keys;
        (*s)->keys = k;
    }
}

/* ---- streams and their points ---- */

static bool point_known(const struct rx_session *s, const struct point *point)
{
    for (unsigned i = 0; i < s->n_points; i++) {
        if (s->point[i] == point) {
            return true;
        }
    }
    return false;
}

static void add_point(struct receiver *r, struct rx_session *s, struct point *p, int device)
{
    struct sink *sink = r->pipeline.sink;
    if (s->n_points == POINT_OF_PEER || point_known(s, p)) {
        return;
    }
    const struct point_offer offer = {
        .index = p->index,
        .tap = p->tap,
        .tap_number = p->tap_number,
        .ifname = p->ifname,
        .filter = p->filter,
        .snaplen = p->snaplen,
        .speed_bps = p->speed_bps,
        .linktype = p->linktype,
        .arphrd = p->arphrd,
        .fresh = !atomic_load_explicit(&p->in_outputs, memory_order_relaxed),
        .device = device,
    };
    s->point[s->n_points++] = p;
    r->ledger[p->index] = &p->ledger;
    r->align[p->index] = r->conf.align ? &p->align : NULL;
    if (r->conf.align && s->aligned) {
        align_point_set(&p->align, &s->align);
    }
    (void)sink->ops->point_add(sink, &offer, NULL);
    atomic_store_explicit(&p->in_outputs, true, memory_order_release);
}

void rx_stream_add(struct receiver *r, uint32_t session, uint16_t stream, struct point *point,
                   int device)
{
    struct rx_session *s = session_of(r, session);
    if (!s || s->n_streams == POINT_STREAMS || rx_stream_find(s, stream)) {
        return;
    }
    struct rx_stream *st = calloc(1, sizeof(*st));
    if (!st) {
        return;
    }
    st->id = stream;
    st->point = point;
    st->reasm = reasm_new(point->index, &point->ledger, &s->room, r->now);
    if (!st->reasm) {
        free(st);
        return;
    }
    s->stream[s->n_streams++] = st;
    rx_stream_publish(st);
    add_point(r, s, point, device);
}

void rx_sub_add(struct receiver *r, uint32_t session, uint16_t stream, uint16_t sub,
                struct point *point, int device)
{
    struct rx_session *s = session_of(r, session);
    struct rx_stream *st = rx_stream_find(s, stream);
    if (st) {
        add_point(r, s, point, device);
        reasm_set_point(st->reasm, sub, point->index);
    }
}

void rx_report(struct receiver *r, uint32_t session, uint16_t stream,
               const struct receiver_report *said)
{
    struct rx_stream *st = rx_stream_find(session_of(r, session), stream);
    if (st) {
        rx_touch(r, st->reasm);
        reasm_report(st->reasm, said->frames, said->datagrams, r->now);
        if (said->implausible) {
            reasm_implausible(st->reasm);
        }
        if (said->final) {
            reasm_finish(st->reasm, &r->out);
        }
        rx_touch(r, st->reasm);
        rx_stream_publish(st);
        rx_stream_wait(r, st);
    }
}

/* Frames that came before have what was known before. */
void rx_align(struct receiver *r, uint32_t session, const struct align *to)
{
    struct rx_session *s = session_of(r, session);
    if (!s) {
        return;
    }
    rx_deliver(r);
    s->aligned = true;
    s->align = *to;
    for (unsigned i = 0; i < s->n_points; i++) {
        align_point_set(&s->point[i]->align, to);
    }
}

static void remove_point(struct receiver *r, const struct point *point)
{
    struct sink *sink = r->pipeline.sink;
    struct ledger all = {0};
    ledger_copy(&all, &point->reported);
    ledger_publish(&all, &point->ledger, &r->pipeline.way);
    sink->ops->point_stats(sink, point->index, &all);
    sink->ops->point_remove(sink, point->index);
    r->ledger[point->index] = NULL;
    r->align[point->index] = NULL;
}

static void forget_point(struct receiver *r, struct rx_session *s, const struct point *point)
{
    for (unsigned i = 0; i < s->n_points; i++) {
        if (s->point[i] == point) {
            remove_point(r, point);
            s->point[i] = s->point[--s->n_points];
            return;
        }
    }
}

void rx_stream_end(struct receiver *r, uint32_t session, uint16_t stream, bool keep)
{
    struct rx_session *s = session_of(r, session);
    struct rx_stream *st = rx_stream_find(s, stream);
    if (st) {
        rx_touch(r, st->reasm);
        reasm_finish(st->reasm, &r->out);
        rx_touch(r, st->reasm);
        rx_stream_publish(st);
        rx_stream_wait(r, st); /* for nothing any more */
        rx_deliver(r);
        if (!keep) {
            forget_point(r, s, st->point);
        }
        for (unsigned i = 0; i < s->n_streams; i++) {
            if (s->stream[i] == st) {
                s->stream[i] = s->stream[--s->n_streams];
                break;
            }
        }
        s->recent[st->id % RECEIVER_RECENT] = NULL;
        reasm_free(st->reasm);
        free(st);
    }
    const struct receiver_event e = {.kind = RECEIVER_ENDED, .session = session, .index = stream};
    receiver_tell(r, e, NULL, 0);
}

void rx_session_close(struct receiver *r, uint32_t id)
{
    struct rx_session *s = session_of(r, id);
    if (s) {
        for (unsigned i = 0; i < s->n_streams; i++) {
            rx_touch(r, s->stream[i]->reasm);
            reasm_finish(s->stream[i]->reasm, &r->out);
            rx_stream_publish(s->stream[i]);
            rx_stream_wait(r, s->stream[i]); /* for nothing any more */
        }
        rx_deliver(r);
        for (unsigned i = 0; i < s->n_streams; i++) {
            reasm_free(s->stream[i]->reasm);
            free(s->stream[i]);
        }
        for (unsigned i = 0; i < s->n_points; i++) {
            remove_point(r, s->point[i]);
        }
        while (s->keys) {
            rx_key_drop(r, s->keys->index);
        }
        free(s);
        r->session[id] = NULL;
    }
    receiver_tell(r, (struct receiver_event){.kind = RECEIVER_CLOSED, .session = id}, NULL, 0);
}
