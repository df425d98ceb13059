/* SPDX-License-Identifier: Apache-2.0
 *
 * The status socket of a process that has no descriptors left, with a spare one and without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "node/status_socket.h"

enum {
    FILES = 64, /* the limit, reached */
    STEP_MS = 10,
    LARGE = 1 << 20, /* more than a socket's buffer takes */
};

struct world {
    char folder[64];
    struct status_socket control;
    struct loop *loop;
    struct status_server *server;
    struct loop_timer *timer;
    struct mono until;
    pid_t reader; /* ends when it has read it all */
    int status, held[FILES];
    unsigned n_held, asked;
    size_t len; /* of the document: a string */
};

static json_t *document(void *user)
{
    struct world *w = user;
    char text[LARGE + 1];
    memset(text, 'x', w->len);
    text[w->len] = '\0';
    w->asked++;
    return json_pack("[s]", text);
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    struct world *w = user;
    if (w->reader && waitpid(w->reader, &w->status, WNOHANG) == w->reader) {
        w->reader = 0;
        loop_stop(l, 1);
    } else if (mono_due(now, w->until)) {
        loop_stop(l, 0);
    }
}

/* True when the reader has ended by then. */
static bool run(struct world *w, int ms)
{
    w->until = mono_add_ms(mono_now(), ms);
    return loop_run(w->loop) == 1;
}

static void begin(struct world *w, size_t len)
{
    struct error err = {""};
    *w = (struct world){.folder = "/tmp/control-test-XXXXXX", .len = len};
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->control.path, sizeof(w->control.path), "%s/one", w->folder);
    assert_int_equal(unixsock_listen(w->control.path, 0600, &w->control.fd, &err), 0);
    assert_int_equal(loop_new(&w->loop), 0);
    assert_int_equal(status_socket_serve(w->loop, &w->control, document, w, &w->server), 0);
    assert_int_equal(
        loop_add_timer(w->loop, mono_now(), STEP_MS * NSEC_PER_MSEC, on_timer, w, &w->timer), 0);
}

static void use_all_descriptors(struct world *w)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = FILES;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((w->held[w->n_held] = dup(0)) >= 0) {
        w->n_held++;
        assert_true(w->n_held < FILES);
    }
}

static void end(struct world *w)
{
    struct rlimit limit;
    status_socket_free(w->server);
    loop_del_timer(w->loop, w->timer);
    loop_free(w->loop);
    status_socket_remove(&w->control);
    close(w->control.fd);
    for (unsigned i = 0; i < w->n_held; i++) {
        close(w->held[i]);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rmdir(w->folder), 0);
}

/* A process that asks, with descriptors of its own. */
static pid_t ask(const struct world *w, bool read_it)
{
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30); /* not for ever, whatever becomes of the test */
        char text[4096];
        size_t len = 0;
        ssize_t n = 1;
        int fd = -1;
        close(w->held[0]);
        if (unixsock_connect(w->control.path, &fd, NULL) < 0) {
            _exit(1);
        }
        for (unsigned i = 0; !read_it && i < 30; i++) {
            poll(NULL, 0, 1000);
        }
        while (n > 0 && (n = recv(fd, text, sizeof(text), 0)) > 0) {
            len += (size_t)n;
        }
        _exit(len == w->len + 4 ? 0 : 2);
    }
    assert_true(pid > 0);
    return pid;
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (int64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static void answers_without_descriptors(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 100);
    use_all_descriptors(&w);
    for (unsigned i = 0; i < 3; i++) {
        w.reader = ask(&w, true);
        assert_true(run(&w, 10000));
        assert_int_equal(w.status, 0);
        assert_int_equal(w.asked, i + 1);
        assert_int_equal(dup(0), -1); /* the spare descriptor is in its place again */
    }
    end(&w);
}

/* A reader that comes while the spare descriptor is in use, here by one who does not read, waits
 * and costs nothing. */
static void waits_without_a_spare_one(void **state)
{
    (void)state;
    struct world w;
    begin(&w, LARGE);
    use_all_descriptors(&w);
    pid_t many[3];
    for (unsigned i = 0; i < 3; i++) {
        many[i] = ask(&w, false);
    }
    int64_t before = cpu_ns();
    assert_false(run(&w, 600));
    assert_true(cpu_ns() - before < 200 * NSEC_PER_MSEC);
    assert_int_equal(w.asked, 1);
    for (unsigned i = 0; i < 3; i++) {
        kill(many[i], SIGKILL);
        assert_int_equal(waitpid(many[i], NULL, 0), many[i]);
    }
    w.reader = ask(&w, true);
    assert_true(run(&w, 15000));
    assert_int_equal(w.status, 0);
    end(&w);
}

static unsigned open_files(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < FILES; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* The server's end leaves the loop as it was, so that another can begin. */
static void leaves_nothing_behind(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10);
    unsigned n = open_files();
    status_socket_free(w.server);
    assert_int_equal(status_socket_serve(w.loop, &w.control, document, &w, &w.server), 0);
    assert_int_equal(open_files(), n);
    w.reader = ask(&w, true);
    assert_true(run(&w, 15000));
    assert_int_equal(w.asked, 1);
    end(&w);
}

/* A second program of that name has its number behind it, and each removes what is its own. */
static void listens_under_its_name(void **state)
{
    (void)state;
    struct status_socket one, two;
    struct error err = {""};
    struct stat st;
    char folder[] = "/tmp/control-test-XXXXXX", name[32], file[64];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0); /* read where it is not root's */
    snprintf(name, sizeof(name), "test-%d", (int)getpid());
    assert_int_equal(status_socket_listen(&one, name, &err), 0);
    assert_true(one.fd >= 0);
    snprintf(file, sizeof(file), "%s.sock", name);
    assert_string_equal(strrchr(one.path, '/') + 1, file);
    assert_int_equal(stat(one.path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    assert_int_equal(status_socket_listen(&two, name, &err), 0);
    assert_true(two.fd >= 0);
    snprintf(file, sizeof(file), "%s-%d.sock", name, (int)getpid());
    assert_string_equal(strrchr(two.path, '/') + 1, file);
    status_socket_remove(&two);
    assert_int_equal(stat(two.path, &st), -1);
    assert_int_equal(stat(one.path, &st), 0);
    status_socket_remove(&one);
    assert_int_equal(stat(one.path, &st), -1);
    close(one.fd);
    close(two.fd);
    if (geteuid() != 0) {
        *strrchr(one.path, '/') = '\0';
        assert_int_equal(rmdir(one.path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listens_under_its_name),
        cmocka_unit_test(answers_without_descriptors),
        cmocka_unit_test(waits_without_a_spare_one),
        cmocka_unit_test(leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
