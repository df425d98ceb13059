/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector that has more handshakes than it wants: honest taps get in, whoever floods it, and
 * what is half-open is bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "data/link/world/world.h"

/* No handshake without a cookie from now on. */
static void use_up(struct listener *s)
{
    s->admission.free = (struct bucket){0, mono_add_ms(mono_now(), 3600000)};
}

static int attacker(struct world *w)
{
    int fd = world_socket(NULL);
    assert_int_equal(connect(fd, &w->listener_addr.sa, w->listener_addr.len), 0);
    return fd;
}

static ssize_t answer_to(struct world *w, int fd, uint8_t *d, size_t cap)
{
    ssize_t n = -1;
    for (unsigned i = 0; n < 0 && i < 1000; i++) {
        world_run(w, never, 1);
        n = recv(fd, d, cap, MSG_DONTWAIT);
    }
    return n;
}

static void keys_of(struct world *w, struct allow_list *list)
{
    char text[KEY_TEXT_LEN + 1], line[160];
    uint8_t pub[KEY_LEN];
    w->tap_secret.identity[0] = 1;
    w->collector_secret.identity[0] = 2;
    key_public(w->collector_secret.identity, w->tap_secret.peer);
    key_public(w->tap_secret.identity, pub);
    key_format(pub, text);
    int n = snprintf(line, sizeof(line), "%s web1\n", text);
    assert_int_equal(allow_parse(line, (size_t)n, "allow", list, NULL), 0);
    w->collector_secret.allow = list;
}

/* By every method: one more round trip, then the session is up as ever. */
static void a_tap_brings_a_cookie(void **state)
{
    (void)state;
    for (unsigned method = LINK_PLAIN; method <= LINK_NOISE; method++) {
        struct world *w = world_new((enum link_method)method);
        struct allow_list list = {0};
        keys_of(w, &list);
        world_start_collector(w);
        use_up(w->listener);
        world_start_tap(w, 0, "web1");
        world_must(w, up0, 400); /* a second try would come after 500 ms */
        assert_int_equal(w->listener->counters.cookies, 1);
        assert_int_equal(w->listener->counters.handshakes, 2);
        world_frames(&w->tap[0], 100);
        world_must(w, all_written, 2000);
        world_free(w);
        allow_done(&list);
    }
}

static bool rekeyed(struct world *w)
{
    return w->tap[0].dialer->status.rekeys > 0;
}

/* The next key of a session needs none: its HELLO names the session. */
static void a_session_needs_no_cookie(void **state)
{
    (void)state;
    for (unsigned method = LINK_PLAIN; method <= LINK_NOISE; method++) {
        struct world *w = world_new((enum link_method)method);
        struct allow_list list = {0};
        keys_of(w, &list);
        world_start(w);
        use_up(w->listener);
        w->listener->admission.all = (struct bucket){0, mono_add_ms(mono_now(), 3600000)};
        w->tap[0].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
        world_must(w, rekeyed, 400);
        assert_int_equal(w->listener->counters.cookies, 0);
        world_free(w);
        allow_done(&list);
    }
}

static enum link_type answer_with(struct world *w, int fd, const uint8_t *cookie, uint8_t *ret)
{
    static uint32_t index = 1;
    struct handshake_tap h = {0};
    struct link_hs m;
    uint8_t d[HANDSHAKE_MESSAGE_MAX], a[2048];
    int n = handshake_tap_hello(&h, &w->tap_secret, index, d);
    if (cookie) {
        link_hello_set_cookie(d, cookie);
    }
    assert_int_equal(send(fd, d, (size_t)n, 0), n);
    ssize_t got = answer_to(w, fd, a, sizeof(a));
    assert_int_equal(link_hs_decode(a, got > 0 ? (size_t)got : 0, &m), 0);
    assert_int_equal(m.receiver, index++);
    if (ret && m.type == LINK_COOKIE) {
        memcpy(ret, m.data, LINK_COOKIE_LEN);
    }
    handshake_tap_done(&h);
    return m.type;
}

