/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture's story as its manager keeps it: each way through its states, lives that come and go,
 * and reports that are lost, come twice or late, against a plain model of the sums.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "model/capture.h"

#define SEC INT64_C(1000000000)

enum {
    START = 1000, /* s, and so is the next */
    STOP = 1060,
};

static struct capture make(void)
{
    return (struct capture){.type = CAPTURE_PACKET,
                            .start_ns = START * SEC,
                            .stop_ns = STOP * SEC,
                            .n_points = 1,
                            .state = CAPTURE_SCHEDULED};
}

static struct capture_report report(uint64_t life, enum capture_state state, int64_t from_s,
                                    int64_t until_s, uint64_t written)
{
    return (struct capture_report){
        .life = life,
        .state = state,
        .words = "",
        .published = written * 100,
        .found = CAPTURE_UNKNOWN,
        .counts = {.offered = written + 2, .unwanted = 2, .written = written},
        .n_points = 1,
        .point = {{from_s * SEC, until_s * SEC}}};
}

static void it_is_told_ahead_of_its_start(void **state)
{
    (void)state;
    struct capture c = make();
    assert_false(capture_is_wanted(&c, (START - 10) * SEC - 1));
    assert_true(capture_is_wanted(&c, (START - 10) * SEC));
    assert_true(capture_is_wanted(&c, (STOP + 1000) * SEC)); /* until somebody tells how it went */
    c.state = CAPTURE_RUNNING;
    assert_true(capture_is_wanted(&c, (START - 3600) * SEC)); /* the clock was set back */
    c.state = CAPTURE_DONE;
    assert_false(capture_is_wanted(&c, START * SEC));
}

static void it_runs_to_its_stop(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    struct capture_report r = report(7, CAPTURE_SCHEDULED, 0, 0, 0);
    r.counts = (struct capture_counts){0};
    assert_false(capture_take(&c, &r, (START - 1) * SEC));
    r = report(7, CAPTURE_RUNNING, START, START + 10, 5);
    assert_true(capture_take(&c, &r, (START + 10) * SEC));
    assert_int_equal(c.state, CAPTURE_RUNNING);
    assert_int_equal(c.began_ns, START * SEC);
    assert_int_equal(c.published, 500);
    assert_false(capture_take(&c, &r, (START + 10) * SEC)); /* again */
    assert_false(capture_next_gap(&c, &g));                 /* it goes on */
    r = report(7, CAPTURE_FINISHING, START, STOP - 1, 6);
    assert_true(capture_take(&c, &r, STOP * SEC));
    assert_int_equal(c.state, CAPTURE_FINISHING);
    assert_false(capture_is_cancelled(&c));
    struct capture_report late = report(7, CAPTURE_RUNNING, START, START + 20, 5);
    assert_false(capture_take(&c, &late, STOP * SEC)); /* never back */
    assert_int_equal(c.state, CAPTURE_FINISHING);
    r = report(7, CAPTURE_DONE, START, STOP, 8);
    r.code = CAPTURE_CODE_STOP_TIME;
    assert_true(capture_take(&c, &r, (STOP + 1) * SEC));
    assert_int_equal(c.state, CAPTURE_DONE);
    assert_int_equal(c.code, CAPTURE_CODE_STOP_TIME);
    assert_string_equal(c.reason, "its stop has come");
    assert_int_equal(c.ended_ns, STOP * SEC);
    assert_int_equal(capture_counts(&c).written, 8);
    assert_int_equal(capture_counts(&c).offered, 10);
    assert_false(capture_next_gap(&c, &g));
    r.counts.written = 1000;
    assert_false(capture_take(&c, &r, (STOP + 2) * SEC)); /* it has ended */
    assert_int_equal(capture_counts(&c).written, 8);
}

static void check_gap(const struct capture *c, struct capture_gap *g, int64_t from_s,
                      int64_t until_s, const char *why)
{
    assert_true(capture_next_gap(c, g));
    assert_int_equal(g->span.from_ns, from_s * SEC);
    assert_int_equal(g->span.until_ns, until_s * SEC);
    assert_string_equal(g->why, why);
}

