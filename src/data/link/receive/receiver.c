/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/receive/receiver.h"

#include <errno.h>
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
    EVENTS_SPARE = 64, /* of RECEIVER_HANDSHAKE, for those who have no share left among them */
    COMMANDS = 16384,
    COMMAND_WAIT_MS =
        100, /* the thread never waits for long: no command is lost but to a dead one */
    UNKNOWN_PER_TICK = 64, /* events about unknown sessions between two timer ticks */
};

/* ---- records ---- */

static void segment(struct receiver *r, struct rx_key *k, const struct link_record *rec,
                    const uint8_t *plain, size_t len)
{
    struct rx_stream *s = rx_stream_find(k->session, rec->stream);
    if (!s || !reasm_plausible(s->reasm, rec->counter, r->now)) {
        receiver_count(&r->counters.unexpected, 1);
    } else if (!replay_accept(&s->replay, rec->counter)) {
        receiver_count(&r->counters.replayed, 1);
    } else {
        rx_touch(r, s->reasm);
        reasm_segment(s->reasm, rec->counter, plain, len, r->now, &r->out);
        rx_touch(r, s->reasm); /* a delivery on the way forgot it */
        rx_stream_publish(s);
        rx_stream_wait(r, s);
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
        receiver_count(&r->counters.unexpected, 1);
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
        receiver_count(&r->counters.malformed, 1);
        return;
    }
    struct rx_key *k = find_key(r, rec.receiver);
    if (!k || !k->aead) {
        receiver_count(&r->counters.unknown_session, 1);
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
        receiver_count(&r->counters.forged, 1);
        return;
    }
    len -= LINK_RECORD_HEADER + tag;
    if (rec.stream != 0) {
        segment(r, k, &rec, plain, len);
    } else if (!replay_accept(&k->replay, rec.counter)) {
        receiver_count(&r->counters.replayed, 1);
    } else if (!may_control(r, k)) {
        receiver_count(&r->counters.control_full, 1);
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
        receiver_count(&r->counters.too_many, 1);
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
           (!real && receiver_waiting(r, RECEIVER_HANDSHAKE) < EVENTS_SPARE);
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
        receiver_count(&r->counters.too_many, 1);
        return;
    }
    e.kind = real ? RECEIVER_COOKIE : RECEIVER_HANDSHAKE;
    receiver_tell(r, e, d, len);
}

static void datagram(struct receiver *r, const struct udp_packet *p, uint8_t *d, size_t len)
{
    int type = link_peek(d, len);
    receiver_count(&r->counters.datagrams, 1);
    receiver_count(&r->counters.bytes, len);
    if (type == LINK_RECORD) {
        record(r, p, d, len);
    } else if (type == LINK_HELLO || type == LINK_CONFIRM) {
        handshake(r, p, d, MIN(len, (size_t)LINK_HELLO_LEN));
    } else {
        receiver_count(&r->counters.malformed, 1);
    }
}

