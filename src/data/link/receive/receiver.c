/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/receive/receiver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "data/link/receive/impl.h"
#include "proto/link.h"
#include "sys/crypto/kdf.h"

enum {
    PACKETS = RECEIVER_PACKETS,
    ROUNDS = 16,     /* of so many packets between two looks at commands and timers */
    LATEST_MS = 100, /* after which gaps are given up though the socket was never empty */
    IDLE_MS = 200,
    EVENTS = 16384,
    EVENTS_HELLO = 256, /* of these, of each kind that anyone at all can cause, … */
    EVENTS_SPARE = 64,  /* … who has no share left among them, … */
    EVENTS_UNKNOWN = 64,
    EVENTS_CONFIRM = 512,
    EVENTS_CONTROL = 8192, /* … and of sessions: the rest is for RECEIVER_CLOSED */
    COMMANDS = 16384,
    UNKNOWN_PER_TICK = 64, /* events about unknown sessions between two timer ticks */
};

static void count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* ---- events ---- */

/* A flood of one kind must not cost the others: a session whose end was not told would never go. */
static size_t event_room(enum receiver_event_kind kind)
{
    switch (kind) {
    case RECEIVER_HANDSHAKE:
    case RECEIVER_COOKIE:
        return EVENTS_HELLO;
    case RECEIVER_UNKNOWN:
        return EVENTS_UNKNOWN;
    case RECEIVER_REKEY:
    case RECEIVER_CONFIRM:
        return EVENTS_CONFIRM;
    case RECEIVER_CONTROL:
        return EVENTS_CONTROL;
    case RECEIVER_CLOSED:
    case RECEIVER_ENDED:
    case RECEIVER_FAILED:
    case RECEIVER_EVENT_KINDS:
    default:
        return EVENTS;
    }
}

static uint64_t waiting(const struct event_lane *lane)
{
    return atomic_load_explicit(&lane->told, memory_order_relaxed) -
           atomic_load_explicit(&lane->taken, memory_order_acquire);
}

void receiver_tell(struct receiver *r, struct receiver_event head, const uint8_t *data, size_t len)
{
    struct event_lane *lane = &r->lane[head.kind];
    struct receiver_event *e =
        waiting(lane) < event_room(head.kind) ? malloc(sizeof(*e) + len) : NULL;
    if (e) {
        *e = head;
        e->len = (uint16_t)len;
        if (len) {
            memcpy(e->data, data, len);
        }
        count(&lane->told, 1); /* before it can be taken */
        if (queue_push(r->events, e)) {
            wake_signal(r->conf.control);
            return;
        }
        count(&lane->told, UINT64_MAX);
        free(e);
    }
    count(&r->counters.control_full, 1);
}

/* ---- frames ---- */

void receiver_deliver(struct receiver *r)
{
    if (r->pipeline.batch.n > 0) {
        r->pipeline.out.push(&r->pipeline.out);
    }
    for (unsigned i = 0; i < r->n_touched; i++) {
        reasm_delivered(r->touched[i]);
    }
    r->n_touched = 0;
}

static void push(struct batch_out *o)
{
    receiver_deliver(CONTAINER_OF(o, struct receiver, out));
}

void receiver_touch(struct receiver *r, struct reasm *reasm)
{
    if (r->n_touched > 0 && r->touched[r->n_touched - 1] == reasm) {
        return;
    }
    if (r->n_touched == ARRAY_SIZE(r->touched)) {
        receiver_deliver(r);
    }
    r->touched[r->n_touched++] = reasm;
}

void receiver_publish(struct rx_stream *s)
{
    atomic_store_explicit(&s->point->lost, reasm_lost(s->reasm), memory_order_relaxed);
    atomic_store_explicit(&s->point->accounted, reasm_accounted(s->reasm), memory_order_release);
}

struct rx_stream *receiver_find_stream(struct rx_session *s, uint16_t id)
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

void receiver_wait(struct receiver *r, struct rx_stream *s)
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

static void segment(struct receiver *r, struct rx_key *k, const struct link_record *rec,
                    const uint8_t *plain, size_t len)
{
    struct rx_stream *s = receiver_find_stream(k->session, rec->stream);
    if (!s || !reasm_plausible(s->reasm, rec->counter, r->now)) {
        count(&r->counters.unexpected, 1);
    } else if (!replay_accept(&s->replay, rec->counter)) {
        count(&r->counters.replayed, 1);
    } else {
        receiver_touch(r, s->reasm);
        reasm_segment(s->reasm, rec->counter, plain, len, r->now, &r->out);
        receiver_touch(r, s->reasm); /* a delivery on the way forgot it */
        receiver_publish(s);
        receiver_wait(r, s);
    }
}