/* HELLOs with a good cookie from one port, more than it may send: each is taken on or counted. */
static bool each_counted(struct world *w)
{
    struct listener_counters c;
    listener_counters(w->listener, &c);
    return c.handshakes + c.receiver.too_many >= w->n;
}

static void what_is_too_many_is_counted(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    struct handshake_tap h = {0};
    struct listener_counters c;
    uint8_t cookie[LINK_COOKIE_LEN], d[HANDSHAKE_MESSAGE_MAX];
    world_start_collector(w);
    use_up(w->listener);
    int fd = attacker(w);
    assert_int_equal(answer_with(w, fd, NULL, cookie), LINK_COOKIE);
    int n = handshake_tap_hello(&h, &w->tap_secret, 1, d);
    link_hello_set_cookie(d, cookie);
    for (w->n = 1; w->n < 1 + 10 * ADMISSION_REAL_BURST; w->n++) {
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
    }
    world_must(w, each_counted, 5000);
    world_run(w, never, 10);
    listener_counters(w->listener, &c);
    assert_int_equal(c.receiver.datagrams, w->n);
    assert_true(c.receiver.too_many > 0);
    assert_int_equal(c.handshakes + c.receiver.too_many, w->n);
    handshake_tap_done(&h);
    close(fd);
    world_free(w);
}

/* Taps with a key that is not in the list, and with another method. */
static void refusals_are_counted_by_their_reason(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_NOISE);
    struct allow_list list = {0};
    keys_of(w, &list);
    world_start_collector(w);
    int fd = attacker(w);
    w->tap_secret.identity[0] = 9;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(answer_with(w, fd, NULL, NULL), LINK_REJECT);
        assert_int_equal(w->listener->counters.wrong_key, i);
        assert_int_equal(w->listener->counters.wrong_method, 0);
    }
    w->tap_secret.method = LINK_PLAIN;
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(answer_with(w, fd, NULL, NULL), LINK_REJECT);
        assert_int_equal(w->listener->counters.wrong_key, 3);
        assert_int_equal(w->listener->counters.wrong_method, i);
    }
    close(fd);
    world_free(w);
    allow_done(&list);
}

static void turn(struct world *w)
{
    w->listener->cookies.made.ns -= COOKIE_ROTATE_MS * NSEC_PER_MSEC;
    world_run(w, never, 2 * LISTENER_TICK_MS);
}

/* It is good for a while and at its port alone, in whichever thread it arrives. */
static void a_cookie_is_good_for_a_while(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    uint8_t first[LINK_COOKIE_LEN], second[LINK_COOKIE_LEN];
    w->n_threads = 3;
    world_start_collector(w);
    use_up(w->listener);
    int fd = attacker(w), other = attacker(w);
    assert_int_equal(answer_with(w, fd, NULL, first), LINK_COOKIE);
    for (unsigned i = 0; i < 3; i++) { /* one more each time in the sender's index: all threads */
        assert_int_equal(answer_with(w, fd, first, NULL), LINK_ANSWER);
    }
    assert_int_equal(answer_with(w, other, first, NULL), LINK_COOKIE);
    turn(w);
    assert_int_equal(answer_with(w, fd, first, NULL), LINK_ANSWER);
    assert_int_equal(answer_with(w, fd, NULL, second), LINK_COOKIE);
    assert_memory_not_equal(first, second, sizeof(first));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(answer_with(w, fd, second, NULL), LINK_ANSWER);
    }
    turn(w);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(answer_with(w, fd, first, NULL), LINK_COOKIE);
    }
    assert_int_equal(answer_with(w, fd, second, NULL), LINK_ANSWER);
    close(fd);
    close(other);
    world_free(w);
}

/* Cookies that others send: without the index of the tap's HELLO they are nothing, with it they
 * cost one more HELLO a try, and the handshake comes about. */
