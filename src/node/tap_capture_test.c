/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's capture in an experiment of model/amplify.h, which the test has begin and end: what the
 * model is given is counted just then, and often enough. The linker puts the functions of this file
 * in place of the model's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/source.h"
#include "model/amplify.h"
#include "node/tap_capture.h"

enum {
    DEADLINE_MS = 10000,
    STEPS = 20,
};

static atomic_bool testing;
static atomic_uint counted;        /* calls since the last step */
static atomic_uint steps;          /* in all, … */
static atomic_uint calls[1 << 16]; /* … and so many calls before each */

void __wrap_source_count(struct source *s);
bool __wrap_amplify_testing(const struct amplify *a);
void __wrap_amplify_step(struct amplify *a, const struct amplify_seen *seen, struct mono now);

void __wrap_source_count(struct source *s)
{
    (void)s;
    counted++;
}

bool __wrap_amplify_testing(const struct amplify *a)
{
    (void)a;
    return testing;
}

void __wrap_amplify_step(struct amplify *a, const struct amplify_seen *seen, struct mono now)
{
    (void)a;
    (void)seen;
    (void)now;
    calls[steps % ARRAY_SIZE(calls)] = atomic_exchange(&counted, 0);
    steps++;
}

/* Waits for so many steps more, and looks for each unless the thread wakes by itself. */
static void until_steps(struct capture *cap, unsigned n, bool look)
{
    const struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    const unsigned from = steps;
    while (steps - from < n) {
        assert_false(mono_due(mono_now(), end));
        if (look) {
            capture_look(cap);
        }
        poll(NULL, 0, 1);
    }
}

/* Each run ends with a count, which is the model's next one; in an experiment there is one more,
 * just before the model is asked. */
static void the_model_is_given_what_has_come(void **state)
{
    (void)state;
    struct error err = {""};
    struct capture *cap = NULL;
    struct wake wake;
    const struct link_tx_shared shared = {NULL};
    assert_int_equal(wake_init(&wake), 0);
    const struct tap_capture_conf conf = {
        .stream = 1, .name = "eth0", .control = &wake, .shared = &shared};
    if (tap_capture_start(&conf, &cap, &err) < 0) {
        fail_msg("%s", err.text);
    }
    for (unsigned test = 0; test < 4; test++) {
        testing = test % 2;
        until_steps(cap, 2, true); /* the one under way when it began is neither */
        const unsigned from = steps;
        until_steps(cap, STEPS, !testing);
        for (unsigned i = from; i < from + STEPS; i++) {
            assert_int_equal(calls[i % ARRAY_SIZE(calls)], testing ? 2 : 1);
        }
    }
    capture_free(cap);
    wake_done(&wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_is_given_what_has_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
