/* SPDX-License-Identifier: Apache-2.0
 *
 * A listed tap that does everything as often as it can: sessions, keys, streams. What it may do is
 * bounded, and so is what is said of it; others do not notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/receive/impl.h"
#include "data/link/world/world.h"
#include "data/sink/fake.h"

static struct allow_list listed;

/* Two taps are in the list: "good", whose key is in `tap_secret`, and "bad". */
static struct world *collector_of_two(struct handshake_conf *ret_bad)
{
    struct world *w = world_new(LINK_NOISE);
    struct error err;
    char text[2][KEY_TEXT_LEN + 1], list[256];
    uint8_t public[KEY_LEN];
    assert_int_equal(key_generate(w->collector_secret.identity), 0);
    key_public(w->collector_secret.identity, w->tap_secret.peer);
    *ret_bad = w->tap_secret;
    struct handshake_conf *both[2] = {&w->tap_secret, ret_bad};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(key_generate(both[i]->identity), 0);
        key_public(both[i]->identity, public);
        key_format(public, text[i]);
    }
    int n = snprintf(list, sizeof(list), "%s good\n%s bad\n", text[0], text[1]);
    assert_int_equal(allow_parse(list, (size_t)n, "list", &listed, &err), 0);
    w->collector_secret.allow = &listed;
    world_start_collector(w);
    return w;
}

static void world_down(struct world *w)
{
    world_free(w);
    allow_done(&listed);
}

/* The bad tap's end: a socket, and the keys of its newest handshake. */
struct bad {
    struct world *w;
    const struct handshake_conf *conf;
    int fd;
    uint32_t index;
    struct handshake_keys keys;
    struct aead *tx;
    uint64_t counter;
};

static void bad_begin(struct bad *b, struct world *w, const struct handshake_conf *conf)
{
    *b = (struct bad){.w = w, .conf = conf, .fd = world_socket(NULL)};
    assert_int_equal(connect(b->fd, &w->listener_addr.sa, w->listener_addr.len), 0);
}

static void bad_end(struct bad *b)
{
    aead_free(b->tx);
    close(b->fd);
}

/* The next datagram of this type that comes within a while; returns its length, 0: none came. */
static size_t receive_type(struct bad *b, int type, uint8_t *d, size_t cap)
{
    for (unsigned i = 0; i < 100; i++) {
        ssize_t n = recv(b->fd, d, cap, MSG_DONTWAIT);
        if (n > 0 && link_peek(d, (size_t)n) == type) {
            return (size_t)n;
        }
        if (n <= 0) {
            world_run(b->w, never, 1);
        }
    }
    return 0;
}

static void send_control(struct bad *b, const struct link_control *c)
{
    uint8_t d[LINK_RECORD_HEADER + LINK_CONTROL_MAX + AEAD_TAG_MAX], nonce[AEAD_NONCE_LEN];
    int n = link_control_encode(c, d + LINK_RECORD_HEADER, LINK_CONTROL_MAX);
    assert_true(n > 0);
    const struct link_record rec = {0, b->keys.remote, b->counter++};
    link_record_encode(&rec, d);
    link_record_nonce(&rec, nonce);
    assert_int_equal(aead_seal(b->tx, nonce, d, LINK_RECORD_HEADER, d + LINK_RECORD_HEADER,
                               (size_t)n, d + LINK_RECORD_HEADER + n),
                     0);
    (void)send(b->fd, d, LINK_RECORD_HEADER + (size_t)n + aead_tag_len(b->tx), 0);
}

/* Makes keys; false: the collector did not answer in time. */
static bool handshake(struct bad *b)
{
    struct handshake_tap h = {0};
    uint8_t d[2048];
    int n = handshake_tap_hello(&h, b->conf, ++b->index, d);
    assert_true(n > 0 && send(b->fd, d, (size_t)n, 0) == n);
    size_t got = receive_type(b, LINK_ANSWER, d, sizeof(d));
    if (got == 0 || handshake_tap_answer(&h, d, got, &b->keys) < 0) {
        return false;
    }
    aead_free(TAKE_PTR(b->tx));
    assert_int_equal(aead_new(b->keys.alg, b->keys.send, &b->tx, NULL), 0);
    b->counter = 0;
    return true;
}

static void info(struct bad *b, uint64_t tag)
{
    struct link_control c = {.type = LINK_INFO};
    c.info = (struct link_info){.tag = tag, .name = {"bad", 3}, .host = {"", 0}};
    c.info.software.p = "";
    send_control(b, &c);
}

