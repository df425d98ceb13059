/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "node/engine_capture.h"
#include "node/engine_list.h"
#include "node/serve_requests.h"

enum {
    TICK_MS = 50,     /* between two looks at captures, … */
    IDLE_MS = 500,    /* … and where there are none */
    SOON_MS = 2,      /* … and the shortest pause there is */
    TELL_MS = 1000,   /* between two reports of a capture that goes on */
    MEET_MS = 500,    /* between two tries to meet the control role */
    PORTS_MS = 30000, /* between two rounds of ports that are as they were */
    READ_MOST = 64,   /* messages at once */
    JUMP_MS = 50,     /* by which the wall clock was set, and not only slewed */
};

/* A capture with what was told of it. */
struct held {
    struct engine_capture *capture;
    bool wanted, leaving; /* in the set that is being told; nobody wants it any more */
    bool told_now;        /* a report is due */
    struct mono told;
    enum wanted_state told_state;
    uint64_t told_published;
};

struct engine {
    struct engine_conf conf;
    struct wake wake;
    struct loop_fd *wake_event, *event;
    struct loop_timer *timer;
    struct file_pool *pool;
    struct engine_ports *ports;
    struct engine_list *list;
    int counters; /* a socket of sys/linkcount.h */
    struct held held[WANTED_MAX];
    unsigned n;
    int fd; /* to the control role; -1: there is no session */
    bool greeted;
    uint64_t life; /* tells this process from those before and after it */
    struct mono meet;
    /* The set that is being told. */
    uint64_t generation;
    uint16_t set_n, set_at;
    bool set_applies;
    uint64_t applied;
    bool applied_told;
    uint32_t ports_told;  /* the round that was told last … */
    struct mono ports_at; /* … and when */
    struct time_pair clocks;
    bool stopping;
    struct rolemsg message; /* here because they are large */
    uint8_t bytes[WANTED_MESSAGE_MAX];
};

/* ---- the session ---- */

static void part(struct engine *e)
{
    loop_del_fd(e->conf.loop, TAKE_PTR(e->event));
    closep(&e->fd);
    e->fd = -1;
    e->greeted = false;
    e->set_n = e->set_at = 0;
    e->meet = mono_add_ms(mono_now(), MEET_MS);
}

/* False: not now. */
static bool send_message(struct engine *e, const struct rolemsg *m)
{
    const int n = rolemsg_put(e->bytes, sizeof(e->bytes), m);
    if (e->fd < 0 || n < 0) {
        return false;
    }
    if (send(e->fd, e->bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n) {
        return true;
    }
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
        part(e);
    }
    return false;
}

/* ---- what is wanted ---- */

static struct held *find(struct engine *e, const uint8_t id[WANTED_ID])
{
    for (unsigned i = 0; i < e->n; i++) {
        if (memcmp(engine_capture_wanted(e->held[i].capture)->id, id, WANTED_ID) == 0) {
            return &e->held[i];
        }
    }
    return NULL;
}

static void want(struct engine *e, const struct wanted *w)
{
    const struct engine_room room = {e->conf.broker, e->ports, e->pool, e->counters,
                                     e->conf.system};
    struct held *h = find(e, w->id);
    if (h && !h->leaving) {
        engine_capture_change(h->capture, w);
    } else if (!h && e->n < WANTED_MAX) {
        struct held made = {.told_now = true};
        if (engine_capture_new(&room, w, &made.capture) == 0) {
            h = &e->held[e->n++];
            *h = made;
        }
    }
    if (h) {
        h->wanted = true;
    }
}

/* The set is complete: what is not in it ends. */
static void apply(struct engine *e)
{
    for (unsigned i = 0; i < e->n; i++) {
        e->held[i].leaving = e->held[i].leaving || !e->held[i].wanted;
    }
    e->applied = e->generation;
    e->applied_told = false;
    e->set_n = e->set_at = 0;
}

/* -EBADMSG: parts of a set come in their order. */
static int take_want(struct engine *e, const struct rolemsg *m)
{
    if (m->generation < e->generation) {
        return 0; /* it came late */
    }
    if (m->place == 0) {
        for (unsigned i = 0; i < e->n; i++) {
            e->held[i].wanted = false;
        }
        e->generation = m->generation;
        e->set_n = m->n;
        e->set_at = 0;
    } else if (m->generation != e->generation || m->place != e->set_at || m->n != e->set_n) {
        return -EBADMSG;
    }
    if (m->n > 0) {
        want(e, &m->wanted);
        e->set_at++;
    }
    if (e->set_at == m->n) {
        apply(e);
    }
    return 0;
}

/* Flows are in the capture's own file when they have ended, and in none before. */
static void refuse_snapshot(struct engine *e, const uint8_t id[WANTED_ID])
{
    struct rolemsg m = {.type = ROLEMSG_SNAPPED, .code = EOPNOTSUPP};
    memcpy(m.id, id, sizeof(m.id));
    (void)send_message(e, &m);
}

