/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/text.h"
#include "node/engine_capture.h"
#include "node/engine_link.h"
#include "node/engine_list.h"
#include "node/engine_taps.h"
#include "node/serve_requests.h"

enum {
    IDLE_MS = 500,         /* between two looks where no capture wants one earlier, … */
    SOON_MS = 2,           /* … and the shortest pause there is */
    TELL_MS = 1000,        /* between two reports of a capture that goes on */
    PORTS_MS = 30000,      /* between two rounds of ports that are as they were */
    JUMP_MS = 50,          /* by which the wall clock was set, and not only slewed */
    HELD = 2 * WANTED_MAX, /* those that are wanted, and those that are on their way out */
};

/* A capture with what was told of it. */
struct held {
    struct engine_capture *capture;
    bool wanted, leaving; /* in the set that is being told; nobody wants it any more */
    bool told_now;        /* a report is due */
    struct mono told;
    enum wanted_state told_state;
    uint64_t told_published;
    bool snaps; /* its flows of this moment were asked for */
};

struct engine {
    struct engine_conf conf;
    struct wake wake;
    struct loop_fd *wake_event, *broker_event;
    struct loop_timer *timer;
    struct file_pool *pool;
    struct engine_ports *ports;
    struct engine_list *list;
    struct engine_link *link;
    struct engine_taps *taps;
    int counters; /* a socket of sys/linkcount.h */
    struct held held[HELD];
    unsigned n;
    /* The set that is being told. */
    uint64_t generation;
    uint16_t set_n, set_at;
    uint64_t applied;
    bool applied_told;
    uint32_t ports_round; /* the round of ports that is being told, … */
    unsigned ports_next;  /* … up to which it was; */
    uint32_t ports_told;  /* the one that was told last … */
    struct mono ports_at; /* … and when */
    struct time_pair clocks;
    bool stopping;
    struct rolemsg message; /* that is sent; here because it is large */
};

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

static int begin_capture(struct engine *e, const struct wanted *w)
{
    const struct engine_room room = {.broker = e->conf.broker,
                                     .ports = e->ports,
                                     .pool = e->pool,
                                     .wake = &e->wake,
                                     .counters = e->counters,
                                     .system = e->conf.system};
    struct held made = {.wanted = true, .told_now = true};
    if (e->n == HELD) {
        return -ENOSPC;
    }
    const int r = engine_capture_new(&room, w, &made.capture);
    if (r == 0) {
        e->held[e->n++] = made;
    }
    return r;
}

/* -EBUSY: that capture is on its way out, and can be wanted again when it is. */
static int want(struct engine *e, const struct wanted *w)
{
    struct held *h = find(e, w->id);
    if (e->stopping) {
        return 0;
    }
    if (!h) {
        return begin_capture(e, w);
    }
    if (h->leaving) {
        return -EBUSY;
    }
    engine_capture_change(h->capture, w);
    h->wanted = true;
    return 0;
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

/* -EBADMSG: parts of a set come in their order. Those that are wanted begin as they come. */
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
        const int r = want(e, &m->wanted);
        if (r < 0) {
            return r; /* the session begins anew, and all is told again */
        }
        e->set_at++;
    }
    if (e->set_at == m->n) {
        apply(e);
    }
    return 0;
}

/* ---- the flows of a moment ---- */

static bool tell_snapped(struct engine *e, const uint8_t id[WANTED_ID], int code)
{
    e->message = (struct rolemsg){.type = ROLEMSG_SNAPPED, .code = (uint32_t)code};
    memcpy(e->message.id, id, sizeof(e->message.id));
    return engine_link_send(e->link, &e->message);
}

/* One answer is for all who have asked until then. A refusal that finds no room is lost, as the
 * question might be. */
static void take_snapshot(struct engine *e, const uint8_t id[WANTED_ID])
{
    struct held *h = find(e, id);
    const int r = h && !h->leaving ? engine_capture_snap(h->capture) : -ENOENT;
    if (r == 0 || r == -EBUSY) {
        h->snaps = true;
    } else {
        (void)tell_snapped(e, id, -r);
    }
}

static void tell_snaps(struct engine *e)
{
    for (unsigned i = 0; i < e->n; i++) {
        struct held *h = &e->held[i];
        const int r = h->snaps ? engine_capture_snapped(h->capture) : -EAGAIN;
        if (r != -EAGAIN && tell_snapped(e, engine_capture_wanted(h->capture)->id, -r)) {
            h->snaps = false;
        }
    }
}

/* ---- the session ---- */

