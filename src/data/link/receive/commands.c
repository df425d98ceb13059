/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver's commands: what the control thread asks for, and how the data thread carries it
 * out.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "data/link/receive/impl.h"
#include "sys/crypto/kdf.h"

enum {
    COMMAND_WAIT_MS = 100,
};

enum op {
    OP_COOKIES,
    OP_EXPECT,
    OP_KEY_ADD,
    OP_KEY_DROP,
    OP_BIND,
    OP_STREAM,
    OP_SUB,
    OP_REPORT,
    OP_END,
    OP_CLOSE,
    OP_STOP
};

struct command {
    enum op op;
    bool keep;
    uint16_t stream, sub;
    uint32_t index, session;
    struct aead *aead;
    struct point *point;
    int device;
    struct receiver_report report;
    struct udp_addr from;
    union {
        struct cookie_jar cookies;
        uint8_t tag[CPACE_TAG_LEN];
    };
};

/* ---- in the data thread ---- */

static struct rx_session *session_of(struct receiver *r, uint32_t id)
{
    return id < RECEIVER_SESSIONS ? r->session[id] : NULL;
}

/* NULL where the slot is in use: the control thread chooses free ones. */
static struct rx_key *key_make(struct receiver *r, const struct command *c)
{
    struct rx_key **at = &r->key[c->index % RECEIVER_SLOTS];
    if (*at) {
        return NULL;
    }
    struct rx_key *k = *at = calloc(1, sizeof(**at));
    if (k) {
        k->index = c->index;
        k->from = c->from;
        bucket_init(&k->control, RECEIVER_CONTROLS_NEW, r->now);
        bucket_init(&k->hello, ADMISSION_KEY_BURST, r->now);
    }
    return k;
}

static void expect(struct receiver *r, const struct command *c)
{
    struct rx_key *k = key_make(r, c);
    if (k) {
        memcpy(k->tag, c->tag, sizeof(k->tag));
        k->expects = true;
    }
}

static void key_add(struct receiver *r, struct command *c)
{
    struct rx_key *k = r->key[c->index % RECEIVER_SLOTS];
    k = k && k->index == c->index && !k->aead ? k : key_make(r, c);
    if (k) {
        k->aead = TAKE_PTR(c->aead);
    }
}

static void key_drop(struct receiver *r, uint32_t index)
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
    struct point **points = s ? calloc(POINT_OF_PEER, sizeof(*points)) : NULL;
    if (!points) {
        free(s);
        return NULL;
    }
    s->point = points;
    bucket_init(&s->control, RECEIVER_CONTROLS, r->now);
    s->room = (struct reasm_room){.max = RECEIVER_ROOM, .all = &r->room};
    return s;
}

static void bind_key(struct receiver *r, const struct command *c)
{
    struct rx_key *k = r->key[c->index % RECEIVER_SLOTS];
    if (!k || k->index != c->index || k->session || c->session >= RECEIVER_SESSIONS) {
        return;
    }
    struct rx_session **s = &r->session[c->session];
    if (!*s) {
        *s = session_new(r);
    }
    k->session = *s;
    if (*s) {
        k->next = (*s)->keys;
        (*s)->keys = k;
    }
}

static bool point_known(const struct rx_session *s, const struct point *point)
{
    for (unsigned i = 0; i < s->n_points; i++) {
        if (s->point[i] == point) {
            return true;
        }
    }
    return false;
}

static void add_point(struct receiver *r, struct rx_session *s, const struct command *c)
{
    struct point *p = c->point;
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
        .device = c->device,
    };
    s->point[s->n_points++] = p;
    (void)sink->ops->point_add(sink, &offer, NULL);
    atomic_store_explicit(&p->in_outputs, true, memory_order_release);
}

