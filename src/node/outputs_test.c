/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector's outputs: the file is opened for one, a queue stands where one is needed, and an
 * output that fails is told once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/sink/fake.h"
#include "node/outputs.h"

struct world {
    char folder[64], path[96];
    char told[1024]; /* the sentences since the last look, a line each */
    struct teller teller;
    struct outputs outputs;
};

static void on_tell(void *user, const char *text)
{
    struct world *w = user;
    size_t used = strlen(w->told);
    snprintf(w->told + used, sizeof(w->told) - used, "%s\n", text);
}

static void begin(struct world *w)
{
    *w = (struct world){.folder = "/tmp/outputs-test-XXXXXX"};
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/x.pcapng", w->folder);
    w->teller = (struct teller){on_tell, w};
    w->outputs.conf = (struct outputs_conf){.threads = 1, .teller = &w->teller};
}

static void end(struct world *w)
{
    outputs_done(&w->outputs);
    (void)unlink(w->path);
    assert_int_equal(rmdir(w->folder), 0);
}

static void assert_told(struct world *w, const char *text)
{
    assert_string_equal(w->told, text);
    w->told[0] = '\0';
}

/* ---- making ---- */

static void make_file(struct world *w, unsigned threads, uint32_t order_ms)
{
    struct error err = {""};
    struct outputs_opened opened;
    const struct outputs_conf conf = {
        .file = w->path, .threads = threads, .order_ms = order_ms, .teller = &w->teller};
    outputs_opened_none(&opened);
    assert_int_equal(outputs_open_file(w->path, &opened.file, &opened.lock, &err), 0);
    assert_int_equal(outputs_make(&conf, -1, &opened, &w->outputs, &err), 0);
    assert_string_equal(err.text, "");
    assert_int_equal(opened.file, -1); /* taken */
    assert_int_equal(w->outputs.n, 1);
    assert_null(w->outputs.device);
    outputs_opened_done(&opened);
}

static void a_file_is_written_to_its_end(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    begin(&w);
    make_file(&w, 1, 0);
    assert_true(outputs_alive(&w.outputs));
    outputs_finish(&w.outputs);
    assert_false(w.outputs.failed);
    assert_told(&w, "");
    assert_int_equal(stat(w.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size > 0);
    end(&w);
}

/* Each thread that receives writes through a sink of its own, which only a queue has. */
static void several_threads_have_a_queue_between(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    make_file(&w, 3, 0);
    for (unsigned t = 1; t < 3; t++) {
        assert_non_null(w.outputs.writer[t][0]);
        assert_ptr_not_equal(w.outputs.writer[t][0], w.outputs.writer[t - 1][0]);
    }
    assert_true(outputs_alive(&w.outputs));
    outputs_finish(&w.outputs);
    assert_told(&w, "");
    end(&w);
}

static void no_output_is_none(void **state)
{
    (void)state;
    struct world w;
    struct error err = {""};
    struct outputs_opened opened;
    begin(&w);
    const struct outputs_conf conf = {.threads = 2, .order_ms = 50, .teller = &w.teller};
    outputs_opened_none(&opened);
    assert_int_equal(outputs_make(&conf, -1, &opened, &w.outputs, &err), 0);
    assert_int_equal(w.outputs.n, 0);
    assert_false(outputs_alive(&w.outputs));
    outputs_finish(&w.outputs);
    assert_told(&w, "");
    end(&w);
}

static void a_file_has_one_collector(void **state)
{
    (void)state;
    struct world w;
    struct error err = {""};
    int fd[2] = {-1, -1}, lock[2] = {-1, -1};
    begin(&w);
    assert_int_equal(outputs_open_file(w.path, &fd[0], &lock[0], &err), 0);
    assert_int_equal(outputs_open_file(w.path, &fd[1], &lock[1], &err), -EBUSY);
    assert_non_null(strstr(err.text, w.path));
    for (unsigned i = 0; i < 2; i++) {
        closep(&fd[i]);
        closep(&lock[i]);
    }
    assert_int_equal(outputs_open_file(w.folder, &fd[0], &lock[0], &err), -EISDIR);
    assert_non_null(strstr(err.text, w.folder));
    end(&w);
}

/* ---- failing ---- */

/* Sinks of a test as the outputs: "a", "b" and so on. */
static void use_fakes(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        assert_int_equal(fake_sink_new(name, &w->outputs.output[i]), 0);
        w->outputs.n++;
    }
}

