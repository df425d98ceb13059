/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread takes one step after the other: a message, if there is one that may go, else it sleeps
 * in ppoll() on the outbox and the socket until something can have changed.
 */
#include "data/meter/sender.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/thread.h"
#include "sys/peer.h"
#include "sys/tcp.h"

enum {
    SETTLE_MS = 100,        /* in which an ICMP message is waited for, … */
    LAST_SETTLE_MS = 20,    /* … and when nothing more comes */
    CONNECT_MS = 5000,      /* for which a connection may be under way … */
    LAST_CONNECT_MS = 2000, /* … and when nothing more comes */
    COME_BACK_MS = 5000, /* in which a connection that broke may be replaced, before messages go */
    REFUSED_MS = 5000,   /* after which a collector that refuses datagrams may be elsewhere */
    CREDIT_MS = 10,      /* of the rate at once, after the thread was held up */
    GATHER_MS = 4,       /* of it between two sleeps */
    REFUSALS = 8,        /* in a row, for one datagram */
    FIRST_MAX = OUTBOX_MESSAGE,
};

enum state {
    AWAY,       /* TCP without a connection */
    CONNECTING, /* TCP: under way */
    READY,
};

struct sender {
    struct sender_conf conf;
    pthread_t thread;
    /* Of the thread. */
    enum state state;
    int fd;
    struct mono connected_at; /* when the connection was begun */
    struct mono lost_at;      /* when one broke that was there; never: there was none */
    bool blocked;             /* the socket takes nothing now */
    size_t done;              /* bytes of the message that have gone, TCP */
    bool was_away;            /* messages have left that nobody got */
    uint8_t first[FIRST_MAX]; /* the message before the first, with its time and sequence, … */
    size_t first_left;        /* … and the bytes of it that have not gone, at its end, … */
    bool first_due, first_made;
    struct outmsg last;  /* the datagram that is not counted yet, without its bytes; … */
    bool unsettled;      /* … there is one, … */
    struct mono sent_at; /* … sent then */
    struct mono refused; /* since when all have been, as far as is known; {0}: not so */
    int64_t due_ns;      /* when the next may go */
    /* Of several. */
    _Atomic uint64_t messages, octets, records, away_records, away_packets, away_bytes;
    _Atomic bool wants, reconnected, finishing, closed;
    _Atomic int given; /* a socket, -1: none */
    _Atomic int64_t until_ns;
};

static void bump(_Atomic uint64_t *n, uint64_t v)
{
    atomic_store_explicit(n, ledger_plus(atomic_load_explicit(n, memory_order_relaxed), v),
                          memory_order_release);
}

static void count_away(struct sender *s, const struct outmsg *m)
{
    bump(&s->away_records, m->records);
    bump(&s->away_packets, m->packets);
    bump(&s->away_bytes, m->bytes);
    ledger_add(s->conf.ledger, LEDGER_EXPORT_AWAY, m->records);
}

static void count_sent(struct sender *s, const struct outmsg *m)
{
    bump(&s->messages, 1);
    bump(&s->octets, m->len);
    bump(&s->records, m->records);
    ledger_add(s->conf.ledger, LEDGER_EXPORT_OUT, m->records);
}

static bool is_finishing(const struct sender *s)
{
    return atomic_load(&s->finishing);
}

/* ---- datagrams ---- */

/* After a while of nothing else, the name of a collector is to be looked up. */
static void note_refusal(struct sender *s)
{
    const struct mono now = mono_now();
    s->refused = s->refused.ns ? s->refused : now;
    if (s->conf.named && mono_due(now, mono_add_ms(s->refused, REFUSED_MS))) {
        s->refused = now;
        atomic_store(&s->wants, true);
    }
}

static void settle(struct sender *s, bool refused)
{
    if (s->unsettled) {
        s->unsettled = false;
        if (refused) {
            count_away(s, &s->last);
            note_refusal(s);
        } else {
            count_sent(s, &s->last);
            s->refused = (struct mono){0};
        }
    }
}