static void lives_add_up_and_leave_gaps(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    struct capture_report a = report(1, CAPTURE_RUNNING, START + 2, START + 10, 100);
    struct capture_report b = report(2, CAPTURE_RUNNING, START + 15, START + 30, 50);
    assert_true(capture_take(&c, &a, 0));
    assert_true(capture_take(&c, &b, 0));
    assert_false(capture_take(&c, &a, 0)); /* late */
    assert_int_equal(capture_counts(&c).written, 150);
    assert_int_equal(capture_counts(&c).offered, 154);
    check_gap(&c, &g, START, START + 2, "it began late");
    check_gap(&c, &g, START + 10, START + 15, "it was interrupted");
    assert_false(capture_next_gap(&c, &g));
    b = report(2, CAPTURE_FAILED, START + 15, START + 31, 51);
    b.code = CAPTURE_CODE_DISK_FULL;
    b.words = "no room is left on /var";
    assert_true(capture_take(&c, &b, 0));
    assert_int_equal(c.state, CAPTURE_FAILED);
    assert_string_equal(c.reason, "no room is left on /var");
    g = (struct capture_gap){0};
    check_gap(&c, &g, START, START + 2, "it began late");
    check_gap(&c, &g, START + 10, START + 15, "it was interrupted");
    check_gap(&c, &g, START + 31, STOP, "it ended early");
    assert_false(capture_next_gap(&c, &g));
}

static void each_point_has_its_gaps(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    c.n_points = 3;
    struct capture_report r = report(1, CAPTURE_DONE, START, STOP, 1);
    r.code = CAPTURE_CODE_STOP_TIME;
    r.n_points = 3;
    r.point[2] = (struct span){(START + 1) * SEC, STOP * SEC};
    assert_true(capture_take(&c, &r, 0));
    check_gap(&c, &g, START, STOP, "nothing was captured");
    assert_int_equal(g.point, 1);
    check_gap(&c, &g, START, START + 1, "it began late");
    assert_int_equal(g.point, 2);
    assert_false(capture_next_gap(&c, &g));
}

static void limits_have_no_gap_behind_them(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    c.type = CAPTURE_NETFLOW;
    c.limit_frames = 10;
    assert_int_equal(capture_frames_left(&c, 1), 10);
    struct capture_report r = report(1, CAPTURE_RUNNING, START, START + 5, 4);
    assert_true(capture_take(&c, &r, 0));
    assert_int_equal(capture_frames_left(&c, 1), 10); /* for the life that has written them */
    assert_int_equal(capture_frames_left(&c, 2), 6);
    r = report(2, CAPTURE_DONE, START + 5, START + 6, 6);
    r.code = CAPTURE_CODE_LIMIT_FRAMES;
    assert_true(capture_take(&c, &r, 0));
    assert_int_equal(capture_counts(&c).written, 10);
    assert_int_equal(c.ended_ns, (START + 6) * SEC);
    assert_false(capture_next_gap(&c, &g));

    /* The life that had reached the limit died before it told that it was done. */
    c = make();
    c.limit_frames = 4;
    r = report(1, CAPTURE_RUNNING, START, START + 5, 4);
    assert_true(capture_take(&c, &r, 0));
    assert_false(capture_expire(&c, 1, 0, (START + 5) * SEC));
    assert_false(capture_expire(&c, 0, 0, (START + 5) * SEC)); /* nobody knows which life is next */
    assert_true(capture_expire(&c, 2, 0, (START + 6) * SEC));
    assert_int_equal(c.state, CAPTURE_DONE);
    assert_int_equal(c.code, CAPTURE_CODE_LIMIT_FRAMES);
}

