/* SPDX-License-Identifier: Apache-2.0
 *
 * Outputs that come and go, with threads that are this test: they do what they are told when the
 * test lets them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/link/listen/impl.h"
#include "data/sink/fake.h"
#include "node/outputs_change.h"

enum {
    THREADS = 2,
    POSTS = 64,
    DEADLINE_MS = 5000,
};

struct posted {
    unsigned thread, place;
    struct sink *sink;
    _Atomic unsigned *done;
};

struct world {
    struct outputs outputs;
    struct outputs_threads threads;
    struct listener *listener;
    struct teller teller;
    struct posted post[POSTS];
    unsigned n, carried_out;
    unsigned refuse; /* so many posts from now on */
    int open_fails;  /* -errno */
    struct sink *placed[FAN_SINKS];
    char told[1024];
};

static void on_tell(void *user, const char *text)
{
    struct world *w = user;
    size_t used = strlen(w->told);
    snprintf(w->told + used, sizeof(w->told) - used, "%s\n", text);
}

static int on_post(void *user, unsigned thread, unsigned place, struct sink *sink,
                   _Atomic unsigned *done)
{
    struct world *w = user;
    if (w->refuse > 0) {
        w->refuse--;
        return -EAGAIN;
    }
    assert_true(w->n < POSTS);
    w->post[w->n++] = (struct posted){thread, place, sink, done};
    return 0;
}

static void on_place(void *user, unsigned place, struct sink *output)
{
    ((struct world *)user)->placed[place] = output;
}

static int on_open(void *user, unsigned at, int *ret_fd, struct error *err)
{
    const struct world *w = user;
    (void)at;
    *ret_fd = -1;
    return w->open_fails < 0 ? error_sys(err, -w->open_fails, "cannot open it") : 0;
}

static void begin(struct world *w)
{
    *w = (struct world){.n = 0};
    w->teller = (struct teller){on_tell, w};
    w->threads = (struct outputs_threads){on_post, on_place, on_open, w};
    w->outputs.conf = (struct outputs_conf){.threads = THREADS, .teller = &w->teller};
    w->listener = calloc(1, sizeof(*w->listener));
    assert_non_null(w->listener);
    history_init(&w->listener->history, HISTORY_MAX);
}

static void end(struct world *w)
{
    outputs_end_all(&w->outputs);
    outputs_finish(&w->outputs);
    outputs_done(&w->outputs);
    history_done(&w->listener->history);
    free(w->listener);
}

static void step(struct world *w)
{
    outputs_step(&w->outputs, w->listener, &w->threads);
}

/* The threads do what they were told, up to that many things. */
static void carry_out(struct world *w, unsigned n)
{
    for (; n > 0 && w->carried_out < w->n; n--) {
        atomic_fetch_add(w->post[w->carried_out++].done, 1);
    }
}

/* pcap over IP without a socket fails to be made; a tunnel needs none until it sends. */
static struct output_list list_of(const char *const *words)
{
    struct output_list l = {.n = 0};
    struct error err = {""};
    for (; *words; words++) {
        assert_int_equal(output_list_add(&l, *words, &err), 0);
    }
    return l;
}

#define LIST(...) list_of((const char *const[]){__VA_ARGS__, NULL})

static void become(struct world *w, const struct output_list *l)
{
    outputs_become(&w->outputs, w->listener, l, &w->threads);
}

static unsigned events(const struct world *w, enum history_kind kind)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->listener->history.n; i++) {
        n += history_at(&w->listener->history, i)->kind == kind ? 1 : 0;
    }
    return n;
}

static void one_comes_to_each_thread(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list l = LIST("gre://192.0.2.1");
    become(&w, &l);
    assert_int_equal(outputs_count(&w.outputs), 1);
    assert_ptr_equal(w.placed[0], w.outputs.output[0]);
    assert_int_equal(w.n, THREADS);
    for (unsigned t = 0; t < THREADS; t++) {
        assert_int_equal(w.post[t].thread, t);
        assert_int_equal(w.post[t].place, 0);
        assert_ptr_equal(w.post[t].sink, w.outputs.writer[t][0]);
    }
    assert_int_equal(events(&w, HISTORY_OUTPUT_ADDED), 1);
    step(&w);
    assert_int_equal(w.n, THREADS); /* once */
    output_list_done(&l);
    end(&w);
}

static void one_goes_once_no_thread_has_it(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list l = LIST("gre://192.0.2.1"), none = {.n = 0};
    become(&w, &l);
    become(&w, &none);
    assert_int_equal(w.n, 2 * THREADS);
    for (unsigned t = 0; t < THREADS; t++) {
        assert_null(w.post[THREADS + t].sink);
    }
    carry_out(&w, 2 * THREADS - 1);
    step(&w);
    assert_non_null(w.outputs.output[0]); /* one thread may write to it still */
    assert_non_null(w.placed[0]);
    carry_out(&w, 1);
    step(&w);
    assert_null(w.outputs.output[0]);
    assert_null(w.placed[0]);
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (events(&w, HISTORY_OUTPUT_REMOVED) == 0) {
        assert_false(mono_due(mono_now(), until));
        poll(NULL, 0, 1);
        step(&w);
    }
    assert_non_null(strstr(w.told, "gre://192.0.2.1 is no output any more: 0 frames written, 0 "
                                   "dropped\n"));
    assert_null(w.outputs.ending);
    output_list_done(&l);
    end(&w);
}