/* When the last datagram counts as sent. */
static struct mono settled_at(const struct sender *s)
{
    return mono_add_ms(s->sent_at, is_finishing(s) ? LAST_SETTLE_MS : SETTLE_MS);
}

/* Whether the last datagram has been refused, as far as that is known now. */
static void look_for_answer(struct sender *s, struct mono now)
{
    if (s->conf.tcp || !s->unsettled) {
        return;
    }
    const int r = peer_answer(s->fd);
    if (r < 0 || mono_due(now, settled_at(s))) {
        settle(s, r < 0);
    }
}

/* False: there is no room. */
static bool send_datagram(struct sender *s, const struct outmsg *m, struct mono now)
{
    int r = -ECONNREFUSED;
    for (unsigned i = 0; i < REFUSALS && r == -ECONNREFUSED; i++) {
        r = peer_send(s->fd, m->data, m->len);
        if (r == -ECONNREFUSED) {
            settle(s, true);
        }
    }
    if (r == -EAGAIN) {
        s->blocked = true;
        return false;
    }
    settle(s, false);
    if (r < 0) {
        count_away(s, m);
    } else {
        s->last.len = m->len;
        s->last.records = m->records;
        s->last.packets = m->packets;
        s->last.bytes = m->bytes;
        s->unsettled = true;
        s->sent_at = now;
    }
    return true;
}

/* ---- a connection ---- */

static void broken(struct sender *s)
{
    const struct outmsg *m = outbox_first(s->conf.box);
    if (s->done > 0 && m) {
        count_away(s, m);
        outbox_drop(s->conf.box);
    }
    if (s->state == READY) {
        s->lost_at = mono_now();
    }
    s->done = 0;
    s->blocked = false;
    s->state = AWAY;
    s->was_away = true;
    closep(&s->fd);
    atomic_store(&s->wants, true);
}

/* Datagrams go to where the name leads now, if that is another address. */
static void move(struct sender *s, int fd)
{
    if (peer_same(s->fd, fd)) {
        (void)close(fd);
        return;
    }
    settle(s, false);
    closep(&s->fd);
    s->fd = fd;
    s->blocked = false;
    s->refused = (struct mono){0};
    atomic_store(&s->reconnected, true);
}

static void take_given(struct sender *s, struct mono now)
{
    const int fd = atomic_exchange(&s->given, -1);
    if (fd < 0) {
        return;
    }
    if (!s->conf.tcp) {
        move(s, fd);
        return;
    }
    if (s->state != AWAY) {
        (void)close(fd); /* nobody has asked for it */
        return;
    }
    s->fd = fd;
    s->state = CONNECTING;
    s->connected_at = now;
}

static void connected(struct sender *s)
{
    s->state = READY;
    s->first_due = s->conf.first != NULL;
    s->first_made = false;
    s->first_left = 0;
    atomic_store(&s->reconnected, s->was_away);
}

/* The message that goes before `m` has its sequence and time. */
static void make_first(struct sender *s, const struct outmsg *m)
{
    memcpy(s->first, s->conf.first, s->conf.first_len);
    memcpy(s->first + 4, m->data + 4, 8);
    s->first_left = s->conf.first_len;
    s->first_made = true;
}

/* Gives bytes; those that went are off *left. False: not all of them did. */
static bool give(struct sender *s, const uint8_t *end, size_t *left)
{
    size_t taken = 0;
    if (tcp_send(s->fd, end - *left, *left, &taken) < 0) {
        broken(s);
        return false;
    }
    *left -= taken;
    s->blocked = *left > 0;
    return *left == 0;
}

/* False: not all of it has gone. */
static bool send_bytes(struct sender *s, const struct outmsg *m)
{
    if (s->first_due && m->flows) {
        if (!s->first_made) {
            make_first(s, m);
        }
        if (!give(s, s->first + s->conf.first_len, &s->first_left)) {
            return false;
        }
        s->first_due = false;
    }
    size_t left = m->len - s->done;
    const bool all = give(s, m->data + m->len, &left);
    if (s->state == READY) {
        s->done = all ? 0 : m->len - left;
    }
    if (all) {
        count_sent(s, m);
    }
    return all;
}

