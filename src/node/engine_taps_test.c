/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows from the messages of control to copies that arrive, with a broker beside the engine:
 * flows from vb, where frames that are sent by va come in, to da, on whose other end, db, their
 * copies are seen.
 */
#include "node/engine_testing.h"

#include "node/test_taps.h"

enum {
    FLOW = 7,
    FRAMES = 5,
};

/* A flow of that number, and of that service. */
static struct tap_want flow(uint8_t number, const char *filter)
{
    struct tap_want f = {.id = {0xfe, number},
                         .service = {1},
                         .source = "vb",
                         .destination = "da",
                         .dir = FRAME_DIR_IN};
    (void)snprintf(f.filter, sizeof(f.filter), "%s", filter);
    return f;
}

static void want(struct scene *w, const struct tap_want *f)
{
    scene_send(w, &(struct rolemsg){.type = ROLEMSG_TAP, .tap = *f});
}

static void unwant(struct scene *w, uint8_t number)
{
    scene_send(w, &(struct rolemsg){.type = ROLEMSG_UNTAP, .id = {0xfe, number}});
}

static bool is_let_go(struct scene *w, const void *arg)
{
    return w->tapped == *(const uint64_t *)arg;
}

/* Ends the set of `n` flows, and waits until it is carried out. */
static void end_set(struct scene *w, uint32_t n)
{
    const uint64_t generation = ++w->generation;
    scene_send(w, &(struct rolemsg){.type = ROLEMSG_TAPS, .generation = generation, .taps = n});
    scene_wait(w, is_let_go, &generation);
}

struct told {
    enum tap_state state;
    const char *words;
    uint64_t frames; /* or more */
};

static bool is_told(struct scene *w, const void *arg)
{
    const struct told *t = arg;
    return w->tap_is.state == t->state && strstr(w->tap_is.words, t->words) &&
           w->tap_is.frames >= t->frames;
}

static void wait_told(struct scene *w, enum tap_state state, const char *words, uint64_t frames)
{
    const struct told t = {state, words, frames};
    scene_wait(w, is_told, &t);
    assert_int_equal(w->tap_is.way, state == TAP_IS_FLOWING ? TAP_WAY_KERNEL : TAP_WAY_NONE);
}

static unsigned programs(void)
{
    struct bpf_chain c;
    assert_int_equal(bpf_chain(index_of("vb"), false, &c, NULL), 0);
    return c.n;
}

/* The copies of FRAMES frames, and of as many datagrams. */
static unsigned copies(void)
{
    static struct seen s;
    const int copy = watch("db", false, NULL, 0), original = watch("vb", false, NULL, 0),
              tx = sender_on("va", 0);
    struct wall at[2];
    for (uint32_t i = 0; i < FRAMES; i++) {
        scene_frame(tx, i, at);
        assert_true(see(original, &s, 2000));
        scene_datagram(tx, 53);
        assert_true(see(original, &s, 2000));
    }
    close(tx);
    close(original);
    const unsigned n = waiting(copy);
    close(copy);
    return n;
}

/* ---- one flow ---- */

static void a_flow_comes_and_goes(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct tap_want f = flow(FLOW, "");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FLOWING, "", 0);
    assert_int_equal(w->tap_is.id[1], FLOW);
    assert_int_equal(copies(), 2 * FRAMES);
    wait_told(w, TAP_IS_FLOWING, "", 2 * FRAMES);
    assert_int_equal(w->tap_is.frames, 2 * FRAMES);
    assert_int_equal(w->tap_is.bytes, 2 * FRAMES * 60);
    assert_int_equal(w->tap_is.dropped, 0);
    const unsigned told = w->n_tap_is;
    scene_pass(w, 2500);
    assert_int_equal(w->n_tap_is, told); /* nothing is counted, and nothing told */
    unwant(w, FLOW);
    end_set(w, 0);
    assert_int_equal(copies(), 0);
    assert_int_equal(programs(), 0);
    unwant(w, FLOW); /* it has gone already */
    end_set(w, 0);
    assert_int_equal(w->ended, 0);
    scene_free(w);
}

static void a_filter_holds(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct tap_want f = flow(FLOW, "udp src port 53");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FLOWING, "", 0);
    assert_int_equal(copies(), FRAMES);
    (void)snprintf(f.filter, sizeof(f.filter), "tcp");
    want(w, &f);
    end_set(w, 1);
    assert_int_equal(copies(), 0);
    scene_free(w);
}

/* Several wishes for one flow, one right behind the other. */
static void the_last_of_several_wishes_holds(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct tap_want f = flow(FLOW, "tcp");
    want(w, &f);
    (void)snprintf(f.filter, sizeof(f.filter), "udp");
    want(w, &f);
    f.dir = FRAME_DIR_UNKNOWN;
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FLOWING, "", 0);
    assert_int_equal(copies(), FRAMES);
    scene_free(w);
}

static void a_filter_that_is_none_fails_in_libpcaps_words(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct tap_want f = flow(FLOW, "nonsense here");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FAILED, "syntax error", 0);
    assert_int_equal(programs(), 0);
    f = flow(FLOW, "udp");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FLOWING, "", 0);
    f = flow(FLOW, "nonsense again");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FAILED, "syntax error", 0);
    assert_int_equal(copies(), 0); /* nor by the filter before it */
    scene_free(w);
}