static unsigned plant(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                      size_t len)
{
    uint8_t out[HANDSHAKE_MESSAGE_MAX], cookie[LINK_COOKIE_LEN] = {0xbb};
    struct link_hs m;
    if (to_collector && link_hs_decode(d, len, &m) == 0 && m.type == LINK_HELLO) {
        uint32_t right = *(const bool *)w->fate_data ? 0 : 1;
        int n = handshake_cookie(cookie, m.sender ^ right, out);
        world_inject(r, false, out, (size_t)n);
        w->n++;
    }
    return 1;
}

static void planted_cookies(void **state)
{
    (void)state;
    for (unsigned right = 0; right < 2; right++) {
        bool known = right;
        struct world *w = world_new(LINK_CPACE);
        w->fate = plant;
        w->fate_data = &known;
        world_start(w);
        assert_in_range(w->n, 1, right ? 2 * UPLINK_TRIES : 1);
        assert_int_equal(w->tap[0].dialer->cookie_until.ns != 0, right);
        world_free(w);
    }
}

/* HELLOs with no cookie, or one that does not hold: nothing is kept of them, no answer is larger,
 * and a tap gets in. */
static void nothing_is_kept(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    struct handshake_tap h = {0};
    uint8_t d[HANDSHAKE_MESSAGE_MAX], a[2048], forged[LINK_COOKIE_LEN] = {1};
    world_start_collector(w);
    use_up(w->listener);
    int fd = attacker(w);
    for (uint32_t i = 0; i < 300; i++) {
        int n = handshake_tap_hello(&h, &w->tap_secret, i + 1, d);
        if (i % 2) {
            link_hello_set_cookie(d, forged);
        }
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
        ssize_t got = answer_to(w, fd, a, sizeof(a));
        assert_in_range(got, 1, n);
        struct link_hs m;
        assert_int_equal(link_hs_decode(a, (size_t)got, &m), 0);
        assert_true(m.type == LINK_COOKIE && m.receiver == i + 1);
    }
    assert_int_equal(w->listener->n_half, 0);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, 2000);
    close(fd);
    world_free(w);
}

static void half_open(struct world *w, int fd, uint32_t i, const uint8_t *cookie)
{
    struct handshake_tap h = {0};
    uint8_t d[HANDSHAKE_MESSAGE_MAX], a[2048];
    struct key *oldest = w->listener->half[cookie != NULL].first;
    int n = handshake_tap_hello(&h, &w->tap_secret, i + 1, d);
    if (oldest) { /* has had its time */
        oldest->made.ns -= LISTENER_HALF_MIN_MS * NSEC_PER_MSEC;
    }
    if (cookie) {
        link_hello_set_cookie(d, cookie);
    }
    assert_int_equal(send(fd, d, (size_t)n, 0), n);
    assert_true(answer_to(w, fd, a, sizeof(a)) > 0);
    handshake_tap_done(&h);
}

/* Half-open handshakes of one real address take nobody else's place, and all of them are bounded.
 */