static void packet(struct receiver *r, struct udp_packet *p)
{
    if (p->cut) {
        receiver_count(&r->counters.malformed, 1);
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
        rx_touch(r, st->reasm);
        struct mono t = reasm_tick(st->reasm, seen, &r->out);
        rx_touch(r, st->reasm);
        rx_stream_publish(st);
        rx_stream_wait(r, st);
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
        while (thread_next(r->thread)) {
        } /* commands that were given before these datagrams came go first */
        for (int i = 0; i < n; i++) {
            packet(r, &r->packet[i]);
        }
        rx_deliver(r);
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
    rx_deliver(r);
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
    .counts = LEDGER_LINK_RX,
    .run = receiver_run,
    .due = receiver_due,
    .fd = receiver_fd,
    .free = receiver_source_free,
};

/* ---- the thread's owner ---- */

static int thread_fd(const void *owner)
{
    return receiver_fd(owner);
}

static int thread_run(void *owner, short revents)
{
    struct receiver *r = owner;
    (void)revents; /* an error of the socket's is read from it */
    bool more = pipeline_run(&r->pipeline, ROUNDS, mono_now()) == SOURCE_MORE;
    if (!more) {
        pipeline_flush(&r->pipeline);
    }
    if (thread_stopping(r->thread)) {
        return THREAD_END;
    }
    return more ? 0 : pipeline_due(&r->pipeline).ns ? REASM_HOLD_MS : IDLE_MS;
}

static void thread_end(void *owner, int error)
{
    struct receiver *r = owner;
    if (error != 0) {
        const char words[] = "cannot wait for datagrams";
        receiver_tell(r, (struct receiver_event){.kind = RECEIVER_FAILED}, (const uint8_t *)words,
                      sizeof(words));
    }
    while (thread_next(r->thread)) {
    }
    for (uint32_t i = 0; i < RECEIVER_SESSIONS; i++) {
        if (r->session[i]) {
            rx_session_close(r, i);
        }
    }
}

static const struct thread_ops thread_ops = {
    .fd = thread_fd,
    .run = thread_run,
    .end = thread_end,
};

static void push(struct batch_out *o)
{
    rx_deliver(CONTAINER_OF(o, struct receiver, out));
}

/* ---- from the control thread ---- */

/* An event of a stage. */
static void tell_stage(void *user, enum history_kind kind, const char *words)
{
    char text[HISTORY_WORDS + 1];
    snprintf(text, sizeof(text), "%s", words);
    receiver_tell(user, (struct receiver_event){.kind = RECEIVER_STAGE, .index = kind},
                  (const uint8_t *)text, strlen(text) + 1);
}

static int start_thread(struct receiver *r)
{
    char name[16];
    snprintf(name, sizeof(name), r->conf.thread ? "receiver-%u" : "receiver", r->conf.thread);
    const struct thread_conf conf = {.name = name,
                                     .ops = &thread_ops,
                                     .owner = r,
                                     .posts = COMMANDS,
                                     .wait_ms = COMMAND_WAIT_MS};
    return thread_start(&conf, &r->thread);
}

int receiver_start(const struct receiver_conf *conf, struct receiver **ret, struct error *err)
{
    struct receiver *r = calloc(1, sizeof(*r));
    if (!r) {
        sink_free(conf->sink);
        return error_sys(err, ENOMEM, "cannot start receiving");
    }
    r->conf = *conf;
    r->io = (struct udp_io){.fd = conf->fd};
    r->source.ops = &source_ops;
    r->pipeline = (struct pipeline){.source = &r->source, .sink = conf->sink};
    r->out = (struct batch_out){&r->pipeline.batch, push};
    r->room.max = RECEIVER_ROOM_ALL / MAX(conf->n_threads, 1u);
    r->buffers = malloc((size_t)PACKETS * UDP_BUFFER);
    r->events = queue_new(RECEIVER_EVENTS);
    uint64_t seed = 0;
    int e = r->buffers && r->events ? random_bytes(&seed, sizeof(seed)) : -ENOMEM;
    admission_sources_init(&r->sources, seed, mono_now());
    for (unsigned i = 0; e == 0 && i < PACKETS; i++) {
        r->packet[i] =
            (struct udp_packet){.data = r->buffers + (size_t)i * UDP_BUFFER, .size = UDP_BUFFER};
    }
    if (e == 0) {
        e = pipeline_init(
            &r->pipeline, STAGE_AT_COLLECTOR,
            &(struct stage_conf){
                .list = conf->stages, .restage = conf->restage, .align = conf->align},
            &(struct pass){r->now, r->ledger, POINT_MAX, &r->nobodys, tell_stage, r, r->align});
    }
    if (e == 0) {
        e = start_thread(r);
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
    if (r->thread) {
        thread_stop(r->thread);
        thread_free(r->thread);
    }
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
    queue_free(r->events);
    cookie_done(&r->cookies);
    free(r->buffers);
    free(r);
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
