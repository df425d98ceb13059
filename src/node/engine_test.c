/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures of packets, from a wish to a file and a report, on a pair of interfaces of the test's
 * own.
 */
#include "node/engine_testing.h"

#include <stdlib.h>

#include "sys/test_net.h"

enum {
    FRAMES = 3000,
};

/* When each of the frames was sent. */
struct sent {
    struct wall at[FRAMES][2];
    uint32_t n;
};

static void send_one(struct sent *s, int sender)
{
    assert_true(s->n < FRAMES);
    scene_frame(sender, s->n, s->at[s->n]);
    s->n++;
}

/* Sends frames all the time until the capture has that state. */
static void send_until(struct scene *w, struct sent *s, int sender, uint8_t id,
                       enum wanted_state state)
{
    const struct mono end = deadline_s(20);
    while (!scene_is(w, id) || scene_is(w, id)->state < state) {
        send_one(s, sender);
        scene_pass(w, 1);
        not_after(end);
    }
}

/* The file has exactly those of the frames that were sent within; of one that was sent while a
 * bound passed either is right. */
static void has_exactly(const struct scene_file *f, const struct sent *s, int64_t start,
                        int64_t stop)
{
    static bool is[FRAMES];
    memset(is, 0, sizeof(is));
    for (unsigned i = 0; i < f->frames; i++) {
        assert_true(f->frame[i].ts_ns >= start && f->frame[i].ts_ns < stop);
        assert_true(f->frame[i].number < s->n && !is[f->frame[i].number]);
        is[f->frame[i].number] = true;
    }
    unsigned within = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const int64_t first = s->at[i][0].ns, last = s->at[i][1].ns;
        within += first >= start && last < stop;
        assert_true(is[i] || first < start || last >= stop);
        assert_true(!is[i] || (last >= start && first < stop));
    }
    assert_true(within > 20);
}

static void exactly_its_frames(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    static struct sent s;
    const int sender = sender_on("va", 0);
    const struct wanted c[] = {scene_wish(1, WANTED_PACKET, 500, 300),
                               scene_wish(2, WANTED_PACKET, 450, 100)};
    scene_want(w, c, 2);
    send_until(w, &s, sender, 1, WANTED_DONE);
    (void)scene_state(w, 2, WANTED_DONE);
    for (uint8_t id = 1; id <= 2; id++) {
        const struct wanted_is *is = scene_is(w, id);
        struct scene_file *f = scene_pcapng(w, id);
        assert_int_equal(is->reason, WANTED_STOP_TIME);
        assert_int_equal(is->point[0].from_ns, c[id - 1].start_ns);
        assert_int_equal(is->point[0].until_ns, c[id - 1].stop_ns);
        assert_int_equal(is->written, f->frames);
        assert_int_equal(is->offered, f->frames);
        assert_int_equal(is->published, f->len);
        assert_true(f->sections == 1 && f->interfaces == 1);
        has_exactly(f, &s, c[id - 1].start_ns, c[id - 1].stop_ns);
        scene_file_free(f);
    }
    assert_int_equal(w->applied, w->generation);
    close(sender);
    scene_free(w);
}

/* ---- which frames ---- */

static void only_what_is_wished(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int there = sender_on("va", 0), back = sender_on("vb", 0);
    struct wanted c[4];
    for (uint8_t i = 0; i < 4; i++) {
        c[i] = scene_wish(i, WANTED_PACKET, 500, 10000);
    }
    (void)snprintf(c[0].filter, sizeof(c[0].filter), "udp dst port 53");
    c[1].dir = FRAME_DIR_OUT;
    c[2].snaplen = 20;
    (void)snprintf(c[3].filter, sizeof(c[3].filter), "udp and nonsense");
    scene_want(w, c, 4);
    const struct wanted_is *refused = scene_state(w, 3, WANTED_FAILED);
    assert_int_equal(refused->reason, WANTED_REFUSED);
    assert_non_null(strstr(refused->words, "syntax error"));
    for (uint8_t i = 0; i < 3; i++) {
        (void)scene_state(w, i, WANTED_RUNS);
    }
    for (uint32_t i = 0; i < 30; i++) {
        i % 3 == 0 ? scene_datagram(there, 1000) : scene_frame(i % 3 == 1 ? there : back, i, at);
    }
    scene_pass(w, 50);
    for (uint8_t i = 0; i < 3; i++) {
        c[i].cancelled = true;
    }
    scene_want(w, c, 4);
    for (uint8_t i = 0; i < 3; i++) {
        const struct wanted_is *is = scene_state(w, i, WANTED_DONE);
        struct scene_file *f = scene_pcapng(w, i);
        const unsigned frames[] = {10, 10, 30};
        assert_int_equal(is->reason, WANTED_CANCELLED);
        assert_int_equal(f->frames, frames[i]);
        assert_int_equal(is->written, frames[i]);
        assert_int_equal(is->unwanted, 30 - frames[i]);
        assert_int_equal(f->frame[0].caplen, i == 2 ? 20 : 60);
        assert_int_equal(f->frame[0].origlen, 60);
        assert_true(is->point[0].until_ns > at[1].ns && is->point[0].until_ns < wall_now().ns);
        scene_balanced(is);
        scene_file_free(f);
    }
    close(there);
    close(back);
    scene_free(w);
}