/* ---- the thread ---- */

/* How long a connection may be under way. */
static struct mono patience(const struct sender *s)
{
    const struct mono usual = mono_add_ms(s->connected_at, CONNECT_MS);
    const struct mono at_end = mono_add_ms(s->connected_at, LAST_CONNECT_MS);
    return is_finishing(s) ? at_end : usual;
}

static bool may_send(const struct sender *s, struct mono now)
{
    return s->state == READY && !s->blocked && (s->conf.rate == 0 || s->due_ns <= now.ns);
}

static void charge(struct sender *s, uint32_t records, struct mono now)
{
    if (s->conf.rate > 0) {
        s->due_ns = MAX(s->due_ns, now.ns - CREDIT_MS * NSEC_PER_MSEC) +
                    records * NSEC_PER_SEC / s->conf.rate;
    }
}

/* The socket's part of the sleep. */
static void on_socket(struct sender *s, short revents, struct mono now)
{
    if (revents & POLLOUT) {
        s->blocked = false;
    }
    if (!s->conf.tcp && (revents & POLLERR) && peer_answer(s->fd) < 0) {
        settle(s, true);
    }
    if (s->state == CONNECTING && revents != 0) {
        if (peer_answer(s->fd) == 0 && (revents & POLLOUT)) {
            connected(s);
        } else {
            broken(s);
        }
    } else if (s->state == CONNECTING && mono_due(now, patience(s))) {
        broken(s);
    } else if (s->state == READY && s->conf.tcp && revents != 0 && tcp_is_over(s->fd)) {
        broken(s);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || b < a ? b : a;
}

/* It is worth waiting for another connection. */
static bool may_come_back(const struct sender *s, struct mono now)
{
    return s->conf.waits && s->lost_at.ns && !mono_due(now, mono_add_ms(s->lost_at, COME_BACK_MS));
}

/* When the thread has to look again at the latest; 0: it need not. */
static int64_t wake_at(const struct sender *s, bool waiting)
{
    int64_t at = is_finishing(s) ? atomic_load(&s->until_ns) : 0;
    if (s->unsettled) {
        at = earlier(at, settled_at(s).ns);
    }
    if (s->state == CONNECTING) {
        at = earlier(at, patience(s).ns);
    }
    if (s->state == AWAY && may_come_back(s, mono_now())) {
        at = earlier(at, mono_add_ms(s->lost_at, COME_BACK_MS).ns);
    }
    if (waiting && s->state == READY && !s->blocked) {
        at = earlier(at, s->due_ns + GATHER_MS * NSEC_PER_MSEC);
    }
    return at;
}

/* `waiting`: there is a message, which may not go yet. */
static void sleep_on(struct sender *s, bool waiting)
{
    struct outbox *box = s->conf.box;
    const bool out = s->blocked || s->state == CONNECTING;
    const bool keeps = s->state == AWAY && may_come_back(s, mono_now());
    const enum outbox_wish wish = keeps              ? OUTBOX_NOTHING
                                  : s->state == AWAY ? OUTBOX_BEHIND
                                  : waiting          ? OUTBOX_NOTHING
                                                     : OUTBOX_MESSAGE_THERE;
    struct pollfd p[2] = {
        {.fd = outbox_fd(box), .events = POLLIN},
        {.fd = s->fd, .events = (short)((s->conf.tcp ? POLLIN : 0) | (out ? POLLOUT : 0))}};
    if (outbox_sleep(box, wish)) {
        const int64_t at = wake_at(s, waiting);
        const int64_t left = MAX(at - mono_now().ns, INT64_C(0));
        const struct timespec ts = {left / NSEC_PER_SEC, left % NSEC_PER_SEC};
        if (ppoll(p, 2, at ? &ts : NULL, NULL) < 0) {
            p[1].revents = 0;
        }
    }
    outbox_awake(box);
    on_socket(s, s->fd >= 0 ? p[1].revents : 0, mono_now());
}

/* Messages of the outbox that nobody takes. */
static void shed(struct sender *s, bool all)
{
    const struct outmsg *m;
    while ((m = outbox_first(s->conf.box)) && (all || outbox_behind(s->conf.box))) {
        count_away(s, m);
        outbox_drop(s->conf.box);
    }
}

static bool is_over(const struct sender *s, struct mono now)
{
    if (!is_finishing(s)) {
        return false;
    }
    return s->state == AWAY || mono_due(now, (struct mono){atomic_load(&s->until_ns)}) ||
           (atomic_load(&s->closed) && outbox_empty(s->conf.box) && !s->unsettled);
}

static void step(struct sender *s, struct mono now)
{
    const struct outmsg *m = outbox_first(s->conf.box);
    if (m && may_send(s, now)) {
        const uint32_t records = m->records;
        if (s->conf.tcp ? send_bytes(s, m) : send_datagram(s, m, now)) {
            outbox_drop(s->conf.box);
            charge(s, records, now);
        }
        return;
    }
    sleep_on(s, m != NULL);
}

static void *run(void *arg)
{
    struct sender *s = arg;
    for (struct mono now = mono_now();; now = mono_now()) {
        take_given(s, now);
        look_for_answer(s, now);
        if (s->state == AWAY && !may_come_back(s, now)) {
            shed(s, false);
        }
        if (is_over(s, now)) { /* asked last: what is above may have made it so */
            break;
        }
        step(s, now);
    }
    settle(s, false);
    if (s->state == AWAY) {
        shed(s, true);
    }
    outbox_call_off(s->conf.box, true);
    return NULL;
}

/* ---- its life ---- */

int sender_start(const struct sender_conf *conf, struct sender **ret)
{
    struct sender *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->conf = *conf;
    s->fd = conf->fd;
    s->state = !conf->tcp ? READY : conf->fd >= 0 ? CONNECTING : AWAY;
    s->was_away = s->state == AWAY;
    s->connected_at = mono_now();
    atomic_store(&s->given, -1);
    atomic_store(&s->wants, s->state == AWAY);
    const int r = conf->first_len > FIRST_MAX ? -EINVAL : thread_start_masked(run, s, &s->thread);
    if (r < 0) {
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void sender_figures(const struct sender *s, struct sender_figures *ret)
{
    *ret = (struct sender_figures){
        .messages = atomic_load(&s->messages),
        .octets = atomic_load(&s->octets),
        .records = atomic_load(&s->records),
        .away_records = atomic_load(&s->away_records),
        .away_packets = atomic_load(&s->away_packets),
        .away_bytes = atomic_load(&s->away_bytes),
    };
}

bool sender_wants(const struct sender *s)
{
    return atomic_load(&s->wants);
}

void sender_give(struct sender *s, int fd)
{
    atomic_store(&s->wants, false);
    int old = atomic_exchange(&s->given, fd);
    closep(&old);
    outbox_wake(s->conf.box);
}

bool sender_reconnected(struct sender *s)
{
    return atomic_exchange(&s->reconnected, false);
}

void sender_hasten(struct sender *s, struct mono until)
{
    atomic_store(&s->until_ns, until.ns);
    atomic_store(&s->finishing, true);
    outbox_wake(s->conf.box);
}

void sender_free(struct sender *s)
{
    if (!s) {
        return;
    }
    if (!is_finishing(s)) {
        sender_hasten(s, mono_now());
    }
    atomic_store(&s->closed, true);
    outbox_wake(s->conf.box);
    (void)pthread_join(s->thread, NULL);
    int given = atomic_load(&s->given);
    closep(&given);
    closep(&s->fd);
    free(s);
}