static void a_failed_output_is_told_once(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    use_fakes(&w, 2);
    assert_true(outputs_alive(&w.outputs));
    assert_told(&w, ""); /* of what is well nobody hears */
    fake_sink_fail(w.outputs.output[0], EIO);
    assert_true(outputs_alive(&w.outputs)); /* one is left */
    assert_told(&w, "a: Input/output error\n");
    assert_true(w.outputs.failed);
    assert_true(outputs_alive(&w.outputs));
    assert_told(&w, "");
    fake_sink_fail(w.outputs.output[1], ENOSPC);
    assert_false(outputs_alive(&w.outputs));
    assert_told(&w, "b: No space left on device\n");
    outputs_finish(&w.outputs);
    assert_told(&w, "");
    end(&w);
}

/* A failure that only the end brings. */
static void the_end_tells_too(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    use_fakes(&w, 2);
    fake_sink_fail(w.outputs.output[1], EIO);
    outputs_finish(&w.outputs);
    assert_told(&w, "b: Input/output error\n");
    assert_true(w.outputs.failed);
    assert_int_equal(fake_sink_finishes(w.outputs.output[0]), 1);
    end(&w);
}

/* An output that has no room for a tap's interface takes those of others: it is told once, and the
 * collector goes on, also where there is no other output. */
static void an_output_without_room_is_no_failure(void **state)
{
    (void)state;
    struct world w;
    const struct point_offer p = {.index = 1, .tap = "web1", .ifname = "eth0", .fresh = true};
    begin(&w);
    use_fakes(&w, 1);
    struct sink *s = w.outputs.output[0];
    fake_sink_room(s, 0);
    assert_int_equal(s->ops->point_add(s, &p, NULL), -ENOSPC);
    assert_true(outputs_alive(&w.outputs));
    assert_told(&w, "a: no room for 1 interface of taps, whose frames are dropped there\n");
    assert_true(outputs_alive(&w.outputs));
    assert_told(&w, "");
    assert_false(w.outputs.failed);
    end(&w);
}

static void a_device_that_is_down_is_no_failure(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    use_fakes(&w, 1);
    fake_sink_fail(w.outputs.output[0], ENETDOWN);
    assert_true(outputs_alive(&w.outputs));
    outputs_finish(&w.outputs);
    assert_false(w.outputs.failed);
    assert_told(&w, "");
    end(&w);
}

/* head(1) has seen enough of standard output; of a pipe with a name that is a failure. */
static void a_reader_that_goes_is_no_failure(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    use_fakes(&w, 1);
    w.outputs.conf.file = "-";
    fake_sink_fail(w.outputs.output[0], EPIPE);
    assert_false(outputs_alive(&w.outputs));
    assert_false(w.outputs.failed);
    assert_told(&w, "the program that read standard output has ended\n");
    w.outputs.conf.file = w.path;
    w.outputs.place[0].told = false;
    assert_false(outputs_alive(&w.outputs));
    assert_true(w.outputs.failed);
    assert_told(&w, "a: Broken pipe\n");
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_to_its_end),
        cmocka_unit_test(several_threads_have_a_queue_between),
        cmocka_unit_test(no_output_is_none),
        cmocka_unit_test(a_file_has_one_collector),
        cmocka_unit_test(a_failed_output_is_told_once),
        cmocka_unit_test(the_end_tells_too),
        cmocka_unit_test(an_output_without_room_is_no_failure),
        cmocka_unit_test(a_device_that_is_down_is_no_failure),
        cmocka_unit_test(a_reader_that_goes_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
