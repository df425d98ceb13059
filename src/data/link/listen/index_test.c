/* SPDX-License-Identifier: Apache-2.0
 *
 * The lookups of a listener that no loop runs: each session is found by its address, in a chain of
 * its own, and has a number that no other has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "data/link/listen/impl.h"

static struct listener *begin(void)
{
    struct listener *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    assert_int_equal(listener_index_init(s, 4711), 0);
    return s;
}

static void end(struct listener *s)
{
    listener_index_done(s);
    free(s);
}

/* An address of either family, by its last byte, with that port. */
static struct udp_addr address(bool six, uint8_t last, uint16_t port)
{
    struct udp_addr a;
    char text[32];
    snprintf(text, sizeof(text), six ? "2001:db8::%x" : "192.0.2.%u", last);
    assert_int_equal(udp_addr_parse(text, &a), 0);
    *(six ? &a.v6.sin6_port : &a.v4.sin_port) = htons(port);
    return a;
}

/* Many taps behind one address, and many addresses with one port: a datagram of one makes nobody
 * walk over the sessions of the others. */
static void each_address_has_its_own_chain(void **state)
{
    (void)state;
    enum { N = 64 };
    struct listener *s = begin();
    struct session *ss = calloc(4 * N, sizeof(*ss));
    struct key *key = calloc(4 * N, sizeof(*key));
    assert_true(ss && key);
    for (unsigned i = 0; i < 4 * N; i++) {
        const bool six = i % 4 >= 2, ports = i % 2;
        key[i].from =
            address(six, ports ? 1 : (uint8_t)(2 + i / 4), ports ? (uint16_t)(1000 + i / 4) : 999);
        ss[i].key = &key[i];
        listener_session_moved(s, &ss[i]);
    }
    for (unsigned i = 0; i < 4 * N; i++) {
        assert_ptr_equal(listener_session_at(s, &key[i].from), &ss[i]);
        for (unsigned k = 0; k < i; k++) {
            assert_true(ss[k].by_address.hash != ss[i].by_address.hash);
        }
    }
    const struct udp_addr before = key[5].from;
    key[5].from = address(true, 200, 77);
    listener_session_moved(s, &ss[5]);
    assert_null(listener_session_at(s, &before));
    assert_ptr_equal(listener_session_at(s, &key[5].from), &ss[5]);
    ss[5].closing = true;
    assert_null(listener_session_at(s, &key[5].from));
    free(key);
    free(ss);
    end(s);
}

static void add(struct listener *s, struct session *ss, unsigned wanted)
{
    const unsigned n = s->n_sessions;
    ss->tag = wanted + 1;
    listener_session_add(s, ss);
    assert_int_equal(ss->id, wanted);
    assert_ptr_equal(s->session[wanted], ss);
    assert_int_equal(s->n_sessions, n + 1);
    assert_ptr_equal(listener_session_tagged(s, ss->tag, NULL), ss);
}

static void leave(struct listener *s, struct session *ss)
{
    const unsigned n = s->n_sessions;
    listener_session_remove(s, ss);
    assert_null(s->session[ss->id]);
    assert_int_equal(s->n_sessions, n - 1);
    assert_null(listener_session_tagged(s, ss->tag, NULL));
}

/* Numbers are given out in turn, so that one that was in use is not used again at once, and those
 * that still are in use are left out. */
static void numbers_are_given_out_in_turn(void **state)
{
    (void)state;
    struct listener *s = begin();
    struct session *ss = calloc(RECEIVER_SESSIONS, sizeof(*ss));
    assert_non_null(ss);
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        if (i == 3) {
            leave(s, &ss[2]);
        }
        add(s, &ss[i], i);
    }
    add(s, &ss[2], 2);
    assert_int_equal(s->n_sessions, RECEIVER_SESSIONS);
    leave(s, &ss[20]);
    leave(s, &ss[11]);
    leave(s, &ss[10]);
    leave(s, &ss[1]);
    add(s, &ss[10], 10);
    add(s, &ss[11], 11);
    add(s, &ss[20], 20);
    add(s, &ss[1], 1); /* begins anew behind the last */
    free(ss);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_has_its_own_chain),
        cmocka_unit_test(numbers_are_given_out_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