/* The control thread gets of a PROBE what it needs, not its padding. */
static void control(struct receiver *r, const struct receiver_event *e, const uint8_t *plain,
                    size_t len)
{
    if (len > 0 && plain[0] == LINK_PROBE) {
        len = MIN(len, (size_t)LINK_PROBE_LEN);
    }
    if (len <= LINK_CONTROL_MAX) {
        receiver_tell(r, *e, plain, len);
    } else {
        count(&r->counters.unexpected, 1);
    }
}

/* One tap must not keep others from being heard, however many keys it makes. */
static bool may_control(struct receiver *r, struct rx_key *k)
{
    return k->session
               ? bucket_take(&k->session->control, RECEIVER_CONTROLS / 2, RECEIVER_CONTROLS, r->now)
               : bucket_take(&k->control, RECEIVER_CONTROLS_NEW / 4, RECEIVER_CONTROLS_NEW, r->now);
}

static struct rx_key *find_key(const struct receiver *r, uint32_t index)
{
    struct rx_key *k = r->key[index % RECEIVER_SLOTS];
    return k && k->index == index ? k : NULL;
}

static void record(struct receiver *r, const struct udp_packet *p, uint8_t *d, size_t len)
{
    struct link_record rec;
    struct receiver_event e = {.from = p->from, .local = p->local};
    if (link_record_decode(d, len, &rec) < 0) {
        count(&r->counters.malformed, 1);
        return;
    }
    struct rx_key *k = find_key(r, rec.receiver);
    if (!k || !k->aead) {
        count(&r->counters.unknown_session, 1);
        if (len >= LINK_REJECT_LEN && r->unknown_told++ < UNKNOWN_PER_TICK) {
            e.kind = RECEIVER_UNKNOWN;
            e.index = rec.receiver;
            receiver_tell(r, e, NULL, 0);
        }
        return;
    }
    uint8_t nonce[AEAD_NONCE_LEN], *plain = d + LINK_RECORD_HEADER;
    size_t tag = aead_tag_len(k->aead);
    link_record_nonce(&rec, nonce);
    if (len < LINK_RECORD_HEADER + tag ||
        aead_open(k->aead, nonce, d, LINK_RECORD_HEADER, plain, len - LINK_RECORD_HEADER - tag,
                  d + len - tag) < 0) {
        count(&r->counters.forged, 1);
        return;
    }
    len -= LINK_RECORD_HEADER + tag;
    if (rec.stream != 0) {
        segment(r, k, &rec, plain, len);
    } else if (!replay_accept(&k->replay, rec.counter)) {
        count(&r->counters.replayed, 1);
    } else if (!may_control(r, k)) {
        count(&r->counters.control_full, 1);
    } else {
        if (rec.counter >= k->newest) {
            k->newest = rec.counter + 1;
            k->from = p->from;
        }
        control(r,
                &(struct receiver_event){.kind = RECEIVER_CONTROL,
                                         .from = p->from,
                                         .local = p->local,
                                         .index = rec.receiver,
                                         .counter = rec.counter,
                                         .size = (uint16_t)(len + LINK_RECORD_HEADER + tag)},
                plain, len);
    }
}

/* Of a handshake that is under way, from where that came from. The tag that it must have has been
 * known since the ANSWER: however many come, the right one is found among them, and the control
 * thread hears once of the wrong ones. */
static void confirm(struct receiver *r, struct rx_key *k, const struct link_hs *m,
                    struct receiver_event *e, const uint8_t *d, size_t len)
{
    bool right = secure_equal(k->tag, m->data, sizeof(k->tag));
    if (right ? !bucket_take(&k->hello, ADMISSION_KEY_RATE, ADMISSION_KEY_BURST, r->now)
              : k->guessed) {
        count(&r->counters.too_many, 1);
        return;
    }
    k->guessed |= !right;
    e->kind = RECEIVER_CONFIRM;
    receiver_tell(r, *e, d, len);
}

/* A message that nothing speaks for may use a share of its address or of its port, or spare room.
 */
static bool passes(struct receiver *r, const uint8_t addr[16], uint16_t port, bool real)
{
    return admission_source(&r->sources, addr, port, real, r->now) ||
           (!real && waiting(&r->lane[RECEIVER_HANDSHAKE]) < EVENTS_SPARE);
}

/* Anyone can send these, from any address: what a session or a handshake's own index speaks for, or
 * a cookie, does not share with the rest. */
