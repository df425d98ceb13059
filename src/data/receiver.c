/* SPDX-License-Identifier: Apache-2.0 */
#include "data/receiver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/queue.h"
#include "data/link/reasm.h"
#include "data/link/replay.h"
#include "data/sink/device.h"
#include "proto/link.h"

enum {
    PACKETS = 16, /* receive buffers of UDP_BUFFER bytes */
    ROUNDS = 16,  /* of those between two looks at commands and timers */
    IDLE_MS = 200,
    EVENTS = 4096,
    COMMANDS = 16384,
    UNKNOWN_PER_TICK = 64, /* events about unknown sessions between two timer ticks */
    PORTS_OF_SESSION = RECEIVER_STREAMS + REASM_PORTS,
};

enum op { OP_KEY_ADD, OP_KEY_DROP, OP_BIND, OP_STREAM, OP_SUB, OP_REPORT, OP_CLOSE, OP_STOP };

struct command {
    enum op op;
    bool final;
    uint16_t stream, sub;
    uint32_t index, session;
    struct aead *aead;
    struct receiver_port *port;
    int device;
    uint64_t frames;
};

struct rx_stream {
    uint16_t id;
    struct reasm *reasm;
    struct replay replay;
    struct receiver_port *port;
};

struct rx_session {
    struct rx_stream *stream[RECEIVER_STREAMS];
    unsigned n_streams;
    struct receiver_port **port; /* added to the outputs, to be removed with the session */
    unsigned n_ports;
};

struct rx_key {
    uint32_t index;
    struct aead *aead;
    struct replay replay; /* of stream 0 */
    struct rx_session *session;
};

struct counters {
    _Atomic uint64_t datagrams, bytes, malformed, unknown_session, forged, replayed, unexpected,
        control_full, socket_full;
};

struct receiver {
    pthread_t thread;
    bool started, stopping;
    struct receiver_conf conf;
    struct wake wake;
    struct queue *commands, *events;
    struct udp_io io;
    struct udp_packet packet[PACKETS];
    uint8_t *buffers;
    struct batch batch;
    struct reasm_out out;
    struct mono now, tick; /* when a stream wants its tick; {0}: none does */
    unsigned unknown_told;
    struct counters counters;
    struct rx_key *key[RECEIVER_SLOTS];
    struct rx_session *session[RECEIVER_SESSIONS];
    struct reasm *touched[RECEIVER_STREAMS]; /* streams with frames in the batch */
    unsigned n_touched;
};

static void count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* ---- events ---- */

static void event(struct receiver *r, struct receiver_event head, const uint8_t *data, size_t len)
{
    struct receiver_event *e = malloc(sizeof(*e) + len);
    if (e) {
        *e = head;
        e->len = (uint16_t)len;
        if (len) {
            memcpy(e->data, data, len);
        }
        if (queue_push(r->events, e)) {
            wake_signal(r->conf.control);
            return;
        }
        free(e);
    }
    count(&r->counters.control_full, 1);
}

/* ---- frames ---- */

static void deliver(void *user)
{
    struct receiver *r = user;
    if (r->batch.n > 0) {
        for (unsigned i = 0; i < r->conf.n_outputs; i++) {
            r->conf.outputs[i]->ops->write(r->conf.outputs[i], &r->batch);
        }
        r->batch.n = 0;
    }
    for (unsigned i = 0; i < r->n_touched; i++) {
        reasm_delivered(r->touched[i]);
    }
    r->n_touched = 0;
}

static void touch(struct receiver *r, struct reasm *reasm)
{
    if (r->n_touched > 0 && r->touched[r->n_touched - 1] == reasm) {
        return;
    }
    if (r->n_touched == ARRAY_SIZE(r->touched)) {
        deliver(r);
    }
    r->touched[r->n_touched++] = reasm;
}

static void publish(struct rx_stream *s)
{
    atomic_store_explicit(&s->port->lost, reasm_lost(s->reasm), memory_order_relaxed);
    atomic_store_explicit(&s->port->accounted, reasm_accounted(s->reasm), memory_order_release);
}