/* The one that stays keeps its place and is known by its new number; the place of the one that goes
 * is taken only when that is gone. */
static void the_same_one_stays(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list a = LIST("gre://192.0.2.1", "gre://192.0.2.2"),
                       b = LIST("gre://192.0.2.3", "gre://192.0.2.2");
    become(&w, &a);
    carry_out(&w, POSTS);
    struct sink *stays = w.outputs.output[1];
    become(&w, &b);
    assert_ptr_equal(w.outputs.output[1], stays);
    assert_int_equal(w.outputs.place[1].at, 1);
    assert_ptr_equal(w.outputs.place[1].spec, &b.spec[1]);
    assert_int_equal(w.outputs.place[2].at, 0);
    assert_int_equal(outputs_count(&w.outputs), 3);
    assert_true(outputs_alive(&w.outputs));
    carry_out(&w, POSTS);
    step(&w);
    assert_int_equal(outputs_count(&w.outputs), 2);
    become(&w, &b);
    assert_int_equal(outputs_count(&w.outputs), 2);
    output_list_done(&a);
    output_list_done(&b);
    end(&w);
}

static void a_busy_thread_is_told_later(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list l = LIST("gre://192.0.2.1"), none = {.n = 0};
    w.refuse = 3;
    become(&w, &l);
    assert_int_equal(w.n, 0);
    become(&w, &none); /* before any thread has heard of it */
    step(&w);
    assert_int_equal(w.n, 2 * THREADS);
    assert_non_null(w.post[0].sink);
    assert_null(w.post[2 * THREADS - 1].sink);
    carry_out(&w, POSTS);
    step(&w);
    assert_int_equal(outputs_count(&w.outputs), 0);
    output_list_done(&l);
    end(&w);
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list l = LIST("gre://192.0.2.1");
    w.open_fails = -EPERM;
    become(&w, &l);
    assert_string_equal(w.told, "-o gre://192.0.2.1: cannot open it: Operation not permitted\n");
    assert_int_equal(outputs_count(&w.outputs), 0);
    assert_int_equal(events(&w, HISTORY_OUTPUT_ADDED), 0);
    w.open_fails = 0;
    become(&w, &l); /* the next time it can */
    assert_int_equal(outputs_count(&w.outputs), 1);
    output_list_done(&l);
    end(&w);
}

/* More changes than there are places while no thread does anything. */
static void places_run_out(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list l[FAN_SINKS + 1];
    for (unsigned i = 0; i < FAN_SINKS + 1; i++) {
        char words[32];
        snprintf(words, sizeof(words), "gre://192.0.2.%u", i + 1);
        l[i] = LIST(words);
        become(&w, &l[i]);
    }
    assert_int_equal(outputs_count(&w.outputs), FAN_SINKS);
    assert_non_null(strstr(w.told, "outputs of before are not at their end yet: try again\n"));
    for (unsigned i = 0; i < FAN_SINKS + 1; i++) {
        output_list_done(&l[i]);
    }
    end(&w);
}

static void until_removed(struct world *w, unsigned n)
{
    const struct mono until = mono_add_ms(mono_now(), DEADLINE_MS);
    while (events(w, HISTORY_OUTPUT_REMOVED) < n) {
        assert_false(mono_due(mono_now(), until));
        poll(NULL, 0, 1);
        step(w);
    }
}

/* Two of them at once: what each counted, and what its end brought to light. */
static void their_counts_and_failures_are_told(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct output_list l = LIST("gre://192.0.2.1", "gre://192.0.2.2"), none = {.n = 0};
    const struct point_offer p = {.index = 1, .tap = "web1", .ifname = "eth0", .fresh = true};
    become(&w, &l);
    carry_out(&w, POSTS);
    struct sink *fake[2] = {NULL, NULL};
    for (unsigned i = 0; i < 2; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        sink_free(w.outputs.output[i]);
        assert_int_equal(fake_sink_new(name, &fake[i]), 0);
        assert_int_equal(fake[i]->ops->point_add(fake[i], &p, NULL), 0);
        w.outputs.output[i] = fake[i];
    }
    ledger_add(sink_ledger(fake[0], 1), LEDGER_SINK_OUT, 70);
    ledger_add(sink_ledger(fake[0], 1), LEDGER_SINK_FULL, 3);
    fake_sink_fail(fake[1], EIO);
    w.told[0] = '\0';
    become(&w, &none);
    carry_out(&w, POSTS);
    until_removed(&w, 2);
    assert_non_null(strstr(w.told, "a is no output any more: 70 frames written, 3 dropped\n"));
    assert_non_null(strstr(w.told, "b is no output any more: 0 frames written, 0 dropped\n"
                                   "b: Input/output error\n"));
    assert_null(strstr(w.told, "a: "));
    output_list_done(&l);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_comes_to_each_thread),
        cmocka_unit_test(one_goes_once_no_thread_has_it),
        cmocka_unit_test(the_same_one_stays),
        cmocka_unit_test(a_busy_thread_is_told_later),
        cmocka_unit_test(what_cannot_be_opened_is_told),
        cmocka_unit_test(places_run_out),
        cmocka_unit_test(their_counts_and_failures_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
