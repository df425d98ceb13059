/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of a program: signals are held before the split, the broker ends with the status of
 * the engine, and the status socket is gone after that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/program.h"

enum {
    STATUS = 7, /* of an engine that ends by itself */
    TEXT = 512,
};

/* Memory that the test, the broker and the engine share. */
struct shared {
    char path[UNIXSOCK_PATH_MAX];
    char told[TEXT];
    bool listens, held;   /* in the engine */
    unsigned alone, over; /* calls in the broker */
};

static void on_tell(void *user, const char *text)
{
    struct shared *s = user;
    snprintf(s->told, sizeof(s->told), "%s", text);
}

static void on_alone(void *ctx)
{
    struct shared *s = ctx;
    s->alone++;
}

static void on_over(void *ctx)
{
    struct shared *s = ctx;
    s->over++;
}

static int nothing(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    (void)args;
    (void)len;
    (void)reply;
    return 0;
}

/* SIGTERM waits until a loop takes it. */
static bool holds_signals(void)
{
    sigset_t mask;
    return sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGTERM) == 1;
}

/* A program whose engine ends by `number`, or with STATUS where that is 0. */
static _Noreturn void be_program(struct shared *s, int number)
{
    static const struct broker_request requests[] = {{"do nothing", nothing, 0, 0}};
    static struct program p;
    static struct teller teller;
    struct error err = {""};
    char name[32];
    teller = (struct teller){on_tell, s};
    snprintf(name, sizeof(name), "test-%d", (int)getpid());
    const struct program_conf conf = {.command = "test",
                                      .name = name,
                                      .requests = requests,
                                      .n_requests = ARRAY_SIZE(requests),
                                      .alone = on_alone,
                                      .over = on_over,
                                      .ctx = s,
                                      .teller = &teller};
    alarm(30); /* not for ever, whatever becomes of the test */
    if (program_split(&p, &conf, &err) < 0) {
        on_tell(s, err.text);
        _exit(1);
    }
    struct stat st;
    snprintf(s->path, sizeof(s->path), "%s", p.control.path);
    s->listens = p.control.fd >= 0 && stat(p.control.path, &st) == 0;
    s->held = holds_signals();
    if (number != 0) {
        raise(number);
    }
    _exit(STATUS);
}

/* The status of the broker, as from waitpid. */
static int run(struct shared *s, int number)
{
    int status = 0;
    struct stat st;
    char folder[] = "/tmp/program-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0); /* read where it is not root's */
    pid_t pid = fork();
    if (pid == 0) {
        be_program(s, number);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(stat(s->path, &st), -1); /* removed */
    if (geteuid() != 0) {
        *strrchr(s->path, '/') = '\0';
        assert_int_equal(rmdir(s->path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    return status;
}

static struct shared *shared_new(void)
{
    void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static void splits_and_ends(void **state)
{
    (void)state;
    struct shared *s = shared_new();
    int status = run(s, 0);
    assert_string_equal(s->told, "");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), STATUS);
    assert_true(s->listens);
    assert_true(s->held);
    assert_int_equal(s->alone, 1);
    assert_int_equal(s->over, 1);
    munmap(s, sizeof(*s));
}

static void tells_of_an_engine_that_was_killed(void **state)
{
    (void)state;
    struct shared *s = shared_new();
    int status = run(s, SIGKILL);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGKILL);
    assert_string_equal(s->told, "the engine was ended by signal 9 (Killed)");
    assert_int_equal(s->over, 1);
    munmap(s, sizeof(*s));
}

/* A document goes to standard output as text. */
static void prints_a_document(void **state)
{
    (void)state;
    char text[TEXT] = "";
    struct error err = {""};
    int before = dup(STDOUT_FILENO), fd = memfd_create("stdout", MFD_CLOEXEC);
    assert_true(before >= 0 && fd >= 0);
    assert_int_equal(fflush(stdout), 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    int r = program_print(json_pack("{s:i}", "frames", 7), &err);
    assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
    assert_int_equal(r, 0);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "{\n  \"frames\": 7\n}\n");
    close(before);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_and_ends),
        cmocka_unit_test(tells_of_an_engine_that_was_killed),
        cmocka_unit_test(prints_a_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