/* ---- limits ---- */

static void ends_at_its_limit(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int sender = sender_on("va", 0);
    struct wanted c[] = {scene_wish(1, WANTED_PACKET, 500, 60000),
                         scene_wish(2, WANTED_PACKET, 500, 60000)};
    c[0].most_frames = 100;
    c[1].most_bytes = 20000;
    c[1].stop_ns = INT64_MAX;
    scene_want(w, c, 2);
    (void)scene_state(w, 1, WANTED_RUNS);
    for (uint32_t i = 0; i < 100; i++) {
        scene_frame(sender, i, at);
    }
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE); /* without one more */
    assert_int_equal(is->reason, WANTED_LIMIT_FRAMES);
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(f->frames, 100);
    assert_true(is->point[0].until_ns > f->frame[99].ts_ns);
    scene_balanced(is);
    scene_file_free(f);
    for (uint32_t i = 100; i < 1000; i++) {
        scene_frame(sender, i, at);
    }
    is = scene_state(w, 2, WANTED_DONE);
    assert_int_equal(is->reason, WANTED_LIMIT_BYTES);
    f = scene_pcapng(w, 2);
    assert_true(f->len <= 20000 && f->len > 12000 && f->frames > 100);
    assert_int_equal(is->written, f->frames);
    assert_int_equal(f->frame[f->frames - 1].number, f->frames - 1);
    assert_true(is->point[0].until_ns > f->frame[f->frames - 1].ts_ns);
    assert_true(is->point[0].until_ns < at[0].ns);
    scene_balanced(is);
    scene_file_free(f);
    close(sender);
    scene_free(w);
}

static void its_stop_moves(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    static struct sent s;
    const int sender = sender_on("va", 0);
    struct wanted c = scene_wish(1, WANTED_PACKET, 500, 60000);
    scene_want(w, &c, 1);
    send_until(w, &s, sender, 1, WANTED_RUNS);
    c.stop_ns = wall_now().ns + 200 * NSEC_PER_MSEC;
    scene_want(w, &c, 1);
    send_until(w, &s, sender, 1, WANTED_DONE);
    const struct wanted_is *is = scene_is(w, 1);
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(is->point[0].until_ns, c.stop_ns);
    has_exactly(f, &s, c.start_ns, c.stop_ns);
    scene_file_free(f);
    close(sender);
    scene_free(w);
}

static void cancelled_before_it_began(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wanted c[] = {scene_wish(1, WANTED_PACKET, 60000, 1000),
                         scene_wish(2, WANTED_PACKET, 800, 1000)};
    scene_want(w, c, 2);
    (void)scene_state(w, 1, WANTED_WAITS);
    scene_pass(w, 100); /* the second one has its file */
    c[0].cancelled = c[1].cancelled = true;
    const struct mono before = mono_now();
    scene_want(w, c, 2);
    for (uint8_t i = 1; i <= 2; i++) {
        const struct wanted_is *is = scene_state(w, i, WANTED_DONE);
        assert_int_equal(is->reason, WANTED_CANCELLED);
        assert_int_equal(is->point[0].from_ns, is->point[0].until_ns);
    }
    assert_true(mono_diff(mono_now(), before) < 2 * NSEC_PER_SEC);
    scene_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_its_frames),        cmocka_unit_test(only_what_is_wished),
        cmocka_unit_test(ends_at_its_limit),         cmocka_unit_test(its_stop_moves),
        cmocka_unit_test(cancelled_before_it_began),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