static int take(struct engine *e, const struct rolemsg *m)
{
    if (m->type != ROLEMSG_HELLO && !e->greeted) {
        return -EBADMSG;
    }
    switch (m->type) {
    case ROLEMSG_HELLO:
        e->greeted = m->version == ROLEMSG_VERSION;
        return e->greeted ? 0 : -EBADMSG;
    case ROLEMSG_WANT:
        return take_want(e, m);
    case ROLEMSG_SNAPSHOT:
        refuse_snapshot(e, m->id);
        return 0;
    case ROLEMSG_APPLIED:
    case ROLEMSG_IS:
    case ROLEMSG_PORT:
    case ROLEMSG_PORTS:
    case ROLEMSG_SNAPPED:
        return -EBADMSG;
    }
    return -EBADMSG;
}

/* Takes what is there. */
static void read_messages(struct engine *e, int fd)
{
    for (unsigned i = 0; i < READ_MOST && e->fd == fd; i++) {
        const ssize_t n = recv(fd, e->bytes, sizeof(e->bytes), MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            part(e);
            return;
        }
        if ((size_t)n > sizeof(e->bytes) || rolemsg_get(e->bytes, (size_t)n, &e->message) < 0 ||
            take(e, &e->message) < 0) {
            teller_tell(e->conf.teller, "the control role sent a message that is none: the "
                                        "connection to it begins anew");
            part(e);
            return;
        }
    }
}

static void tick(struct engine *e);

/* A wish is looked at at once: its start may be now. */
static void on_message(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)events;
    read_messages(user, fd);
    tick(user);
}

static void meet(struct engine *e, struct mono now)
{
    int fd = -1;
    if (e->fd >= 0 || (e->meet.ns != 0 && !mono_due(now, e->meet))) {
        return;
    }
    e->meet = mono_add_ms(now, MEET_MS);
    if (e->conf.meet(e->conf.user, &fd) < 0) {
        return;
    }
    if (loop_add_fd(e->conf.loop, fd, EPOLLIN, on_message, e, &e->event) < 0) {
        close(fd);
        return;
    }
    e->fd = fd;
    e->applied_told = true;
    e->ports_told = 0;
    for (unsigned i = 0; i < e->n; i++) {
        e->held[i].told_now = true;
    }
    e->generation = 0;
    (void)send_message(
        e, &(struct rolemsg){.type = ROLEMSG_HELLO, .version = ROLEMSG_VERSION, .life = e->life});
}

/* ---- what is told ---- */

static void tell_applied(struct engine *e)
{
    if (!e->applied_told && e->greeted) {
        e->message = (struct rolemsg){.type = ROLEMSG_APPLIED, .generation = e->applied};
        e->applied_told = send_message(e, &e->message);
    }
}

static void tell_capture(struct engine *e, struct held *h, struct mono now)
{
    struct wanted_is is;
    engine_capture_is(h->capture, &is);
    const bool over = is.state >= WANTED_DONE;
    const bool due = mono_due(now, mono_add_ms(h->told, TELL_MS)) &&
                     (!over || is.published != h->told_published);
    if (!h->told_now && !due && is.state == h->told_state) {
        return;
    }
    e->message = (struct rolemsg){.type = ROLEMSG_IS, .is = is};
    if (send_message(e, &e->message)) {
        h->told = now;
        h->told_now = false;
        h->told_state = is.state;
        h->told_published = is.published;
    } else {
        h->told_now = true;
    }
}

static void tell_ports(struct engine *e, struct mono now)
{
    const uint32_t round = engine_list_round(e->list);
    const bool again = mono_due(now, mono_add_ms(e->ports_at, PORTS_MS));
    if (round == 0 || (round == e->ports_told && !again)) {
        return;
    }
    const unsigned n = engine_list_n(e->list);
    bool sent = true;
    for (unsigned i = 0; i < n && sent; i++) {
        e->message = (struct rolemsg){.type = ROLEMSG_PORT, .round = round};
        engine_list_at(e->list, i, &e->message.port);
        sent = send_message(e, &e->message);
    }
    if (sent &&
        send_message(e, &(struct rolemsg){.type = ROLEMSG_PORTS, .round = round, .ports = n})) {
        e->ports_told = round;
        e->ports_at = now;
    }
}

static void tell(struct engine *e, struct mono now)
{
    if (e->fd < 0 || !e->greeted) {
        return;
    }
    for (unsigned i = 0; i < e->n && e->fd >= 0; i++) {
        if (!e->held[i].leaving) {
            tell_capture(e, &e->held[i], now);
        }
    }
    tell_applied(e);
    tell_ports(e, now);
}

/* ---- captures ---- */