/* A filter that libpcap or the kernel refuses leaves no copy behind. */
static void each_wish_is_answered(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct tap_want f = flow(FLOW, "");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FLOWING, "", 0);
    for (unsigned i = 0; i < 3; i++) {
        w->tap_is = (struct tap_is){.state = TAP_IS_AWAY};
        f.dir = i == 0 ? FRAME_DIR_UNKNOWN : FRAME_DIR_IN;
        want(w, &f);
        end_set(w, 1);
        wait_told(w, TAP_IS_FLOWING, "", 0);
    }
    scene_free(w);
}

static void names_that_no_interface_has_fail(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct tap_want f = flow(FLOW, "");
    (void)snprintf(f.source, sizeof(f.source), "vb9");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_AWAY, "the interface vb9 is not there", 0);
    (void)snprintf(f.source, sizeof(f.source), "a-name-that-is-too-long");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FAILED, "no interface has a name like that", 0);
    (void)snprintf(f.source, sizeof(f.source), "da");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FAILED, "cannot be tapped to itself", 0);
    scene_free(w);
}

static void interfaces_that_come_and_go_are_told(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct tap_want f = flow(FLOW, "");
    want(w, &f);
    end_set(w, 1);
    wait_told(w, TAP_IS_FLOWING, "", 0);
    sh("ip link set db down");
    wait_told(w, TAP_IS_AWAY, "has no carrier", 0);
    sh("ip link set db up");
    wait_told(w, TAP_IS_FLOWING, "", 0);
    sh("ip link del da");
    wait_told(w, TAP_IS_AWAY, "da is not there", 0);
    scene_free(w);
}

/* ---- sessions and lives ---- */

static bool has_session(struct scene *w, const void *arg)
{
    return w->sessions > *(const unsigned *)arg && w->rounds > 0;
}

static void lose_session(struct scene *w)
{
    const unsigned sessions = w->sessions;
    scene_hang_up(w);
    w->rounds = 0;
    scene_wait(w, has_session, &sessions);
    w->tap_is = (struct tap_is){.state = TAP_IS_AWAY};
}

static void a_new_session_tells_all(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct tap_want f = flow(FLOW, ""), g = flow(FLOW + 1, "tcp");
    want(w, &f);
    want(w, &g);
    end_set(w, 2);
    assert_int_equal(copies(), 2 * FRAMES);
    lose_session(w);
    assert_int_equal(copies(), 2 * FRAMES); /* it goes on */
    want(w, &f);
    end_set(w, 1); /* without the other one */
    wait_told(w, TAP_IS_FLOWING, "", 4 * FRAMES);
    assert_int_equal(w->tap_is.frames, 4 * FRAMES);
    assert_int_equal(copies(), 2 * FRAMES);
    lose_session(w);
    end_set(w, 0);
    assert_int_equal(copies(), 0);
    assert_int_equal(programs(), 0);
    scene_free(w);
}

static void a_set_of_another_number_ends_the_session(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct tap_want f = flow(FLOW, "");
    const unsigned sessions = w->sessions;
    want(w, &f);
    scene_send(w, &(struct rolemsg){.type = ROLEMSG_TAPS, .generation = 5, .taps = 2});
    w->rounds = 0;
    scene_wait(w, has_session, &sessions);
    assert_int_not_equal(w->tapped, 5);
    scene_free(w);
}

static void flows_go_on_when_the_engine_dies(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct tap_want f = flow(FLOW, "udp"), g = flow(FLOW + 1, "");
    want(w, &f);
    want(w, &g);
    end_set(w, 2);
    assert_int_equal(copies(), 2 * FRAMES);
    scene_kill(w);
    assert_int_equal(copies(), 2 * FRAMES);
    scene_start(w);
    assert_int_equal(copies(), 2 * FRAMES); /* before anything is wanted of it */
    want(w, &f);
    end_set(w, 1);
    assert_int_equal(copies(), FRAMES); /* the other one has gone */
    wait_told(w, TAP_IS_FLOWING, "", 0);
    assert_int_equal(programs(), 1);
    scene_free(w);
}

static void a_life_of_which_nothing_is_wanted_gives_all_up(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct tap_want f = flow(FLOW, "");
    end_set(w, 0); /* a broker that has never heard of any */
    want(w, &f);
    end_set(w, 1);
    assert_int_equal(copies(), 2 * FRAMES);
    scene_kill(w);
    scene_start(w);
    end_set(w, 0);
    assert_int_equal(copies(), 0);
    assert_int_equal(programs(), 0);
    want(w, &f);
    end_set(w, 1);
    assert_int_equal(copies(), 2 * FRAMES);
    scene_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, taps_namespace)
        T(a_flow_comes_and_goes),
        T(a_filter_holds),
        T(the_last_of_several_wishes_holds),
        T(a_filter_that_is_none_fails_in_libpcaps_words),
        T(each_wish_is_answered),
        T(names_that_no_interface_has_fail),
        T(interfaces_that_come_and_go_are_told),
        T(a_new_session_tells_all),
        T(a_set_of_another_number_ends_the_session),
        T(flows_go_on_when_the_engine_dies),
        T(a_life_of_which_nothing_is_wanted_gives_all_up),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