static void half_open_is_bounded(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_PLAIN);
    uint8_t addr[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, cookie[LINK_COOKIE_LEN];
    struct udp_addr self;
    world_start_collector(w);
    struct listener *s = w->listener;
    s->admission.all.milli = s->admission.free.milli = INT64_MAX / 2; /* as if it had the time */
    s->admission.all.at = s->admission.free.at = mono_add_ms(mono_now(), 3600000);
    for (uint32_t i = 0; i < LISTENER_HALF_OWN + 50; i++) { /* each another tap's */
        int fd = attacker(w);
        assert_int_equal(udp_local(fd, &self), 0);
        cookie_make(&s->cookies, addr, self.v4.sin_port, cookie);
        half_open(w, fd, i, cookie);
        assert_true(s->half[1].n <= LISTENER_HALF_OWN);
        close(fd);
    }
    int fd = attacker(w);
    assert_int_equal(udp_local(fd, &self), 0);
    cookie_make(&s->cookies, addr, self.v4.sin_port, cookie);
    struct udp_addr elsewhere = self; /* the same machine is another address from here on */
    elsewhere.v4.sin_addr.s_addr = htonl(0x7f000002);
    for (struct key *k = s->half[1].first; k; k = k->half_next) {
        k->from = elsewhere;
    }
    half_open(w, fd, 5000, cookie);
    assert_int_equal(s->half[1].n, LISTENER_HALF_OWN + 1);
    for (uint32_t i = 0; i < LISTENER_HALF_FREE + 50; i++) { /* the others have their own places */
        half_open(w, fd, i, NULL);
        assert_true(s->half[0].n <= LISTENER_HALF_FREE);
    }
    assert_int_equal(s->half[1].n, LISTENER_HALF_OWN + 1);
    assert_int_equal(s->n_half, s->half[0].n + s->half[1].n);
    unsigned n = 0;
    for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
        n += s->key[i] != NULL;
    }
    assert_int_equal(n, s->n_half);
    close(fd);
    world_free(w);
}