static int take(void *user, const struct rolemsg *m)
{
    struct engine *e = user;
    switch (m->type) {
    case ROLEMSG_WANT:
        return take_want(e, m);
    case ROLEMSG_SNAPSHOT:
        take_snapshot(e, m->id);
        return 0;
    case ROLEMSG_TAP:
    case ROLEMSG_UNTAP:
    case ROLEMSG_TAPS:
        return engine_taps_take(e->taps, m);
    case ROLEMSG_HELLO:
    case ROLEMSG_APPLIED:
    case ROLEMSG_IS:
    case ROLEMSG_PORT:
    case ROLEMSG_PORTS:
    case ROLEMSG_SNAPPED:
    case ROLEMSG_TAPPED:
    case ROLEMSG_TAP_IS:
        break;
    }
    return -EBADMSG;
}

/* The other side knows nothing. */
static void begun(void *user)
{
    struct engine *e = user;
    e->applied_told = true;
    e->ports_told = e->ports_round = 0;
    e->generation = 0;
    e->set_n = e->set_at = 0;
    engine_taps_begun(e->taps);
    for (unsigned i = 0; i < e->n; i++) {
        e->held[i].told_now = true;
        e->held[i].snaps = false;
    }
}

static void tell_applied(struct engine *e)
{
    if (!e->applied_told) {
        e->message = (struct rolemsg){.type = ROLEMSG_APPLIED, .generation = e->applied};
        e->applied_told = engine_link_send(e->link, &e->message);
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
    h->told_now = !engine_link_send(e->link, &e->message);
    if (!h->told_now) {
        h->told = now;
        h->told_state = is.state;
        h->told_published = is.published;
    }
}

/* A round goes on where the other side did not keep up; one that is not true any more begins anew.
 */
static void tell_ports(struct engine *e, struct mono now)
{
    const uint32_t round = engine_list_round(e->list);
    const bool again = mono_due(now, mono_add_ms(e->ports_at, PORTS_MS));
    const unsigned n = engine_list_n(e->list);
    if (round == 0 || (round == e->ports_told && !again)) {
        return;
    }
    if (round != e->ports_round) {
        engine_taps_look(e->taps);
        e->ports_round = round;
        e->ports_next = 0;
    }
    while (e->ports_next < n) {
        e->message = (struct rolemsg){.type = ROLEMSG_PORT, .round = round};
        engine_list_at(e->list, e->ports_next, &e->message.port);
        if (!engine_link_send(e->link, &e->message)) {
            return;
        }
        e->ports_next++;
    }
    e->message = (struct rolemsg){.type = ROLEMSG_PORTS, .round = round, .ports = n};
    if (engine_link_send(e->link, &e->message)) {
        e->ports_told = round;
        e->ports_at = now;
        e->ports_round = 0;
    }
}

static void tell(struct engine *e, struct mono now)
{
    for (unsigned i = 0; i < e->n && engine_link_stands(e->link); i++) {
        if (!e->held[i].leaving) {
            tell_capture(e, &e->held[i], now);
        }
    }
    if (engine_link_stands(e->link)) {
        tell_applied(e);
        tell_snaps(e);
        tell_ports(e, now);
        engine_taps_tell(e->taps);
    }
}

/* ---- captures ---- */

struct names {
    char name[INTERFACES_MAX][IFNAMSIZ];
    const char *at[INTERFACES_MAX];
    unsigned n;
};

/* A point that can be no interface's name is never there. */
static void add_name(struct names *names, const char *point)
{
    char *name = names->n < INTERFACES_MAX ? names->name[names->n] : NULL;
    unsigned at = 0;
    if (!name || text_name_read(name, IFNAMSIZ, point) <= 0) {
        return;
    }
    while (at < names->n && strcmp(names->at[at], name) != 0) {
        at++;
    }
    if (at == names->n) {
        names->at[names->n++] = name;
    }
}

/* Ports that a capture wants, each once; where there are too many, those first that are in use. */
static void want_ports(struct engine *e, struct mono now)
{
    struct names names;
    names.n = 0;
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < e->n; i++) {
            const struct engine_capture *c = e->held[i].capture;
            const struct wanted *w = engine_capture_wanted(c);
            const bool in_turn = engine_capture_has_begun(c) == (turn == 0);
            for (unsigned k = 0; in_turn && engine_capture_wants_ports(c) && k < w->n_points; k++) {
                add_name(&names, w->point[k]);
            }
        }
    }
    engine_ports_want(e->ports, names.at, names.n, now);
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
        engine_ports_shift(e->ports, jump);
        for (unsigned i = 0; i < e->n; i++) {
            engine_capture_shift(e->held[i].capture, jump);
        }
    }
    e->clocks = now;
}

