/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "control/agents_testing.h"
#include "sys/crypto/kdf.h"

enum {
    STEP_MS = 100,
};

static const char *id_text(unsigned number, char ret[KIND_ID])
{
    (void)snprintf(ret, KIND_ID, "0199c1d2-7c1e-7a30-9f3e-%012u", number);
    return ret;
}

static void id_bytes(unsigned number, uint8_t ret[WANTED_ID])
{
    char text[KIND_ID];
    assert_int_equal(uuid_parse(id_text(number, text), ret), 0);
}

static void take_socket(struct world *w);

/* ---- the edges ---- */

static int connect_peer(void *user, int *ret_fd, struct error *err _unused_)
{
    struct world *w = user;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    if (w->waiting >= 0) {
        (void)close(w->waiting);
    }
    w->waiting = fds[1];
    w->connects++;
    if (w->eager > 0) {
        take_socket(w);
        peer_report(w, w->eager, WANTED_DONE, WANTED_STOP_TIME, 0, 100, 9);
    }
    *ret_fd = fds[0];
    return 0;
}

static void published(void *user, const char *id _unused_, uint64_t n, bool ended)
{
    struct world *w = user;
    w->published = n;
    w->ended = ended;
}

static void wake_waiter(void *user, void *waiter)
{
    struct world *w = user;
    w->woken = waiter;
    /* A waiter has changes of its own to make. */
    assert_int_equal(w->store->ops->begin(w->store, NULL), 0);
    w->store->ops->rollback(w->store);
}

static void say(void *user, const char *words)
{
    struct world *w = user;
    (void)snprintf(w->said, sizeof(w->said), "%s", words);
}

static const struct agents_ops ops = {
    .connect = connect_peer, .published = published, .wake = wake_waiter, .say = say};

static void begin_agents(struct world *w)
{
    const struct agents_conf conf = {
        .store = w->store, .ops = &ops, .user = w, .generation = (uint64_t)w->wall_ns};
    assert_int_equal(agents_new(&conf, w->now, &w->agents), 0);
}

void world_make(struct world *w)
{
    const struct store_conf conf = {.kinds = kinds, .n = KINDS};
    memset(w, 0, sizeof(*w));
    w->peer.fd = w->waiting = -1;
    w->now = (struct mono){SEC};
    w->wall_ns = WALL * SEC;
    assert_int_equal(store_fake_new(&conf, &w->store), 0);
    begin_agents(w);
    peer_start(w);
}

void world_done(struct world *w)
{
    agents_free(w->agents);
    store_free(w->store);
    peer_kill(w);
}

void world_restart(struct world *w)
{
    agents_free(w->agents);
    begin_agents(w);
}

static void work(struct world *w)
{
    agents_work(w->agents, w->now, (struct wall){w->wall_ns});
    peer_read(w);
}

void world_goes(struct world *w, int64_t ms)
{
    for (int64_t t = 0; t <= ms; t += STEP_MS) {
        w->now = mono_add_ms(w->now, STEP_MS);
        w->wall_ns += STEP_MS * NSEC_PER_MSEC;
        work(w);
        work(w);
    }
}

/* ---- the data role ---- */

void peer_kill(struct world *w)
{
    if (w->peer.fd >= 0) {
        (void)close(w->peer.fd);
    }
    if (w->waiting >= 0) {
        (void)close(w->waiting);
    }
    w->waiting = w->peer.fd = -1;
    w->no_peer = true;
}

void peer_start(struct world *w)
{
    const uint64_t life = w->peer.life + 1;
    memset(&w->peer, 0, sizeof(w->peer));
    w->peer.fd = -1;
    w->peer.life = life;
    w->no_peer = false;
}

void peer_send_bytes(struct world *w, const void *p, size_t n)
{
    const ssize_t sent = send(w->peer.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)n || errno == EPIPE); /* agents may have ended the session */
}