/* A tap that has to ask again and again has one place: what it began before it waited gives way. */
static void a_new_hello_replaces_the_last(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    uint8_t addr[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, cookie[LINK_COOKIE_LEN];
    struct udp_addr self;
    world_start_collector(w);
    struct listener *s = w->listener;
    int fd = attacker(w), other = attacker(w);
    assert_int_equal(udp_local(fd, &self), 0);
    half_open(w, other, 100, NULL);
    half_open(w, fd, 0, NULL);
    assert_int_equal(s->n_half, 2);
    half_open(w, fd, 1, NULL); /* anybody may have sent that */
    assert_int_equal(s->n_half, 3);
    cookie_make(&s->cookies, addr, self.v4.sin_port, cookie);
    s->half[0].first->made.ns += LISTENER_HALF_MIN_MS * NSEC_PER_MSEC;
    for (struct key *k = s->half[0].first; k; k = k->half_next) {
        k->made.ns -= LISTENER_HALF_MIN_MS * NSEC_PER_MSEC;
    }
    for (uint32_t i = 2; i < 7; i++) {
        half_open(w, fd, i, cookie);
        assert_int_equal(s->n_half, 2);
        assert_int_equal(s->half[1].last->handshake.remote, i + 1);
    }
    for (uint32_t i = 7; i < 9; i++) { /* but what has just begun does not, whoever sent this */
        s->half[1].first->made.ns += LISTENER_HALF_MIN_MS * NSEC_PER_MSEC;
        half_open(w, fd, i, cookie);
        assert_int_equal(s->n_half, i - 4);
    }
    close(fd);
    close(other);
    world_free(w);
}

/* Counts the ACCEPTs that come back within a while, and adds the REJECTs to *ret_rejects. */
static unsigned accepts(struct world *w, int fd, unsigned *ret_rejects)
{
    uint8_t a[2048];
    ssize_t got;
    unsigned n = 0;
    world_run(w, never, 100);
    while ((got = recv(fd, a, sizeof(a), MSG_DONTWAIT)) > 0) {
        if (link_peek(a, (size_t)got) == LINK_REJECT) {
            (*ret_rejects)++;
        } else {
            assert_int_equal(link_peek(a, (size_t)got), LINK_ACCEPT);
            n++;
        }
    }
    return n;
}

/* However many wrong CONFIRMs come for a handshake, one guess is counted, and the right one still
 * counts. It is answered again where it is repeated, so often and no more; CONFIRMs that fit none
 * are not answered at all, nor are those from elsewhere. */
static void confirms(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    struct handshake_tap h = {0};
    struct handshake_keys keys;
    uint8_t d[HANDSHAKE_MESSAGE_MAX], a[2048],
        loopback[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
    unsigned rejects = 0;
    world_start_collector(w);
    int fd = attacker(w), elsewhere = attacker(w);
    int n = handshake_tap_hello(&h, &w->tap_secret, 1, d);
    assert_int_equal(send(fd, d, (size_t)n, 0), n);
    ssize_t got = answer_to(w, fd, a, sizeof(a));
    assert_true(got > 0);
    assert_int_equal(handshake_tap_answer(&h, a, (size_t)got, &keys), -EINPROGRESS);
    n = handshake_tap_confirm(&h, 0, d);
    for (unsigned i = 0; i < 1000; i++) {
        memcpy(a, d, (size_t)n);
        a[16 + i % 32] ^= (uint8_t)(1 + i % 255);
        assert_int_equal(send(fd, a, (size_t)n, 0), n);
        assert_int_equal(send(elsewhere, i % 2 ? a : d, (size_t)n, 0), n);
    }
    assert_int_equal(accepts(w, fd, &rejects), 0);
    assert_int_equal(rejects, 1);
    assert_int_equal(w->listener->counters.wrong_secret, 1);
    assert_false(guard_allows(&w->listener->guard, loopback, mono_now()));
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
        d[15] ^= 1; /* the collector's index is another: for nobody */
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
        d[15] ^= 1;
    }
    assert_in_range(accepts(w, fd, &rejects), ADMISSION_KEY_BURST, ADMISSION_KEY_BURST + 1);
    assert_int_equal(rejects, 1);
    assert_int_equal(w->listener->counters.wrong_secret, 1);
    assert_true(
        guard_allows(&w->listener->guard, loopback, mono_now())); /* what was counted is forgiven */
    assert_int_equal(accepts(w, elsewhere, &rejects), 0);
    handshake_tap_done(&h);
    close(fd);
    close(elsewhere);
    world_free(w);
}

/* Half of the send buffer is for sessions: when answers that do not leave have filled as much, no
 * handshake is answered, and from an eighth on each address that may be forged gets one now and
 * then. A datagram that is held back here stands for those. */
static void stuck_answers_leave_room(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    static uint8_t some[20000];
    int on = 1;
    struct listener *s = w->listener;
    int fd = attacker(w);
    const struct receiver_event e = {.from = w->listener_addr, .local = {.len = 0}};
    assert_int_equal(setsockopt(w->listener_fd[0], IPPROTO_UDP, UDP_CORK, &on, sizeof(on)), 0);
    assert_int_equal(sendto(w->listener_fd[0], some, sizeof(some), 0, &w->listener_addr.sa,
                            w->listener_addr.len),
                     sizeof(some));
    int stuck = udp_unsent(w->listener_fd[0]);
    assert_true(stuck >= (int)sizeof(some));
    s->send_buffer = 2 * stuck - 2; /* a little more than half of it */
    listener_answer(s, &e, true, some, 52);
    listener_answer(s, &e, false, some, 52);
    assert_int_equal(s->counters.unanswered, 2);
    s->send_buffer = 4 * stuck;
    for (unsigned i = 0; i < 10; i++) { /* each makes it a little fuller */
        listener_answer(s, &e, false, some, 1);
    }
    assert_in_range(s->counters.unanswered, 2 + 10 - ADMISSION_ANSWER_BURST - 1,
                    2 + 10 - ADMISSION_ANSWER_BURST);
    uint64_t before = s->counters.unanswered;
    listener_answer(s, &e, true, some, 1);
    s->send_buffer = 64 * stuck; /* not an eighth of it */
    listener_answer(s, &e, false, some, 1);
    assert_int_equal(s->counters.unanswered, before);
    close(fd);
    world_free(w);
}

/* The tap's INFO waits. */
static unsigned hold_info(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                          size_t len)
{
    (void)w, (void)r;
    return to_collector && link_peek(d, len) == LINK_RECORD ? 0 : 1;
}

static bool half_open_one(struct world *w)
{
    return w->listener->n_half > 0;
}

static void parse_list(const uint8_t key[KEY_LEN], const char *rest, struct allow_list *ret)
{
    char text[KEY_TEXT_LEN + 1], line[200];
    key_format(key, text);
    int n = snprintf(line, sizeof(line), "%s %s\n", text, rest);
    assert_int_equal(allow_parse(line, (size_t)n, "allow", ret, NULL), 0);
}

/* The list is replaced between ANSWER and INFO: the handshake goes on under the new entry where
 * that says the same, and comes to nothing where it does not, or where there is none. */
static void a_new_list_meets_half_open_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = world_new(LINK_NOISE);
        struct allow_list first = {0}, next = {0};
        struct listener_allowed told;
        uint8_t key[KEY_LEN];
        keys_of(w, &first);
        world_start_collector(w);
        w->fate = hold_info;
        world_start_tap(w, 0, "web1");
        world_must(w, half_open_one, 2000);
        const struct key *k = w->listener->half[0].first;
        assert_true(k->handshake.entry >= first.entries &&
                    k->handshake.entry < first.entries + first.n);
        key_public(w->tap_secret.identity, key);
        key[0] ^= i == 2; /* another tap's */
        parse_list(key, i == 1 ? "other" : "web1", &next);
        listener_set_allow(w->listener, &next, &told);
        allow_done(&first); /* nothing may point there any more */
        assert_int_equal(w->listener->n_half, i == 0);
        const struct allow_list *now = &w->listener->allow;
        if (i == 0) {
            assert_true(k->handshake.entry >= now->entries &&
                        k->handshake.entry < now->entries + now->n);
        }
        w->fate = NULL;
        w->tap[0].dialer->uplink.tries = i == 0 ? 1 : UPLINK_TRIES; /* no answer: it begins anew */
        if (i == 2) {
            world_run(w, never, 1000);
            assert_int_equal(w->listener->n_sessions, 0);
        } else {
            world_must(w, up0, 10000);
            assert_string_equal(w->listener->peer[0]->name, i == 0 ? "web1" : "other");
        }
        world_free(w);
    }
}