static unsigned lines_about(const struct world *w, const char *what)
{
    unsigned n = 0;
    for (const char *c = w->collector_said; (c = strstr(c, what)) != NULL; c++) {
        n++;
    }
    return n;
}

static unsigned events_about(const struct world *w, const char *who)
{
    const struct history *h = listener_history(w->listener);
    unsigned n = 0;
    for (unsigned i = 0; i < h->n; i++) {
        n += strcmp(history_at(h, i)->subject, who) == 0;
    }
    return n;
}

static bool nobody_there(struct world *w)
{
    return w->listener->n_sessions == 0;
}

static void visit(struct world *w)
{
    world_start_tap(w, 0, "good");
    world_must(w, up0, 5000);
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    world_kill_tap(w, 0);
}

/* Sessions are begun and ended as fast as they can be: a few, and then one a second, of which some
 * are told, and then how many more there were. */
static void sessions(void **state)
{
    (void)state;
    enum { SECONDS = 4 };
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    struct bad b;
    uint64_t tag = 1;
    bad_begin(&b, w, &conf);
    visit(w);
    struct mono begin = mono_now(), until = mono_add_ms(begin, SECONDS * 1000);
    while (!mono_due(mono_now(), until)) {
        if (handshake(&b)) {
            info(&b, tag++);
            world_run(w, never, 3);
            send_control(&b, &(struct link_control){.type = LINK_CLOSE});
            world_run(w, never, 3);
        }
    }
    int64_t took = mono_diff(mono_now(), begin) / NSEC_PER_SEC;
    const struct peer *bad = listener_peer_named(w->listener, "bad");
    assert_non_null(bad);
    assert_in_range(bad->sessions, LISTENER_BEGINS_BURST, LISTENER_BEGINS_BURST + took + 1);
    assert_int_equal(lines_about(w, "tap bad"), LISTENER_TOLD);
    assert_int_equal(events_about(w, "bad"), LISTENER_TOLD);
    world_must(w, nobody_there, 5000);
    visit(w);
    assert_int_equal(lines_about(w, "tap good"), 4);
    assert_int_equal(events_about(w, "good"), 4);
    unsigned said = bad->said.more, events = bad->events.more;
    assert_true(said > 0 && events > 0);
    listener_tell_tick(w->listener, mono_add_ms(mono_now(), LISTENER_TOLD_MS));
    char words[64];
    snprintf(words, sizeof(words), "tap bad: … and %u more sentences", said);
    assert_non_null(strstr(w->collector_said, words));
    const struct history *h = listener_history(w->listener);
    snprintf(words, sizeof(words), "… and %u more events in the last minute", events);
    assert_string_equal(history_at(h, h->n - 1)->words, words);
    assert_int_equal(w->listener->untold, 0);
    bad_end(&b);
    world_down(w);
}

/* A tap that is started again some times is shown exactly. */
static void an_honest_tap_restarts(void **state)
{
    (void)state;
    enum { TIMES = 10 };
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    for (unsigned i = 0; i < TIMES; i++) {
        visit(w);
    }
    assert_int_equal(listener_peer_named(w->listener, "good")->sessions, TIMES);
    assert_int_equal(lines_about(w, ": session up ("), TIMES);
    assert_int_equal(lines_about(w, "session closed by the tap"), TIMES);
    assert_int_equal(events_about(w, "good"), 2 * TIMES);
    assert_null(strstr(w->collector_said, "more"));
    world_down(w);
}

/* A session gets one key after the other: a few are kept, and what may be said in it does not grow
 * with them. */
static void keys(void **state)
{
    (void)state;
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    struct bad b;
    unsigned made = 0;
    bad_begin(&b, w, &conf);
    world_start_tap(w, 0, "good");
    world_must(w, up0, 5000);
    for (unsigned i = 0; i < 40; i++) {
        if (handshake(&b)) {
            info(&b, 77);
            world_run(w, never, 2);
            made++;
        }
    }
    const struct peer *bad = listener_peer_named(w->listener, "bad");
    assert_true(made > 20 && bad->rekeys > 10);
    unsigned n = 0;
    for (const struct key *k = bad->session->keys; k; k = k->next) {
        n++;
    }
    assert_in_range(n, 1, LISTENER_KEYS);
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    bad_end(&b);
    world_down(w);
}