static void an_empty_one_says_why(void **state)
{
    (void)state;
    static const struct {
        struct capture_counts counts;
        enum capture_type type;
        const char *words;
    } cases[] = {
        {{.offered = 12, .unwanted = 12},
         CAPTURE_PACKET,
         "its stop has come; 12 frames passed by and none was wanted"},
        {{.offered = 1, .unwanted = 1},
         CAPTURE_NETFLOW,
         "its stop has come; 1 frame passed by and none was wanted"},
        {{0}, CAPTURE_PACKET, "its stop has come; no frame passed by"},
        {{.offered = 9, .unwanted = 6, .dropped = 3},
         CAPTURE_PACKET,
         "its stop has come; 9 frames passed by, of which 3 were lost"},
        {{0}, CAPTURE_ETHERNET, "its stop has come"},
        {{.offered = 9, .written = 9}, CAPTURE_PACKET, "its stop has come"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct capture c = make();
        struct capture_report r = report(1, CAPTURE_DONE, START, STOP, 0);
        c.type = cases[i].type;
        r.code = CAPTURE_CODE_STOP_TIME;
        r.counts = cases[i].counts;
        assert_true(capture_take(&c, &r, 0));
        assert_int_equal(c.state, CAPTURE_DONE);
        assert_string_equal(c.reason, cases[i].words);
    }
}

static void cancelled_ones_are_whole_up_to_there(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    struct capture_report r = report(1, CAPTURE_RUNNING, START, START + 5, 4);
    assert_true(capture_take(&c, &r, 0));
    c.state = CAPTURE_FINISHING;
    c.code = CAPTURE_CODE_CANCELLED;
    (void)snprintf(c.reason, sizeof(c.reason), "cancelled by alice");
    assert_true(capture_is_cancelled(&c));
    r = report(1, CAPTURE_RUNNING, START, START + 6, 5);
    assert_true(capture_take(&c, &r, 0));
    assert_true(capture_is_cancelled(&c));
    r = report(1, CAPTURE_DONE, START, START + 7, 6);
    r.code = CAPTURE_CODE_CANCELLED;
    assert_true(capture_take(&c, &r, 0));
    assert_int_equal(c.state, CAPTURE_CANCELLED);
    assert_string_equal(c.reason, "cancelled by alice");
    assert_int_equal(c.ended_ns, (START + 7) * SEC);
    assert_false(capture_next_gap(&c, &g));
}

/* The host was down, and the data role hears of it behind its stop. */
static void missed_ones(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    struct capture_report r = report(1, CAPTURE_DONE, 0, 0, 0);
    r.code = CAPTURE_CODE_STOP_TIME;
    r.counts = (struct capture_counts){0};
    assert_true(capture_take(&c, &r, (STOP + 5) * SEC));
    assert_int_equal(c.state, CAPTURE_FAILED);
    assert_int_equal(c.code, CAPTURE_CODE_MISSED);
    assert_string_equal(c.reason, "its stop had passed before it could begin");
    assert_int_equal(c.ended_ns, (STOP + 5) * SEC);
    check_gap(&c, &g, START, STOP, "nothing was captured");

    /* A life whose rings were open ahead ended before the start: nothing has begun. */
    c = make();
    struct capture_report ahead = report(1, CAPTURE_SCHEDULED, START, START, 0);
    ahead.counts = (struct capture_counts){0};
    (void)capture_take(&c, &ahead, (START - 1) * SEC);
    assert_int_equal(c.began_ns, 0);
    r.life = 2;
    assert_true(capture_take(&c, &r, (STOP + 5) * SEC));
    assert_int_equal(c.code, CAPTURE_CODE_MISSED);

    /* It hears of it so late that it finds no interface. */
    c = make();
    r.state = CAPTURE_FAILED;
    r.code = CAPTURE_CODE_POINT_GONE;
    r.words = "no interface eth0 was there";
    r.late = true;
    assert_true(capture_take(&c, &r, (STOP + 5) * SEC));
    assert_int_equal(c.code, CAPTURE_CODE_MISSED);
    c = make();
    struct capture_report first = report(1, CAPTURE_RUNNING, START, START + 5, 4);
    assert_true(capture_take(&c, &first, 0));
    assert_true(capture_take(&c, &r, (STOP + 5) * SEC));
    assert_int_equal(c.state, CAPTURE_DONE);
    assert_string_equal(c.reason, "its stop has come");
    c = make();
    r.late = false;
    assert_true(capture_take(&c, &r, (STOP + 5) * SEC));
    assert_int_equal(c.state, CAPTURE_FAILED);
    assert_string_equal(c.reason, "no interface eth0 was there");
}

/* A capture of flows is complete only up to what is in the file; it has begun before. */
static void one_begins_before_it_covers(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_report r = report(1, CAPTURE_RUNNING, START, START, 0);
    assert_true(capture_take(&c, &r, 0));
    assert_int_equal(c.began_ns, START * SEC);
    assert_int_equal(c.covered[0].n, 0);
    c = make();
    r = report(1, CAPTURE_RUNNING, STOP, STOP, 0); /* too late */
    assert_true(capture_take(&c, &r, 0));
    assert_int_equal(c.began_ns, 0);
}

/* Nobody is there to tell how it ended. */
static void ones_that_nobody_tells_of(void **state)
{
    (void)state;
    struct capture c = make();
    struct capture_gap g = {0};
    assert_false(capture_expire(&c, 0, CAPTURE_SILENCE_MS, (STOP + 60) * SEC - 1000000));
    assert_false(capture_expire(&c, 0, CAPTURE_SILENCE_MS - 1, (STOP + 60) * SEC));
    assert_true(capture_expire(&c, 0, CAPTURE_SILENCE_MS, (STOP + 60) * SEC));
    assert_int_equal(c.code, CAPTURE_CODE_MISSED);
    assert_false(capture_expire(&c, 0, CAPTURE_SILENCE_MS, (STOP + 60) * SEC));

    /* It had begun. */
    c = make();
    struct capture_report r = report(1, CAPTURE_RUNNING, START, START + 5, 4);
    assert_true(capture_take(&c, &r, 0));
    assert_true(capture_expire(&c, 0, CAPTURE_SILENCE_MS, (STOP + 60) * SEC));
    assert_int_equal(c.state, CAPTURE_DONE);
    check_gap(&c, &g, START + 5, STOP, "it ended early");

    /* It was cancelled, and has no stop. */
    c = make();
    c.stop_ns = INT64_MAX;
    c.state = CAPTURE_FINISHING;
    assert_false(capture_expire(&c, 0, INT64_MAX, (STOP + 600) * SEC));
    c.code = CAPTURE_CODE_CANCELLED;
    assert_true(capture_expire(&c, 0, CAPTURE_SILENCE_MS, (START + 1) * SEC));
    assert_int_equal(c.state, CAPTURE_CANCELLED);
}

static uint32_t chance(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

enum {
    LIVES = 7,
    REPORTS = 12, /* of a life */
};

/* Any order, some twice, some never: the sum is that of the last report that came of each life. */
static void no_report_counts_twice(void **state)
{
    (void)state;
    for (uint64_t story = 1; story <= 500; story++) {
        uint64_t seed = story, written = 0, most[LIVES] = {0}, published = 0;
        struct capture_report all[LIVES * REPORTS];
        struct capture c = make();
        for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
            const unsigned life = i / REPORTS, at = i % REPORTS;
            written = at == 0 ? 0 : written + chance(&seed, 10);
            all[i] = report(life + 1, CAPTURE_RUNNING, START + 8 * life, START + 8 * life + at / 2,
                            written);
        }
        for (unsigned k = 0; k < 200; k++) {
            const unsigned i = chance(&seed, ARRAY_SIZE(all));
            (void)capture_take(&c, &all[i], 0);
            assert_false(capture_take(&c, &all[i], 0));
            uint64_t *to = &most[i / REPORTS];
            *to = all[i].counts.written > *to ? all[i].counts.written : *to;
            published = all[i].published > published ? all[i].published : published;
        }
        uint64_t sum = 0;
        for (unsigned i = 0; i < LIVES; i++) {
            sum += most[i];
        }
        assert_int_equal(capture_counts(&c).written, sum);
        assert_int_equal(c.published, published);
        assert_true(c.covered[0].n <= LIVES);
    }
}

static void many_lives_are_summed_up(void **state)
{
    (void)state;
    struct capture c = make();
    for (uint64_t life = 1; life <= 3 * CAPTURE_LIVES; life++) {
        struct capture_report r = report(life, CAPTURE_RUNNING, 0, 0, life);
        assert_true(capture_take(&c, &r, 0));
    }
    assert_int_equal(c.n_lives, CAPTURE_LIVES);
    assert_int_equal(capture_counts(&c).written, 3 * CAPTURE_LIVES * (3 * CAPTURE_LIVES + 1) / 2);
    struct capture_report r = report(99, CAPTURE_RUNNING, 0, 0, 1);
    r.counts.offered = UINT64_MAX;
    assert_true(capture_take(&c, &r, 0));
    assert_true(capture_counts(&c).offered == UINT64_MAX);
}

/* A life that dies has told of fewer frames than it has written, or of some that never reached the
 * file: the next one says what is there. */
static void the_file_is_right(void **state)
{
    (void)state;
    static const struct {
        uint64_t told, found, offered, dropped;
    } cases[] = {{100, 130, 132, 0}, {100, 100, 102, 0}, {100, 70, 102, 30}, {0, 5, 7, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct capture c = make();
        c.limit_frames = 1000;
        struct capture_report a = report(1, CAPTURE_RUNNING, START, START + 5, cases[i].told);
        struct capture_report b = report(2, CAPTURE_SCHEDULED, 0, 0, 0);
        b.counts = (struct capture_counts){0};
        b.found = cases[i].found;
        assert_true(capture_take(&c, &a, 0));
        assert_int_equal(capture_take(&c, &b, 0), true);
        assert_false(capture_take(&c, &b, 0));
        assert_false(capture_take(&c, &a, 0)); /* late */
        assert_int_equal(capture_counts(&c).written, cases[i].found);
        assert_int_equal(capture_counts(&c).offered, cases[i].offered);
        assert_int_equal(capture_counts(&c).dropped, cases[i].dropped);
        b.counts = (struct capture_counts){.offered = 10, .unwanted = 3, .written = 7};
        assert_true(capture_take(&c, &b, 0));
        assert_int_equal(capture_counts(&c).written, cases[i].found + 7);
        assert_int_equal(capture_counts(&c).offered, cases[i].offered + 10);
        b.life = 3;
        b.found = cases[i].found + 7;
        b.counts = (struct capture_counts){0};
        (void)capture_take(&c, &b, 0);
        assert_int_equal(capture_counts(&c).written, cases[i].found + 7);
        c.limit_frames = cases[i].found + 8;
        assert_int_equal(capture_frames_left(&c, 3), c.limit_frames); /* that the file may have */
        assert_false(capture_expire(&c, 3, 0, 0));
        c.limit_frames--;
        assert_true(capture_expire(&c, 3, 0, 0));
        assert_int_equal(c.code, CAPTURE_CODE_LIMIT_FRAMES);
    }
}

static void codes_are_the_words_of_their_field(void **state)
{
    (void)state;
    const struct field *f = &kind_capture.field[CAPTURE_F_CODE];
    static const char *const words[] = {"stop-time", "limit-bytes", "limit-frames",
                                        "cancelled", "disk-full",   "point-gone",
                                        "refused",   "missed",      "damaged"};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        assert_int_equal(field_word(f, words[i]), i);
    }
    assert_int_equal(CAPTURE_CODES, ARRAY_SIZE(words) + 1);
    assert_int_equal(field_word(f, "limit-frames"), CAPTURE_CODE_LIMIT_FRAMES - 1);
    assert_int_equal(field_word(f, "missed"), CAPTURE_CODE_MISSED - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_ahead_of_its_start),
        cmocka_unit_test(it_runs_to_its_stop),
        cmocka_unit_test(lives_add_up_and_leave_gaps),
        cmocka_unit_test(each_point_has_its_gaps),
        cmocka_unit_test(limits_have_no_gap_behind_them),
        cmocka_unit_test(an_empty_one_says_why),
        cmocka_unit_test(cancelled_ones_are_whole_up_to_there),
        cmocka_unit_test(missed_ones),
        cmocka_unit_test(one_begins_before_it_covers),
        cmocka_unit_test(ones_that_nobody_tells_of),
        cmocka_unit_test(no_report_counts_twice),
        cmocka_unit_test(many_lives_are_summed_up),
        cmocka_unit_test(the_file_is_right),
        cmocka_unit_test(codes_are_the_words_of_their_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