static bool zero(const void *p, size_t n)
{
    const uint8_t *d = p;
    for (size_t i = 0; i < n; i++) {
        if (d[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The secrets of a handshake are gone at both ends when its session is up. */
static void secrets_are_forgotten(void **state)
{
    (void)state;
    for (unsigned method = LINK_CPACE; method <= LINK_NOISE; method++) {
        struct world *w = world_new((enum link_method)method);
        struct allow_list list = {0};
        unsigned keys = 0;
        keys_of(w, &list);
        world_start(w);
        for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
            const struct key *k = w->listener->key[i];
            if (k && k->session) {
                const struct handshake_collector *h = &k->handshake;
                assert_true(zero(h->isk, sizeof(h->isk)) && zero(h->sid, sizeof(h->sid)));
                assert_int_equal(h->entry != NULL, method == LINK_NOISE);
                keys++;
            }
        }
        assert_int_equal(keys, 1);
        assert_true(zero(&w->tap[0].dialer->handshake, sizeof(struct handshake_tap)));
        world_free(w);
        allow_done(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tap_brings_a_cookie),
        cmocka_unit_test(a_session_needs_no_cookie),
        cmocka_unit_test(a_cookie_is_good_for_a_while),
        cmocka_unit_test(what_is_too_many_is_counted),
        cmocka_unit_test(refusals_are_counted_by_their_reason),
        cmocka_unit_test(planted_cookies),
        cmocka_unit_test(nothing_is_kept),
        cmocka_unit_test(half_open_is_bounded),
        cmocka_unit_test(confirms),
        cmocka_unit_test(a_new_hello_replaces_the_last),
        cmocka_unit_test(stuck_answers_leave_room),
        cmocka_unit_test(a_new_list_meets_half_open_keys),
        cmocka_unit_test(secrets_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
