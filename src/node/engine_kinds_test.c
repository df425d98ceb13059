/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures of flows, with those of a moment, and of link counters.
 */
#include "node/engine_testing.h"

#include <stdlib.h>

#include "proto/ipfix_read.h"
#include "sys/test_net.h"

/* Records and packets of a file of flows, of both directions. */
struct sums {
    uint64_t records, packets;
    int64_t first_ns, last_ns;
};

static void add(void *user, const struct flowrec *r)
{
    struct sums *s = user;
    s->records++;
    s->packets += r->packets + r->reverse.packets;
    s->first_ns = s->first_ns == 0 ? r->first_ns : MIN(s->first_ns, r->first_ns);
    s->last_ns = MAX(s->last_ns, r->last_ns);
}

static struct sums sums_of(const struct scene *w, uint8_t id, const char *suffix)
{
    struct sums s = {.records = 0};
    struct ipfix_read_counts counts;
    size_t len = 0;
    uint8_t *bytes = scene_read(w, id, suffix, &len);
    assert_int_equal(ipfix_read(bytes, len, add, &s, &counts), 0);
    free(bytes);
    return s;
}

static bool has_begun(struct scene *w, const void *arg)
{
    const struct wanted_is *is = scene_is(w, 1);
    (void)arg;
    return is && is->point[0].from_ns > 0;
}

static bool has_metered(struct scene *w, const void *arg)
{
    const uint64_t *frames = arg;
    const struct wanted_is *is = scene_is(w, 1);
    return is && is->written >= *frames;
}

/* Their records would be lost with the process. */
static bool claims_nothing(struct scene *w)
{
    return scene_is(w, 1)->point[0].until_ns == scene_is(w, 1)->point[0].from_ns;
}

static bool was_snapped(struct scene *w, const void *arg)
{
    const unsigned *before = arg;
    return w->snapped > *before;
}

static void snap(struct scene *w, uint8_t id, int code)
{
    const unsigned before = w->snapped;
    scene_send(w, &(struct rolemsg){.type = ROLEMSG_SNAPSHOT, .id = {0xfe, id}});
    scene_wait(w, was_snapped, &before);
    assert_int_equal(w->snapped_code, code);
}

static void flows_and_those_of_a_moment(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const int sender = sender_on("va", 0);
    struct wanted c[] = {scene_wish(1, WANTED_NETFLOW, 500, 2000),
                         scene_wish(2, WANTED_PACKET, 0, 10000)};
    c[0].n_points = 2;
    (void)snprintf(c[0].point[1], sizeof(c[0].point[1]), "none9");
    scene_want(w, c, 2);
    (void)scene_state(w, 1, WANTED_WAITS);
    snap(w, 7, ENOENT);
    scene_datagram(sender, 999); /* before its start */
    (void)scene_state(w, 1, WANTED_RUNS);
    snap(w, 2, EOPNOTSUPP);
    for (uint16_t i = 0; i < 300; i++) {
        scene_datagram(sender, 1000 + i % 100);
    }
    uint64_t sent = 300;
    scene_wait(w, has_metered, &sent);
    assert_true(claims_nothing(w));
    struct sums s = sums_of(w, 1, "data");
    assert_int_equal(s.records, 0); /* none has ended */
    snap(w, 1, 0);
    s = sums_of(w, 1, "now");
    assert_true(s.records == 100 && s.packets == 300);
    for (uint16_t i = 0; i < 50; i++) {
        scene_datagram(sender, 2000);
    }
    sent = 350;
    scene_wait(w, has_metered, &sent);
    snap(w, 1, 0);
    s = sums_of(w, 1, "now");
    assert_true(s.records == 101 && s.packets == 350);
    (void)scene_state(w, 1, WANTED_FINISHES);
    scene_datagram(sender, 3000); /* behind its stop */
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    assert_int_equal(is->reason, WANTED_STOP_TIME);
    assert_int_equal(is->point[0].until_ns, c[0].stop_ns);
    s = sums_of(w, 1, "data");
    assert_true(s.records == 101 && s.packets == 350);
    assert_true(s.first_ns >= c[0].start_ns && s.last_ns < c[0].stop_ns);
    assert_int_equal(is->written, 350);
    scene_balanced(is);
    snap(w, 1, 0); /* they are all there */
    s = sums_of(w, 1, "now");
    assert_true(s.records == 101 && s.packets == 350);
    close(sender);
    scene_free(w);
}