/* Ports that a capture wants, each once. */
static void want_ports(struct engine *e, struct mono now)
{
    const char *names[INTERFACES_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < e->n; i++) {
        const struct wanted *w = engine_capture_wanted(e->held[i].capture);
        for (unsigned k = 0; engine_capture_wants_ports(e->held[i].capture) && k < w->n_points;
             k++) {
            unsigned at = 0;
            while (at < n && strcmp(names[at], w->point[k]) != 0) {
                at++;
            }
            if (at == n && n < INTERFACES_MAX) {
                names[n++] = w->point[k];
            }
        }
    }
    engine_ports_want(e->ports, names, n, now);
}

static void free_left(struct engine *e)
{
    for (unsigned i = 0; i < e->n;) {
        struct held *h = &e->held[i];
        if (h->leaving && engine_capture_leave(h->capture)) {
            engine_capture_free(h->capture);
            *h = e->held[--e->n];
        } else {
            i++;
        }
    }
}

/* The wall clock was set: what runs keeps its length. */
static void look_at_clocks(struct engine *e)
{
    const struct time_pair now = time_pair();
    const int64_t jump = (now.wall.ns - e->clocks.wall.ns) - mono_diff(now.mono, e->clocks.mono);
    if (jump > JUMP_MS * NSEC_PER_MSEC || jump < -JUMP_MS * NSEC_PER_MSEC) {
        for (unsigned i = 0; i < e->n; i++) {
            engine_capture_shift(e->held[i].capture, jump);
        }
    }
    e->clocks = now;
}

/* The next tick: soon, or earlier where a capture begins, ends or has a row to write. */
static void set_timer(struct engine *e)
{
    const int64_t now = wall_now().ns;
    int64_t first = now + (e->n > 0 || e->fd < 0 ? TICK_MS : IDLE_MS) * NSEC_PER_MSEC;
    for (unsigned i = 0; i < e->n; i++) {
        first = MIN(first, engine_capture_due(e->held[i].capture));
    }
    loop_set_timer(e->conf.loop, e->timer,
                   (struct mono){mono_now().ns + MAX(first - now, SOON_MS * NSEC_PER_MSEC)}, 0);
}

static void tick(struct engine *e)
{
    const struct mono now = mono_now();
    look_at_clocks(e);
    meet(e, now);
    (void)broker_answers(e->conf.broker);
    engine_ports_tick(e->ports, now);
    engine_list_tick(e->list);
    for (unsigned i = 0; i < e->n; i++) {
        if (!e->held[i].leaving) {
            engine_capture_tick(e->held[i].capture, wall_now().ns, now);
        }
    }
    free_left(e);
    want_ports(e, now);
    tell(e, now);
    set_timer(e);
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    tick(user);
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    struct engine *e = user;
    (void)l;
    (void)fd;
    (void)events;
    wake_clear(&e->wake);
    tick(e);
}

/* ---- its life ---- */

static int begin(struct engine *e, struct error *err)
{
    struct loop *l = e->conf.loop;
    const struct engine_ports_conf pc = {l, e->conf.broker, e->conf.teller, &e->wake,
                                         e->conf.select};
    const struct engine_list_conf lc = {l, e->conf.broker, e->conf.select};
    int r = wake_init(&e->wake);
    r = r < 0 ? r : loop_add_fd(l, e->wake.fd, EPOLLIN, on_wake, e, &e->wake_event);
    r = r < 0 ? r : file_pool_new(&e->pool);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    r = engine_ports_new(&pc, &e->ports, err);
    r = r < 0 ? r : engine_list_new(&lc, &e->list, err);
    r = r < 0 ? r : serve_request_counters(e->conf.broker, &e->counters, err);
    if (r < 0) {
        return r;
    }
    r = loop_add_timer(l, mono_now(), 0, on_timer, e, &e->timer);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

int engine_new(const struct engine_conf *conf, struct engine **ret, struct error *err)
{
    struct engine *e = calloc(1, sizeof(*e));
    if (!e) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    e->conf = *conf;
    e->fd = e->counters = -1;
    e->wake.fd = -1;
    e->applied_told = true;
    e->clocks = time_pair();
    e->life = (uint64_t)e->clocks.wall.ns;
    const int r = begin(e, err);
    if (r < 0) {
        engine_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

void engine_stop(struct engine *e)
{
    e->stopping = true;
    for (unsigned i = 0; i < e->n; i++) {
        e->held[i].leaving = true;
    }
}

bool engine_is_stopped(const struct engine *e)
{
    return e->stopping && e->n == 0;
}

void engine_free(struct engine *e)
{
    if (!e) {
        return;
    }
    if (e->fd >= 0) {
        part(e);
    }
    loop_del_timer(e->conf.loop, e->timer);
    engine_list_free(e->list);
    engine_ports_free(e->ports); /* the threads end: no sink is in use any more */
    for (unsigned i = 0; i < e->n; i++) {
        engine_capture_free(e->held[i].capture);
    }
    file_pool_free(e->pool);
    closep(&e->counters);
    loop_del_fd(e->conf.loop, e->wake_event);
    wake_done(&e->wake);
    free(e);
}