static struct rx_stream *find_stream(const struct rx_session *s, uint16_t id)
{
    for (unsigned i = 0; s && i < s->n_streams; i++) {
        if (s->stream[i]->id == id) {
            return s->stream[i];
        }
    }
    return NULL;
}

static void segment(struct receiver *r, struct rx_key *k, const struct link_record *rec,
                    const uint8_t *plain, size_t len)
{
    struct rx_stream *s = find_stream(k->session, rec->stream);
    if (!s) {
        count(&r->counters.unexpected, 1);
    } else if (!replay_accept(&s->replay, rec->counter)) {
        count(&r->counters.replayed, 1);
    } else {
        touch(r, s->reasm);
        reasm_segment(s->reasm, rec->counter, plain, len, r->now, &r->out);
        touch(r, s->reasm); /* a delivery on the way forgot it */
        publish(s);
        r->tick = r->tick.ns ? r->tick : mono_add_ms(r->now, REASM_HOLD_MS);
    }
}

static void record(struct receiver *r, const struct udp_packet *p, uint8_t *d, size_t len)
{
    struct link_record rec;
    struct receiver_event e = {.from = p->from, .local = p->local};
    if (link_record_decode(d, len, &rec) < 0) {
        count(&r->counters.malformed, 1);
        return;
    }
    struct rx_key *k = r->key[rec.receiver % RECEIVER_SLOTS];
    if (!k || k->index != rec.receiver) {
        count(&r->counters.unknown_session, 1);
        /* What is smaller than the answer gets none: nobody's traffic is multiplied here. */
        if (len >= LINK_REJECT_LEN && r->unknown_told++ < UNKNOWN_PER_TICK) {
            e.kind = RECEIVER_UNKNOWN;
            e.index = rec.receiver;
            event(r, e, NULL, 0);
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
    } else if (len <= LINK_CONTROL_MAX) {
        e.kind = RECEIVER_CONTROL;
        e.index = rec.receiver;
        event(r, e, plain, len);
    }
}

static void datagram(struct receiver *r, const struct udp_packet *p, uint8_t *d, size_t len)
{
    int type = link_peek(d, len);
    count(&r->counters.datagrams, 1);
    count(&r->counters.bytes, len);
    if (type == LINK_RECORD) {
        record(r, p, d, len);
    } else if (type == LINK_HELLO || type == LINK_CONFIRM) {
        struct receiver_event e = {.kind = RECEIVER_HANDSHAKE, .from = p->from, .local = p->local};
        event(r, e, d, MIN(len, (size_t)LINK_HELLO_LEN));
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

/* ---- commands ---- */

static struct rx_session *session_of(struct receiver *r, uint32_t id)
{
    return id < RECEIVER_SESSIONS ? r->session[id] : NULL;
}

static void key_add(struct receiver *r, struct command *c)
{
    struct rx_key **at = &r->key[c->index % RECEIVER_SLOTS];
    if (*at) {
        return; /* the control thread chooses free slots */
    }
    *at = calloc(1, sizeof(**at));
    if (*at) {
        (*at)->index = c->index;
        (*at)->aead = TAKE_PTR(c->aead);
    }
}

static void key_drop(struct receiver *r, uint32_t index)
{
    struct rx_key **at = &r->key[index % RECEIVER_SLOTS];
    if (*at && (*at)->index == index) {
        aead_free((*at)->aead);
        free(TAKE_PTR(*at));
    }
}

static void bind_key(struct receiver *r, const struct command *c)
{
    struct rx_key *k = r->key[c->index % RECEIVER_SLOTS];
    if (!k || k->index != c->index || c->session >= RECEIVER_SESSIONS) {
        return;
    }
    struct rx_session **s = &r->session[c->session];
    if (!*s) {
        *s = calloc(1, sizeof(**s));
        if (*s) {
            (*s)->port = calloc(PORTS_OF_SESSION, sizeof(struct receiver_port *));
        }
    }
    k->session = *s;
}

static bool port_known(const struct rx_session *s, const struct receiver_port *port)
{
    for (unsigned i = 0; i < s->n_ports; i++) {
        if (s->port[i] == port) {
            return true;
        }
    }
    return false;
}

static void add_port(struct receiver *r, struct rx_session *s, const struct command *c)
{
    if (!s->port || s->n_ports == PORTS_OF_SESSION || port_known(s, c->port)) {
        return;
    }
    const struct sink_port sp = {
        .index = c->port->index,
        .tap = c->port->tap,
        .ifname = c->port->ifname,
        .filter = c->port->filter,
        .snaplen = c->port->snaplen,
        .speed_bps = c->port->speed_bps,
    };
    for (unsigned i = 0; i < r->conf.n_outputs; i++) {
        struct sink *out = r->conf.outputs[i];
        if (c->device >= 0 && strcmp(out->ops->kind, "tap-device") == 0) {
            (void)device_sink_bind(out, sp.index, c->device);
        }
        (void)out->ops->port_add(out, &sp, NULL);
    }
    s->port[s->n_ports++] = c->port;
}

static void stream_add(struct receiver *r, const struct command *c)
{
    struct rx_session *s = session_of(r, c->session);
    if (!s || s->n_streams == RECEIVER_STREAMS || find_stream(s, c->stream)) {
        return;
    }
    struct rx_stream *st = calloc(1, sizeof(*st));
    if (!st) {
        return;
    }
    st->id = c->stream;
    st->port = c->port;
    st->reasm = reasm_new(c->port->index, &c->port->ledger);
    if (!st->reasm) {
        free(st);
        return;
    }
    s->stream[s->n_streams++] = st;
    publish(st);
    add_port(r, s, c);
}

static void sub_add(struct receiver *r, const struct command *c)
{
    struct rx_session *s = session_of(r, c->session);
    struct rx_stream *st = find_stream(s, c->stream);
    if (st) {
        add_port(r, s, c);
        reasm_set_port(st->reasm, c->sub, c->port->index);
    }
}

static void report(struct receiver *r, const struct command *c)
{
    struct rx_stream *st = find_stream(session_of(r, c->session), c->stream);
    if (st) {
        touch(r, st->reasm);
        reasm_report(st->reasm, c->frames, c->final, &r->out);
        touch(r, st->reasm);
        publish(st);
    }
}

static void remove_port(struct receiver *r, struct receiver_port *port)
{
    struct ledger all = {0};
    ledger_publish(&all, &port->reported);
    for (unsigned i = LEDGER_RX_IN; i <= LEDGER_RX_LATE_DATAGRAMS; i++) {
        ledger_set(&all, (enum ledger_id)i, ledger_get(&port->ledger, (enum ledger_id)i));
    }
    for (unsigned i = 0; i < r->conf.n_outputs; i++) {
        struct sink *out = r->conf.outputs[i];
        out->ops->port_stats(out, port->index, &all);
        out->ops->port_remove(out, port->index);
    }
}

static void close_session(struct receiver *r, uint32_t id)
{
    struct rx_session *s = session_of(r, id);
    if (s) {
        for (unsigned i = 0; i < s->n_streams; i++) {
            touch(r, s->stream[i]->reasm);
            reasm_report(s->stream[i]->reasm, 0, true, &r->out);
            publish(s->stream[i]);
        }
        deliver(r);
        for (unsigned i = 0; i < s->n_streams; i++) {
            reasm_free(s->stream[i]->reasm);
            free(s->stream[i]);
        }
        for (unsigned i = 0; i < s->n_ports; i++) {
            remove_port(r, s->port[i]);
        }
        for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
            if (r->key[i] && r->key[i]->session == s) {
                key_drop(r, r->key[i]->index);
            }
        }
        free(s->port);
        free(s);
        r->session[id] = NULL;
    }
    event(r, (struct receiver_event){.kind = RECEIVER_CLOSED, .session = id}, NULL, 0);
}

static void carry_out(struct receiver *r, struct command *c)
{
    switch (c->op) {
    case OP_KEY_ADD:
        key_add(r, c);
        break;
    case OP_KEY_DROP:
        key_drop(r, c->index);
        break;
    case OP_BIND:
        bind_key(r, c);
        break;
    case OP_STREAM:
        stream_add(r, c);
        break;
    case OP_SUB:
        sub_add(r, c);
        break;
    case OP_REPORT:
        report(r, c);
        break;
    case OP_CLOSE:
        close_session(r, c->session);
        break;
    case OP_STOP:
        r->stopping = true;
        break;
    }
}

static void command_free(struct command *c)
{
    aead_free(c->aead);
    free(c);
}

static void carry_out_all(struct receiver *r)
{
    for (struct command *c; (c = queue_pop(r->commands)) != NULL; command_free(c)) {
        carry_out(r, c);
    }
}

/* ---- the thread ---- */

static void tick(struct receiver *r)
{
    struct mono next = {0};
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        for (unsigned k = 0; r->session[i] && k < r->session[i]->n_streams; k++) {
            struct rx_stream *st = r->session[i]->stream[k];
            touch(r, st->reasm);
            struct mono t = reasm_tick(st->reasm, r->now, &r->out);
            touch(r, st->reasm);
            publish(st);
            if (t.ns && (!next.ns || t.ns < next.ns)) {
                next = t;
            }
        }
    }
    r->tick = next;
    r->unknown_told = 0;
}

/* Receives what is there; true when there may be more. */
static bool receive(struct receiver *r)
{
    int n = PACKETS;
    for (unsigned round = 0; round < ROUNDS && n == PACKETS; round++) {
        n = udp_recv(&r->io, r->packet, PACKETS);
        r->now = mono_now();
        carry_out_all(r); /* what was commanded before these datagrams came goes first */
        for (int i = 0; i < n; i++) {
            packet(r, &r->packet[i]);
        }
        deliver(r);
    }
    atomic_store_explicit(&r->counters.socket_full, r->io.drops, memory_order_relaxed);
    return n == PACKETS;
}

static void flush(struct receiver *r)
{
    for (unsigned i = 0; i < r->conf.n_outputs; i++) {
        r->conf.outputs[i]->ops->flush(r->conf.outputs[i]);
    }
}

static void *run(void *arg)
{
    struct receiver *r = arg;
    struct pollfd p[2] = {{.fd = r->conf.fd, .events = POLLIN},
                          {.fd = r->wake.fd, .events = POLLIN}};
    bool more = false;
    while (!r->stopping) {
        int timeout = more ? 0 : r->tick.ns ? REASM_HOLD_MS : IDLE_MS;
        if (poll(p, 2, timeout) < 0 && errno != EINTR) {
            const char words[] = "cannot wait for datagrams";
            event(r, (struct receiver_event){.kind = RECEIVER_FAILED}, (const uint8_t *)words,
                  sizeof(words));
            break;
        }
        r->now = mono_now();
        if (p[1].revents) {
            wake_clear(&r->wake);
        }
        more = receive(r);
        if (!r->tick.ns || mono_due(r->now, r->tick)) {
            tick(r);
        }
        deliver(r);
        if (!more) {
            flush(r);
        }
    }
    for (uint32_t i = 0; i < RECEIVER_SESSIONS; i++) {
        if (r->session[i]) {
            close_session(r, i);
        }
    }
    return NULL;
}

/* ---- from the control thread ---- */

int receiver_start(const struct receiver_conf *conf, struct receiver **ret, struct error *err)
{
    struct receiver *r = calloc(1, sizeof(*r));
    if (!r) {
        return error_sys(err, ENOMEM, "cannot start receiving");
    }
    r->conf = *conf;
    r->wake.fd = -1;
    r->io = (struct udp_io){.fd = conf->fd};
    r->out = (struct reasm_out){&r->batch, deliver, r};
    r->buffers = malloc((size_t)PACKETS * UDP_BUFFER);
    r->commands = queue_new(COMMANDS);
    r->events = queue_new(EVENTS);
    int e = r->buffers && r->commands && r->events ? 0 : -ENOMEM;
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
    pthread_setname_np(r->thread, "receiver");
    *ret = r;
    return 0;
}

static int command(struct receiver *r, const struct command *from)
{
    struct command *c = malloc(sizeof(*c));
    if (c) {
        *c = *from;
    }
    if (!c || !queue_push(r->commands, c)) {
        aead_free(from->aead);
        int e = c ? -EAGAIN : -ENOMEM;
        free(c);
        return e;
    }
    wake_signal(&r->wake);
    return 0;
}

void receiver_free(struct receiver *r)
{
    if (!r) {
        return;
    }
    if (r->started) {
        while (command(r, &(struct command){.op = OP_STOP}) < 0) {
            poll(NULL, 0, 1); /* the thread is alive and empties its queue */
        }
        pthread_join(r->thread, NULL);
    }
    for (struct command *c; r->commands && (c = queue_pop(r->commands)) != NULL;) {
        command_free(c);
    }
    for (struct receiver_event *e; r->events && (e = queue_pop(r->events)) != NULL;) {
        free(e);
    }
    for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
        if (r->key[i]) {
            aead_free(r->key[i]->aead);
            free(r->key[i]);
        }
    }
    queue_free(r->commands);
    queue_free(r->events);
    wake_done(&r->wake);
    free(r->buffers);
    free(r);
}