void peer_says(struct world *w, const struct rolemsg *m)
{
    uint8_t buf[WANTED_MESSAGE_MAX];
    const int n = rolemsg_put(buf, sizeof(buf), m);
    assert_true(n > 0);
    peer_send_bytes(w, buf, (size_t)n);
}

static void apply(struct world *w)
{
    struct peer *p = &w->peer;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->came[i]) {
            return;
        }
    }
    memcpy(p->has, p->part, sizeof(p->has));
    p->n_has = p->n;
    p->applied = p->generation;
    if (!p->forgetful) {
        peer_says(w, &(struct rolemsg){.type = ROLEMSG_APPLIED, .generation = p->generation});
    }
}

static void hear_want(struct world *w, const struct rolemsg *m)
{
    struct peer *p = &w->peer;
    assert_true(m->generation >= p->generation); /* in one session */
    if (m->generation != p->generation || m->n != p->n) {
        memset(p->came, 0, sizeof(p->came));
        p->generation = m->generation;
        p->n = m->n;
    }
    p->part[m->place] = m->wanted;
    p->came[m->place] = true;
    apply(w);
}

/* ---- tap flows, as they are told ---- */

static struct tap_want *find_flow(struct peer *p, const uint8_t id[WANTED_ID])
{
    for (size_t i = 0; i < p->n_flows; i++) {
        if (memcmp(p->flow[i].id, id, WANTED_ID) == 0) {
            return &p->flow[i];
        }
    }
    return NULL;
}

static void hear_tap(struct peer *p, const struct tap_want *want)
{
    struct tap_want *f = find_flow(p, want->id);
    if (!f) {
        assert_true(p->n_flows < PEER_FLOWS);
        f = &p->flow[p->n_flows++];
    }
    *f = *want;
}

static void hear_untap(struct peer *p, const uint8_t id[WANTED_ID])
{
    struct tap_want *f = find_flow(p, id);
    assert_non_null(f); /* only those are taken back that were told in this session */
    *f = p->flow[--p->n_flows];
}

static void hear_set(struct world *w, const struct rolemsg *m)
{
    struct peer *p = &w->peer;
    assert_true(m->generation > p->flows_generation); /* in one session */
    assert_int_equal(m->taps, p->n_flows);
    p->flows_generation = m->generation;
    if (!p->forgetful) {
        p->let_go = m->generation;
        peer_says(w, &(struct rolemsg){.type = ROLEMSG_TAPPED, .generation = m->generation});
    }
}

static void hear_of_flows(struct world *w, const struct rolemsg *m)
{
    struct peer *p = &w->peer;
    p->taps += m->type == ROLEMSG_TAP;
    p->untaps += m->type == ROLEMSG_UNTAP;
    p->sets += m->type == ROLEMSG_TAPS;
    if (p->deaf) {
        return;
    }
    if (m->type == ROLEMSG_TAP) {
        hear_tap(p, &m->tap);
    } else if (m->type == ROLEMSG_UNTAP) {
        hear_untap(p, m->id);
    } else if (m->type == ROLEMSG_TAPS) {
        hear_set(w, m);
    }
}

static void hear(struct world *w, const struct rolemsg *m)
{
    struct peer *p = &w->peer;
    if (m->type == ROLEMSG_HELLO) {
        assert_false(p->greeted);
        assert_int_equal(m->version, ROLEMSG_VERSION);
        p->greeted = true;
        return;
    }
    assert_true(p->greeted);
    p->wants += m->type == ROLEMSG_WANT;
    p->snapshots += m->type == ROLEMSG_SNAPSHOT;
    if (m->type == ROLEMSG_WANT && !p->deaf) {
        hear_want(w, m);
    }
    hear_of_flows(w, m);
}