static void handshake(struct receiver *r, const struct udp_packet *p, const uint8_t *d, size_t len)
{
    struct receiver_event e = {.kind = RECEIVER_HANDSHAKE, .from = p->from, .local = p->local};
    struct link_hs m = {0};
    (void)link_hs_decode(d, len, &m); /* the control thread says what is wrong with it */
    struct rx_key *k = m.receiver ? find_key(r, m.receiver) : NULL;
    k = k && udp_addr_equal(&k->from, &p->from) ? k : NULL;
    if (k && k->expects && m.type == LINK_CONFIRM && m.data) {
        confirm(r, k, &m, &e, d, len);
        return;
    }
    uint8_t addr[16];
    uint16_t port = udp_addr_port(&p->from);
    udp_addr_ip(&p->from, addr);
    if (k && k->session && m.type == LINK_HELLO &&
        bucket_take(&k->hello, ADMISSION_KEY_RATE, ADMISSION_KEY_BURST, r->now)) {
        e.kind = RECEIVER_REKEY;
        receiver_tell(r, e, d, len);
        return;
    }
    bool real = m.cookie && cookie_holds(&r->cookies, addr, port, m.cookie);
    if (!passes(r, addr, port, real)) {
        count(&r->counters.too_many, 1);
        return;
    }
    e.kind = real ? RECEIVER_COOKIE : RECEIVER_HANDSHAKE;
    receiver_tell(r, e, d, len);
}

static void datagram(struct receiver *r, const struct udp_packet *p, uint8_t *d, size_t len)
{
    int type = link_peek(d, len);
    count(&r->counters.datagrams, 1);
    count(&r->counters.bytes, len);
    if (type == LINK_RECORD) {
        record(r, p, d, len);
    } else if (type == LINK_HELLO || type == LINK_CONFIRM) {
        handshake(r, p, d, MIN(len, (size_t)LINK_HELLO_LEN));
    } else {
        count(&r->counters.malformed, 1);
    }
}

static void packet(struct receiver *r, struct udp_packet *p)
{
    if (p->cut) {
        count(&r->counters.malformed, 1);
    }
    for (uint32_t at = 0; p->seg > 0 && at < p->len; at += p->seg) {
        datagram(r, p, p->data + at, MIN(p->seg, p->len - at));
    }
}

/* ---- the thread ---- */

static void tick(struct receiver *r, struct mono seen)
{
    struct mono next = {0};
    for (struct rx_stream *st = r->waiting, *after; st; st = after) {
        after = st->next_waiting;
        receiver_touch(r, st->reasm);
        struct mono t = reasm_tick(st->reasm, seen, &r->out);
        receiver_touch(r, st->reasm);
        receiver_publish(st);
        receiver_wait(r, st);
        if (t.ns && (!next.ns || t.ns < next.ns)) {
            next = t;
        }
    }
    r->tick = next;
    r->unknown_told = 0;
}

/* Receives what is there; true when there may be more. */
static bool receive(struct receiver *r, unsigned rounds)
{
    int n = PACKETS;
    for (unsigned round = 0; round < rounds && n == PACKETS; round++) {
        r->asked = mono_now();
        n = udp_recv(&r->io, r->packet, PACKETS);
        r->now = mono_now();
        receiver_carry_out(r); /* what was commanded before these datagrams came goes first */
        for (int i = 0; i < n; i++) {
            packet(r, &r->packet[i]);
        }
        receiver_deliver(r);
    }
    atomic_store_explicit(&r->counters.socket_full, r->io.drops, memory_order_relaxed);
    return n == PACKETS;
}

/* Gives up gaps that are old enough. What is missing may have come and wait in the socket, where a
 * thread that was held up (by others' work, or before it could look at the clock) has not seen it:
 * a gap is as old as it was when the socket was asked and had no more. A socket that is never empty
 * may put that off, but not for long: others' frames are enough to keep it so. */
static void look_at_gaps(struct receiver *r, bool more)
{
    struct mono seen = more ? mono_add_ms(r->asked, -LATEST_MS) : r->asked;
    if (!r->tick.ns || mono_due(seen, r->tick)) {
        tick(r, seen);
    }
}

static int receiver_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct receiver *r = (struct receiver *)s;
    (void)o; /* its own pipeline's, as commands are carried out between runs too */
    r->now = now;
    bool more = receive(r, batches);
    look_at_gaps(r, more);
    receiver_deliver(r);
    return more ? SOURCE_MORE : SOURCE_DRY;
}

static struct mono receiver_due(const struct source *s)
{
    return ((const struct receiver *)s)->tick;
}

static int receiver_fd(const struct source *s)
{
    return ((const struct receiver *)s)->conf.fd;
}

static void receiver_source_free(struct source *s)
{
    (void)s; /* it is the receiver itself: receiver_free */
}

static const struct source_ops source_ops = {
    .kind = "link",
    .run = receiver_run,
    .due = receiver_due,
    .fd = receiver_fd,
    .free = receiver_source_free,
};