static void set_timer(struct engine *e)
{
    const int64_t now = wall_now().ns;
    int64_t first = now + IDLE_MS * NSEC_PER_MSEC;
    for (unsigned i = 0; i < e->n; i++) {
        first = MIN(first, engine_capture_due(e->held[i].capture, now));
    }
    const struct mono soon = mono_add_ms(mono_now(), SOON_MS),
                      due = {mono_now().ns + MAX(first - now, (int64_t)0)},
                      taps = engine_taps_due(e->taps);
    const int64_t at = MAX(soon.ns, MIN(due.ns, taps.ns));
    loop_set_timer(e->conf.loop, e->timer, (struct mono){at}, 0);
}

static void tick(struct engine *e)
{
    const struct mono now = mono_now();
    look_at_clocks(e);
    engine_link_tick(e->link, now);
    (void)broker_answers(e->conf.broker);
    engine_ports_tick(e->ports, now);
    engine_list_tick(e->list, now);
    for (unsigned i = 0; i < e->n; i++) {
        if (!e->held[i].leaving) {
            engine_capture_tick(e->held[i].capture, wall_now().ns, now);
        }
    }
    free_left(e);
    engine_taps_tick(e->taps, now);
    want_ports(e, now);
    tell(e, now);
    set_timer(e);
}

static void on_took(void *user)
{
    tick(user); /* a wish is looked at at once: its start may be now */
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

/* An answer, or the broker's end, which ends this process otherwise. */
static void on_broker(struct loop *l, int fd, uint32_t events, void *user)
{
    struct engine *e = user;
    (void)l;
    (void)fd;
    (void)events;
    if (broker_answers(e->conf.broker) < 0) {
        loop_del_fd(e->conf.loop, TAKE_PTR(e->broker_event));
    }
    tick(e);
}

/* ---- its life ---- */

static int begin_link(struct engine *e)
{
    const struct engine_link_conf lc = {.loop = e->conf.loop,
                                        .teller = e->conf.teller,
                                        .life = (uint64_t)e->clocks.wall.ns,
                                        .meet = e->conf.meet,
                                        .meeter = e->conf.user,
                                        .begun = begun,
                                        .take = take,
                                        .took = on_took,
                                        .user = e};
    return engine_link_new(&lc, &e->link);
}

static bool send_tap(void *user, const struct rolemsg *m)
{
    const struct engine *e = user;
    return engine_link_stands(e->link) && engine_link_send(e->link, m);
}

static int begin_taps(struct engine *e)
{
    const struct engine_taps_conf tc = {.broker = e->conf.broker, .send = send_tap, .user = e};
    return engine_taps_new(&tc, &e->taps);
}

static int begin(struct engine *e, struct error *err)
{
    struct loop *l = e->conf.loop;
    const struct engine_ports_conf pc = {l, e->conf.broker, e->conf.teller, &e->wake,
                                         e->conf.select};
    const struct engine_list_conf lc = {l, e->conf.broker, e->conf.select};
    int r = wake_init(&e->wake);
    r = r < 0 ? r : loop_add_fd(l, e->wake.fd, EPOLLIN, on_wake, e, &e->wake_event);
    r = r < 0 ? r
              : loop_add_fd(l, broker_fd(e->conf.broker), EPOLLIN, on_broker, e, &e->broker_event);
    r = r < 0 ? r : file_pool_new(&e->pool);
    r = r < 0 ? r : begin_link(e);
    r = r < 0 ? r : begin_taps(e);
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
    e->counters = -1;
    e->wake.fd = -1;
    e->applied_told = true;
    e->clocks = time_pair();
    const int r = begin(e, err);
    if (r < 0) {
        engine_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

void engine_select(struct engine *e, const struct selection *select)
{
    engine_ports_select(e->ports, select);
    engine_list_select(e->list, select);
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
    engine_link_free(e->link);
    loop_del_timer(e->conf.loop, e->timer);
    loop_del_fd(e->conf.loop, e->broker_event);
    engine_list_free(e->list);
    engine_ports_free(e->ports); /* the threads end: no sink is in use any more */
    for (unsigned i = 0; i < e->n; i++) {
        engine_capture_free(e->held[i].capture);
    }
    engine_taps_free(e->taps);
    file_pool_free(e->pool);
    closep(&e->counters);
    loop_del_fd(e->conf.loop, e->wake_event);
    wake_done(&e->wake);
    free(e);
}