/* A role that stands asks for the other end, and greets. */
static void take_socket(struct world *w)
{
    struct peer *p = &w->peer;
    if (w->no_peer || w->waiting < 0) {
        return;
    }
    if (p->fd >= 0) {
        (void)close(p->fd);
    }
    p->fd = TAKE_FD(w->waiting);
    p->greeted = false;
    p->generation = p->flows_generation = 0;
    p->n_flows = 0;
    peer_says(
        w, &(struct rolemsg){.type = ROLEMSG_HELLO, .version = ROLEMSG_VERSION, .life = p->life});
}

void peer_read(struct world *w)
{
    static uint8_t buf[WANTED_MESSAGE_MAX];
    static struct rolemsg m;
    take_socket(w);
    while (w->peer.fd >= 0) {
        const ssize_t n = recv(w->peer.fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n <= 0) {
            return;
        }
        assert_int_equal(rolemsg_get(buf, (size_t)n, &m), 0);
        hear(w, &m);
    }
}

void peer_report(struct world *w, unsigned number, enum wanted_state state,
                 enum wanted_reason reason, int64_t from_s, int64_t until_s, uint64_t written)
{
    const bool ever = until_s > from_s;
    struct rolemsg m = {
        .type = ROLEMSG_IS,
        .is = {.state = state,
               .reason = reason,
               .published = written * 100,
               .found = WANTED_UNKNOWN,
               .offered = written,
               .written = written,
               .n_points = 1,
               .point = {{ever * (WALL + from_s) * SEC, ever * (WALL + until_s) * SEC}}}};
    id_bytes(number, m.is.id);
    peer_says(w, &m);
}

void peer_port(struct world *w, const char *name)
{
    peer_port_is(w, name, true, false);
}

void peer_port_is(struct world *w, const char *name, bool up, bool faces_owner)
{
    struct rolemsg m = {.type = ROLEMSG_PORT,
                        .round = w->peer.round,
                        .port = {.ifindex = 3,
                                 .mtu = 1500,
                                 .up = up,
                                 .faces_owner = faces_owner,
                                 .mac = {2, 0, 0, 0, 0, 9}}};
    (void)snprintf(m.port.name, sizeof(m.port.name), "%s", name);
    peer_says(w, &m);
}

void peer_round(struct world *w, uint32_t n)
{
    peer_says(w, &(struct rolemsg){.type = ROLEMSG_PORTS, .round = w->peer.round++, .ports = n});
}