static void *run(void *arg)
{
    struct receiver *r = arg;
    struct pollfd p[2] = {{.fd = r->conf.fd, .events = POLLIN},
                          {.fd = r->wake.fd, .events = POLLIN}};
    bool more = false;
    char name[16];
    snprintf(name, sizeof(name), r->conf.thread ? "receiver-%u" : "receiver", r->conf.thread);
    pthread_setname_np(pthread_self(), name); /* another's name would need /proc */
    while (!r->stopping) {
        int timeout = more ? 0 : r->tick.ns ? REASM_HOLD_MS : IDLE_MS;
        if (poll(p, 2, timeout) < 0 && errno != EINTR) {
            const char words[] = "cannot wait for datagrams";
            receiver_tell(r, (struct receiver_event){.kind = RECEIVER_FAILED},
                          (const uint8_t *)words, sizeof(words));
            break;
        }
        if (p[1].revents) {
            wake_clear(&r->wake);
        }
        more = pipeline_run(&r->pipeline, ROUNDS, mono_now()) == SOURCE_MORE;
        if (!more) {
            pipeline_flush(&r->pipeline);
        }
    }
    for (uint32_t i = 0; i < RECEIVER_SESSIONS; i++) {
        if (r->session[i]) {
            receiver_close_books(r, i);
        }
    }
    return NULL;
}

/* ---- from the control thread ---- */

int receiver_start(const struct receiver_conf *conf, struct receiver **ret, struct error *err)
{
    struct receiver *r = calloc(1, sizeof(*r));
    if (!r) {
        sink_free(conf->sink);
        return error_sys(err, ENOMEM, "cannot start receiving");
    }
    r->conf = *conf;
    r->wake.fd = -1;
    r->io = (struct udp_io){.fd = conf->fd};
    r->source.ops = &source_ops;
    r->pipeline = (struct pipeline){.source = &r->source, .sink = conf->sink};
    pipeline_init(&r->pipeline);
    r->out = (struct batch_out){&r->pipeline.batch, push};
    r->room.max = RECEIVER_ROOM_ALL / MAX(conf->n_threads, 1u);
    r->buffers = malloc((size_t)PACKETS * UDP_BUFFER);
    r->commands = queue_new(COMMANDS);
    r->events = queue_new(EVENTS);
    uint64_t seed = 0;
    int e = r->buffers && r->commands && r->events ? random_bytes(&seed, sizeof(seed)) : -ENOMEM;
    admission_sources_init(&r->sources, seed, mono_now());
    for (unsigned i = 0; e == 0 && i < PACKETS; i++) {
        r->packet[i] =
            (struct udp_packet){.data = r->buffers + (size_t)i * UDP_BUFFER, .size = UDP_BUFFER};
    }
    if (e == 0) {
        e = wake_init(&r->wake);
    }
    if (e == 0) {
        e = -pthread_create(&r->thread, NULL, run, r);
        r->started = e == 0;
    }
    if (e < 0) {
        receiver_free(r);
        return error_sys(err, -e, "cannot start receiving");
    }
    *ret = r;
    return 0;
}

void receiver_free(struct receiver *r)
{
    if (!r) {
        return;
    }
    if (r->started) {
        while (receiver_stop(r) < 0) {
            poll(NULL, 0, 1); /* the thread is alive and empties its queue */
        }
        pthread_join(r->thread, NULL);
    }
    receiver_drop_commands(r);
    for (struct receiver_event *e; r->events && (e = queue_pop(r->events)) != NULL;) {
        free(e);
    }
    for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
        if (r->key[i]) {
            aead_free(r->key[i]->aead);
            secure_wipe(r->key[i], sizeof(*r->key[i]));
            free(r->key[i]);
        }
    }
    pipeline_done(&r->pipeline);
    queue_free(r->commands);
    queue_free(r->events);
    cookie_done(&r->cookies);
    wake_done(&r->wake);
    free(r->buffers);
    free(r);
}

struct receiver_event *receiver_event(struct receiver *r)
{
    struct receiver_event *e = queue_pop(r->events);
    if (e) {
        count(&r->lane[e->kind].taken, 1);
    }
    return e;
}

static uint64_t get(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void receiver_figures(const struct receiver *r, struct receiver_figures *add)
{
    add->datagrams += get(&r->counters.datagrams);
    add->bytes += get(&r->counters.bytes);
    add->malformed += get(&r->counters.malformed);
    add->unknown_session += get(&r->counters.unknown_session);
    add->too_many += get(&r->counters.too_many);
    add->forged += get(&r->counters.forged);
    add->replayed += get(&r->counters.replayed);
    add->unexpected += get(&r->counters.unexpected);
    add->control_full += get(&r->counters.control_full);
    add->socket_full += get(&r->counters.socket_full);
}