/* Messages that were written before are kept, and a torn end is not. */
static void flows_of_an_engine_that_died(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const int sender = sender_on("va", 0);
    char path[2 * WORLD_PATH];
    struct wanted c = scene_wish(1, WANTED_NETFLOW, 0, 60000);
    (void)snprintf(path, sizeof(path), "%s/fe01%028d.data", w->folder, 0);
    for (unsigned life = 1; life <= 2; life++) {
        c.cancelled = false;
        scene_want(w, &c, 1);
        scene_wait(w, has_begun, NULL);
        for (uint16_t i = 0; i < 40; i++) {
            scene_datagram(sender, 1000 + i);
        }
        const uint64_t sent = 40;
        scene_wait(w, has_metered, &sent);
        c.cancelled = true;
        scene_want(w, &c, 1);
        (void)scene_state(w, 1, WANTED_DONE);
        const struct sums s = sums_of(w, 1, "data");
        assert_true(s.records == 40 * life && s.packets == 40 * life);
        if (life == 1) {
            scene_kill(w);
            const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
            assert_int_equal(write(fd, "\0\x0a\1\0torn", 8), 8);
            close(fd);
            scene_start(w);
        }
    }
    close(sender);
    scene_free(w);
}

static void flows_up_to_a_limit(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const int sender = sender_on("va", 0);
    struct wanted c = scene_wish(1, WANTED_NETFLOW, 0, 60000);
    c.most_bytes = 60000;
    scene_want(w, &c, 1);
    scene_wait(w, has_begun, NULL);
    const struct mono end = deadline_s(20);
    uint16_t sent = 0;
    for (; scene_is(w, 1)->state == WANTED_RUNS; sent++) {
        scene_datagram(sender, sent);
        scene_pass(w, 1);
        not_after(end);
    }
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    assert_int_equal(is->reason, WANTED_LIMIT_BYTES);
    const struct sums s = sums_of(w, 1, "data");
    assert_true(s.records > 100 && s.records <= sent && s.records == s.packets);
    assert_int_equal(is->written, s.packets);
    assert_true(is->published <= 60000 && is->published > 20000);
    assert_true(is->point[0].until_ns > s.last_ns);
    scene_balanced(is);
    close(sender);
    scene_free(w);
}

/* ---- link counters ---- */

static void rows_of_counters(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int sender = sender_on("va", 0);
    struct wanted c[] = {scene_wish(1, WANTED_ETHERNET, 100, 500),
                         scene_wish(2, WANTED_ETHERNET, 100, 60000)};
    (void)snprintf(c[1].point[0], sizeof(c[1].point[0]), "none9");
    c[1].period_ms = 20;
    scene_want(w, c, 2);
    (void)scene_state(w, 1, WANTED_RUNS);
    for (uint32_t i = 0; i < 25; i++) {
        scene_frame(sender, i, at);
    }
    c[1].stop_ns = c[1].start_ns + 400 * NSEC_PER_MSEC;
    scene_want(w, c, 2);
    size_t len;
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    assert_int_equal(is->written, 50); /* duration by period */
    assert_int_equal(is->point[0].from_ns, c[0].start_ns);
    assert_int_equal(is->point[0].until_ns, c[0].stop_ns);
    scene_balanced(is);
    char *text = (char *)scene_read(w, 1, "data", &len);
    unsigned rows = 0;
    uint64_t first = 0, last = 0;
    for (char *line = strchr(text, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
        uint64_t ms, packets;
        assert_int_equal(sscanf(line, "%lu,1,%*u,%lu,", &ms, &packets), 2);
        assert_int_equal(ms, (uint64_t)(c[0].start_ns / NSEC_PER_MSEC) + 10 * rows);
        first = rows == 0 ? packets : first;
        last = packets;
        rows++;
    }
    assert_int_equal(rows, 50);
    assert_int_equal(last - first, 25);
    free(text);
    is = scene_state(w, 2, WANTED_DONE);
    assert_int_equal(is->written, 20);
    text = (char *)scene_read(w, 2, "data", &len);
    assert_non_null(strstr(text, ",0,,,,,,,,,,,,\n"));
    free(text);
    close(sender);
    scene_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_and_those_of_a_moment),
        cmocka_unit_test(flows_of_an_engine_that_died),
        cmocka_unit_test(flows_up_to_a_limit),
        cmocka_unit_test(rows_of_counters),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