int peer_has(const struct world *w, unsigned number)
{
    uint8_t id[WANTED_ID];
    id_bytes(number, id);
    for (size_t i = 0; i < w->peer.n_has; i++) {
        if (memcmp(w->peer.has[i].id, id, sizeof(id)) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const struct tap_want *peer_flow(const struct world *w, unsigned number)
{
    uint8_t id[WANTED_ID];
    id_bytes(number, id);
    return find_flow((struct peer *)&w->peer, id);
}

void peer_flow_is(struct world *w, unsigned number, enum tap_state state, const char *words,
                  uint64_t frames)
{
    struct rolemsg m = {.type = ROLEMSG_TAP_IS,
                        .tap_is = {.state = state,
                                   .life = w->peer.life,
                                   .way = state == TAP_IS_FLOWING ? TAP_WAY_KERNEL : TAP_WAY_NONE,
                                   .frames = frames,
                                   .bytes = frames * 100,
                                   .dropped = frames / 10}};
    id_bytes(number, m.tap_is.id);
    (void)snprintf(m.tap_is.words, sizeof(m.tap_is.words), "%s", words);
    peer_says(w, &m);
}

/* ---- the store ---- */

void change_capture(struct world *w, struct object *o)
{
    assert_int_equal(w->store->ops->begin(w->store, NULL), 0);
    assert_int_equal(w->store->ops->put(w->store, o, NULL), 0);
    assert_int_equal(w->store->ops->commit(w->store, NULL), 0);
    agents_changed(w->agents);
}

void add_capture(struct world *w, unsigned number, int64_t start_s, int64_t stop_s)
{
    char id[KIND_ID];
    struct object o;
    object_init(&o, &kind_capture);
    assert_int_equal(object_set_text(&o, FIELD_OF_ID, id_text(number, id)), 0);
    assert_int_equal(object_set_text(&o, FIELD_OF_PROJECT, "p"), 0);
    assert_int_equal(object_set_text(&o, FIELD_OF_OWNER, "alice"), 0);
    object_set_int(&o, FIELD_OF_GENERATION, 1);
    object_set_int(&o, FIELD_OF_CREATED, w->wall_ns);
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, "packet"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, "[\"eth0\"]"), 0);
    object_set_int(&o, CAPTURE_F_START, (WALL + start_s) * SEC);
    object_set_int(&o, CAPTURE_F_STOP, (WALL + stop_s) * SEC);
    assert_int_equal(object_defaults(&o, NULL), 0);
    change_capture(w, &o);
    object_done(&o);
}

void port_id(const char *name, char ret[KIND_ID])
{
    uint8_t key[PORT_KEY], hash[KDF_HASH_LEN], id[UUID_BYTES];
    const int n = port_key("", "", name, key, sizeof(key));
    assert_true(n > 0);
    sha256(key, (size_t)n, hash);
    uuid_of_hash(hash, id);
    uuid_text(id, ret);
}

static void begin_object(struct world *w, const struct kind *k, unsigned number, struct object *ret)
{
    char id[KIND_ID];
    object_init(ret, k);
    assert_int_equal(object_set_text(ret, FIELD_OF_ID, id_text(number, id)), 0);
    assert_int_equal(object_set_text(ret, FIELD_OF_PROJECT, "local"), 0);
    assert_int_equal(object_set_text(ret, FIELD_OF_OWNER, "alice"), 0);
    object_set_int(ret, FIELD_OF_GENERATION, 1);
    object_set_int(ret, FIELD_OF_CREATED, w->wall_ns);
    assert_int_equal(object_defaults(ret, NULL), 0);
}

void add_service(struct world *w, unsigned number, const char *port)
{
    char id[KIND_ID];
    struct object o;
    begin_object(w, &kind_tap_service, number, &o);
    port_id(port, id);
    assert_int_equal(object_set_text(&o, TAP_SERVICE_F_PORT, id), 0);
    change_capture(w, &o);
    object_done(&o);
}

void add_flow(struct world *w, unsigned number, const char *source, unsigned service)
{
    char id[KIND_ID];
    struct object o;
    begin_object(w, &kind_tap_flow, number, &o);
    port_id(source, id);
    assert_int_equal(object_set_text(&o, TAP_FLOW_F_SOURCE, id), 0);
    assert_int_equal(object_set_text(&o, TAP_FLOW_F_SERVICE, id_text(service, id)), 0);
    change_capture(w, &o);
    object_done(&o);
}

bool get_object(struct world *w, const struct kind *k, unsigned number, struct object *ret)
{
    char id[KIND_ID];
    return w->store->ops->get(w->store, k, id_text(number, id), ret, NULL) == 0;
}

struct object get_capture(struct world *w, unsigned number)
{
    char id[KIND_ID];
    struct object o;
    assert_int_equal(w->store->ops->get(w->store, &kind_capture, id_text(number, id), &o, NULL), 0);
    return o;
}

void check_state(struct world *w, unsigned number, const char *state)
{
    struct object o = get_capture(w, number);
    assert_string_equal(o.v[CAPTURE_F_STATE].text, state);
    object_done(&o);
}

struct counting {
    const char *what;
    unsigned n;
    char *words;
};

static int count_one(void *user, const struct store_event *e)
{
    struct counting *c = user;
    if (strcmp(e->what, c->what) == 0) {
        c->n++;
        (void)snprintf(c->words, 320, "%s", e->words);
    }
    return 0;
}

unsigned count_events(struct world *w, const char *what, char words[320])
{
    struct counting c = {.what = what, .words = words};
    words[0] = '\0';
    assert_int_equal(w->store->ops->events(w->store, 0, 100000, count_one, &c, NULL), 0);
    return c.n;
}