static void stream_add(struct receiver *r, const struct command *c)
{
    struct rx_session *s = session_of(r, c->session);
    if (!s || s->n_streams == POINT_STREAMS || receiver_find_stream(s, c->stream)) {
        return;
    }
    struct rx_stream *st = calloc(1, sizeof(*st));
    if (!st) {
        return;
    }
    st->id = c->stream;
    st->point = c->point;
    st->reasm = reasm_new(c->point->index, &c->point->ledger, &s->room, r->now);
    if (!st->reasm) {
        free(st);
        return;
    }
    s->stream[s->n_streams++] = st;
    receiver_publish(st);
    add_point(r, s, c);
}

static void sub_add(struct receiver *r, const struct command *c)
{
    struct rx_session *s = session_of(r, c->session);
    struct rx_stream *st = receiver_find_stream(s, c->stream);
    if (st) {
        add_point(r, s, c);
        reasm_set_point(st->reasm, c->sub, c->point->index);
    }
}

static void report(struct receiver *r, const struct command *c)
{
    struct rx_stream *st = receiver_find_stream(session_of(r, c->session), c->stream);
    if (st) {
        receiver_touch(r, st->reasm);
        reasm_report(st->reasm, c->report.frames, c->report.datagrams, r->now);
        if (c->report.implausible) {
            reasm_implausible(st->reasm);
        }
        if (c->report.final) {
            reasm_finish(st->reasm, &r->out);
        }
        receiver_touch(r, st->reasm);
        receiver_publish(st);
        receiver_wait(r, st);
    }
}