/* Whatever it says, it says in one session: a new key does not let it say more. */
static void control_records(void **state)
{
    (void)state;
    enum { KEYS = 5, EACH = 2000 };
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    struct listener_counters sc;
    struct bad b;
    unsigned sent = 0;
    bad_begin(&b, w, &conf);
    struct mono begin = mono_now();
    for (unsigned k = 0; k < KEYS; k++) {
        assert_true(handshake(&b));
        info(&b, 9);
        world_run(w, never, 20);
        for (unsigned i = 0; i < EACH; i++, sent++) {
            send_control(&b, &(struct link_control){.type = LINK_REPORT});
            if (i % 64 == 0) {
                world_run(w, never, 1);
            }
        }
    }
    world_run(w, never, 50);
    int64_t ms = mono_diff(mono_now(), begin) / NSEC_PER_MSEC;
    listener_counters(w->listener, &sc);
    assert_int_equal(listener_peer_named(w->listener, "bad")->sessions, 1);
    uint64_t came = sc.receiver.datagrams - 2 * KEYS;
    assert_true(came > sent / 2);
    assert_in_range(came - sc.receiver.control_full, 0, RECEIVER_CONTROLS + ms);
    bad_end(&b);
    world_down(w);
}

/* Its history is its own, whatever it fills it with. */
static void events(void **state)
{
    (void)state;
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    struct bad b;
    bad_begin(&b, w, &conf);
    assert_true(handshake(&b));
    info(&b, 9);
    world_run(w, never, 20);
    struct peer *bad = listener_peer_named(w->listener, "bad");
    assert_non_null(bad);
    unsigned before = listener_history(w->listener)->n;
    for (unsigned i = 1; i <= 1000; i++) {
        struct link_control c = {.type = LINK_EVENT};
        c.event = (struct link_event){.life = i % 10, .number = i, .kind = (uint8_t)i};
        c.event.subject = c.event.words = (struct link_text){"good", 4};
        send_control(&b, &c);
        if (i % 64 == 0) {
            world_run(w, never, 1);
        }
    }
    world_run(w, never, 50);
    assert_int_equal(bad->history.n, HISTORY_TAP);
    assert_int_equal(listener_history(w->listener)->n, before);
    bad_end(&b);
    world_down(w);
}

/* Devices are made for taps no faster than so many in a second, and then each gets its own. */
static void devices(void **state)
{
    (void)state;
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    w->listener->devices = (struct bucket){-3000 * LISTENER_DEVICES, mono_now()};
    world_start_tap(w, 0, "good");
    assert_false(world_run(w, up0, 500));
    world_must(w, up0, 5000);
    world_down(w);
}

/* A stream that begins and ends, and begins again: once the burst is used up, some in a second. */
static void streams(void **state)
{
    (void)state;
    enum { LEFT = 20, TIMES = 300 };
    struct handshake_conf conf;
    struct world *w = collector_of_two(&conf);
    struct bad b;
    bad_begin(&b, w, &conf);
    assert_true(handshake(&b));
    info(&b, 5);
    world_run(w, never, 20);
    struct peer *bad = listener_peer_named(w->listener, "bad");
    assert_true(bad && bad->session);
    struct mono begin = mono_now();
    bad->streams = (struct bucket){LEFT * 1000, begin};
    for (unsigned i = 0; i < TIMES; i++) {
        struct link_control c = {.type = LINK_STREAM};
        c.stream = (struct link_stream){.stream = 9, .ifname = {"eth9", 4}, .filter = {"", 0}};
        send_control(&b, &c);
        c = (struct link_control){.type = LINK_REPORT, .report = {.final = true, .count = 1}};
        c.report.stream[0].stream = 9;
        send_control(&b, &c);
        c = (struct link_control){.type = LINK_STREAM_END, .end = {.stream = 9}};
        send_control(&b, &c);
        world_run(w, never, 2);
    }
    int64_t ms = mono_diff(mono_now(), begin) / NSEC_PER_MSEC;
    assert_int_equal(bad->n_points, 1);
    uint32_t index = bad->point[0]->index;
    world_stop_collector(w);
    assert_in_range(fake_sink_point(w->out, index)->adds, LEFT / 2,
                    LEFT + LISTENER_STREAMS * ms / 1000 + 1);
    world_forget_collector(w);
    bad_end(&b);
    world_down(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions),
        cmocka_unit_test(an_honest_tap_restarts),
        cmocka_unit_test(keys),
        cmocka_unit_test(streams),
        cmocka_unit_test(control_records),
        cmocka_unit_test(events),
        cmocka_unit_test(devices),
    };
    return cmocka_run_group_tests_name("data/link_flood", tests, NULL, NULL);
}