struct receiver_event *receiver_event(struct receiver *r)
{
    return queue_pop(r->events);
}

static uint64_t get(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void receiver_figures(const struct receiver *r, struct receiver_figures *ret)
{
    *ret = (struct receiver_figures){
        .datagrams = get(&r->counters.datagrams),
        .bytes = get(&r->counters.bytes),
        .malformed = get(&r->counters.malformed),
        .unknown_session = get(&r->counters.unknown_session),
        .forged = get(&r->counters.forged),
        .replayed = get(&r->counters.replayed),
        .unexpected = get(&r->counters.unexpected),
        .control_full = get(&r->counters.control_full),
        .socket_full = get(&r->counters.socket_full),
    };
}

int receiver_key_add(struct receiver *r, uint32_t index, struct aead *aead)
{
    return command(r, &(struct command){.op = OP_KEY_ADD, .index = index, .aead = aead});
}

int receiver_key_drop(struct receiver *r, uint32_t index)
{
    return command(r, &(struct command){.op = OP_KEY_DROP, .index = index});
}

int receiver_bind(struct receiver *r, uint32_t index, uint32_t session)
{
    return command(r, &(struct command){.op = OP_BIND, .index = index, .session = session});
}

int receiver_stream_add(struct receiver *r, uint32_t session, uint16_t stream,
                        struct receiver_port *port, int device)
{
    return command(
        r,
        &(struct command){
            .op = OP_STREAM, .session = session, .stream = stream, .port = port, .device = device});
}

int receiver_sub_add(struct receiver *r, uint32_t session, uint16_t stream, uint16_t sub,
                     struct receiver_port *port, int device)
{
    return command(r, &(struct command){.op = OP_SUB,
                                        .session = session,
                                        .stream = stream,
                                        .sub = sub,
                                        .port = port,
                                        .device = device});
}

int receiver_report(struct receiver *r, uint32_t session, uint16_t stream, uint64_t frames,
                    bool final)
{
    return command(r, &(struct command){.op = OP_REPORT,
                                        .session = session,
                                        .stream = stream,
                                        .frames = frames,
                                        .final = final});
}

int receiver_close(struct receiver *r, uint32_t session)
{
    return command(r, &(struct command){.op = OP_CLOSE, .session = session});
}