static void remove_point(struct receiver *r, const struct point *point)
{
    struct sink *sink = r->pipeline.sink;
    struct ledger all = {0};
    ledger_publish(&all, &point->reported);
    for (unsigned i = LEDGER_RX_IN; i <= LEDGER_RX_IMPLAUSIBLE; i++) {
        ledger_set(&all, (enum ledger_id)i, ledger_get(&point->ledger, (enum ledger_id)i));
    }
    sink->ops->point_stats(sink, point->index, &all);
    sink->ops->point_remove(sink, point->index);
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

static void stream_end(struct receiver *r, const struct command *c)
{
    struct rx_session *s = session_of(r, c->session);
    struct rx_stream *st = receiver_find_stream(s, c->stream);
    if (st) {
        receiver_touch(r, st->reasm);
        reasm_finish(st->reasm, &r->out);
        receiver_touch(r, st->reasm);
        receiver_publish(st);
        receiver_wait(r, st); /* for nothing any more */
        receiver_deliver(r);
        if (!c->keep) {
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
    const struct receiver_event e = {
        .kind = RECEIVER_ENDED, .session = c->session, .index = c->stream};
    receiver_tell(r, e, NULL, 0);
}

void receiver_close_books(struct receiver *r, uint32_t id)
{
    struct rx_session *s = session_of(r, id);
    if (s) {
        for (unsigned i = 0; i < s->n_streams; i++) {
            receiver_touch(r, s->stream[i]->reasm);
            reasm_finish(s->stream[i]->reasm, &r->out);
            receiver_publish(s->stream[i]);
            receiver_wait(r, s->stream[i]); /* for nothing any more */
        }
        receiver_deliver(r);
        for (unsigned i = 0; i < s->n_streams; i++) {
            reasm_free(s->stream[i]->reasm);
            free(s->stream[i]);
        }
        for (unsigned i = 0; i < s->n_points; i++) {
            remove_point(r, s->point[i]);
        }
        while (s->keys) {
            key_drop(r, s->keys->index);
        }
        free(s->point);
        free(s);
        r->session[id] = NULL;
    }
    receiver_tell(r, (struct receiver_event){.kind = RECEIVER_CLOSED, .session = id}, NULL, 0);
}

static void carry_out(struct receiver *r, struct command *c)
{
    switch (c->op) {
    case OP_COOKIES:
        r->cookies = c->cookies;
        break;
    case OP_EXPECT:
        expect(r, c);
        break;
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
    case OP_END:
        stream_end(r, c);
        break;
    case OP_CLOSE:
        receiver_close_books(r, c->session);
        break;
    case OP_STOP:
        r->stopping = true;
        break;
    }
}

static void command_free(struct command *c)
{
    aead_free(c->aead);
    secure_wipe(c, sizeof(*c));
    free(c);
}

void receiver_carry_out(struct receiver *r)
{
    for (struct command *c; (c = queue_pop(r->commands)) != NULL; command_free(c)) {
        carry_out(r, c);
    }
}

void receiver_drop_commands(struct receiver *r)
{
    for (struct command *c; r->commands && (c = queue_pop(r->commands)) != NULL;) {
        command_free(c);
    }
}

/* ---- from the control thread ---- */

static int command(struct receiver *r, const struct command *from)
{
    struct command *c = malloc(sizeof(*c));
    if (c) {
        *c = *from;
    }
    bool pushed = c && queue_push(r->commands, c);
    for (unsigned i = 0; c && !pushed && i < COMMAND_WAIT_MS; i++) {
        poll(NULL, 0,
             1); /* the thread never waits for long: no command is lost but to a dead one */
        pushed = queue_push(r->commands, c);
    }
    if (!pushed) {
        aead_free(from->aead);
        int e = c ? -EAGAIN : -ENOMEM;
        free(c);
        return e;
    }
    wake_signal(&r->wake);
    return 0;
}

int receiver_stop(struct receiver *r)
{
    return command(r, &(struct command){.op = OP_STOP});
}

int receiver_cookies(struct receiver *r, const struct cookie_jar *jar)
{
    struct command c = {.op = OP_COOKIES, .cookies = *jar};
    int e = command(r, &c);
    secure_wipe(&c, sizeof(c));
    return e;
}

int receiver_expect(struct receiver *r, uint32_t index, const struct udp_addr *from,
                    const uint8_t tag[CPACE_TAG_LEN])
{
    struct command c = {.op = OP_EXPECT, .index = index, .from = *from};
    memcpy(c.tag, tag, sizeof(c.tag));
    int e = command(r, &c);
    secure_wipe(&c, sizeof(c));
    return e;
}

int receiver_key_add(struct receiver *r, uint32_t index, const struct udp_addr *from,
                     struct aead *aead)
{
    return command(
        r, &(struct command){.op = OP_KEY_ADD, .index = index, .from = *from, .aead = aead});
}

int receiver_key_drop(struct receiver *r, uint32_t index)
{
    return command(r, &(struct command){.op = OP_KEY_DROP, .index = index});
}

int receiver_bind(struct receiver *r, uint32_t index, uint32_t session)
{
    return command(r, &(struct command){.op = OP_BIND, .index = index, .session = session});
}

int receiver_stream_add(struct receiver *r, uint32_t session, uint16_t stream, struct point *point,
                        int device)
{
    return command(r, &(struct command){.op = OP_STREAM,
                                        .session = session,
                                        .stream = stream,
                                        .point = point,
                                        .device = device});
}

int receiver_sub_add(struct receiver *r, uint32_t session, uint16_t stream, uint16_t sub,
                     struct point *point, int device)
{
    return command(r, &(struct command){.op = OP_SUB,
                                        .session = session,
                                        .stream = stream,
                                        .sub = sub,
                                        .point = point,
                                        .device = device});
}

int receiver_report(struct receiver *r, uint32_t session, uint16_t stream,
                    const struct receiver_report *report)
{
    return command(r,
                   &(struct command){
                       .op = OP_REPORT, .session = session, .stream = stream, .report = *report});
}

int receiver_stream_end(struct receiver *r, uint32_t session, uint16_t stream, bool keep)
{
    return command(
        r, &(struct command){.op = OP_END, .session = session, .stream = stream, .keep = keep});
}

int receiver_close(struct receiver *r, uint32_t session)
{
    return command(r, &(struct command){.op = OP_CLOSE, .session = session});
}
