/* SPDX-License-Identifier: Apache-2.0
 *
 * Network namespaces by name and by process, which the test makes, enters and removes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/netns.h"
#include "sys/test_net.h"

/* A name that no other run of this test has. */
static const char *name(void)
{
    static char text[32];
    snprintf(text, sizeof(text), "fstest-%d", (int)getpid());
    return text;
}

static void ip_netns(const char *what)
{
    char command[96];
    snprintf(command, sizeof(command), "ip netns %s %s", what, name());
    sh(command);
}

static ino_t here(void)
{
    struct stat st;
    assert_int_equal(stat("/proc/self/ns/net", &st), 0);
    return st.st_ino;
}

static void by_name(void **state)
{
    (void)state;
    struct netns *n = NULL;
    struct error err = {""};
    ino_t home = here();
    assert_int_equal(netns_open(name(), &n, &err), -ENOENT);
    assert_non_null(strstr(err.text, "there is no such namespace in /run/netns"));
    ip_netns("add");
    assert_int_equal(netns_open(name(), &n, &err), 0);
    assert_false(netns_of_process(n));
    uint64_t id = netns_id(n);
    assert_true(id != 0 && id != home);
    assert_int_equal(netns_enter(n, &err), 0);
    assert_true(here() == id);
    assert_int_equal(if_nametoindex("va"), 0);
    netns_leave(n);
    assert_true(here() == home);

    ip_netns("delete");
    assert_true(netns_id(n) == 0);
    assert_int_equal(netns_enter(n, &err), -ENOENT);
    assert_true(here() == home);
    ip_netns("add");
    assert_true(netns_id(n) != 0);
    assert_int_equal(netns_enter(n, &err), 0);
    netns_leave(n);
    ip_netns("delete");
    netns_free(n);
    netns_free(NULL);
}

/* Nothing of a namespace stays open: the number that was free before is free again. */
static void nothing_stays_open(void **state)
{
    (void)state;
    struct netns *n = NULL;
    ip_netns("add");
    int before = dup(STDERR_FILENO);
    close(before);
    assert_int_equal(netns_open(name(), &n, NULL), 0);
    assert_int_equal(netns_enter(n, NULL), 0);
    netns_leave(n);
    netns_free(n);
    int after = dup(STDERR_FILENO);
    close(after);
    assert_true(before >= 0);
    assert_int_equal(after, before);
    ip_netns("delete");
}

/* A program without its standard files: the namespace gets the first of their numbers. */
static void by_the_lowest_descriptor(void **state)
{
    (void)state;
    struct netns *n = NULL;
    ip_netns("add");
    assert_int_equal(netns_open(name(), &n, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        close(0);
        _exit(netns_enter(n, NULL) == 0 && here() == netns_id(n) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ip_netns("delete");
    netns_free(n);
}

/* There is no way back, so the program ends rather than to go on in the wrong namespace. */
static void the_way_back_is_lost(void **state)
{
    (void)state;
    enum { LOST = 70 };
    struct netns *n = NULL;
    ip_netns("add");
    assert_int_equal(netns_open(name(), &n, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        if (netns_enter(n, NULL) == 0 && close_range(3, ~0U, 0) == 0) {
            netns_leave(n);
        }
        _exit(99);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), LOST);
    ip_netns("delete");
    netns_free(n);
}

/* A file and a link in the folder are no namespaces. */
static void only_namespaces(void **state)
{
    (void)state;
    struct netns *n = NULL;
    struct error err = {""};
    char command[128];
    snprintf(command, sizeof(command), "mkdir -p /run/netns && touch /run/netns/%s", name());
    sh(command);
    assert_int_equal(netns_open(name(), &n, &err), -ENOENT);
    snprintf(command, sizeof(command), "ln -sf /proc/self/ns/net /run/netns/%s", name());
    sh(command);
    assert_int_equal(netns_open(name(), &n, &err), -ELOOP);
    assert_non_null(strstr(err.text, "give the number of the process"));
    snprintf(command, sizeof(command), "rm /run/netns/%s", name());
    sh(command);
    static const char *const wrong[] = {"", ".", "..", "../x", "a/b", ".hidden"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(netns_open(wrong[i], &n, &err), -EINVAL);
    }
}

static void by_process(void **state)
{
    (void)state;
    struct netns *n = NULL;
    struct error err = {""};
    char pid[16];
    int ready[2];
    ino_t home = here();
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    snprintf(pid, sizeof(pid), "%d", (int)child);
    assert_int_equal(netns_open(pid, &n, &err), 0);
    assert_true(netns_of_process(n));
    assert_true(netns_id(n) != 0 && netns_id(n) != home);
    assert_int_equal(netns_enter(n, &err), 0);
    assert_true(here() != home);
    netns_leave(n);
    kill(child, SIGKILL);
    siginfo_t si; /* it has ended and is not waited for yet: its number cannot be another's */
    assert_int_equal(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
    assert_true(netns_id(n) == 0);
    assert_int_equal(netns_enter(n, &err), -ENOENT);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(netns_id(n) == 0);
    netns_free(n);
    assert_int_equal(netns_open(pid, &n, &err), -ESRCH);
    assert_int_equal(netns_open("0", &n, &err), -ERANGE);
    close(ready[0]);
    close(ready[1]);
}

/* More names than a sentence has room for, in a /run/netns of this test's own. */
static void many_names(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct netns *n = NULL;
        struct error err = {""};
        char path[64];
        bool good = unshare(CLONE_NEWNS) == 0 &&
                    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                    mount("none", "/run/netns", "tmpfs", 0, NULL) == 0;
        for (unsigned i = 0; good && i < 200; i++) {
            snprintf(path, sizeof(path), "/run/netns/%u", 100 + i);
            good = close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0;
        }
        good = good && netns_open("other", &n, &err) == -ENOENT &&
               strstr(err.text, "in /run/netns; there are ") && strlen(err.text) < 250;
        const char *last = strrchr(err.text, ' '); /* a whole name, the end of a list */
        _exit(good && last && strlen(last + 1) == 3 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_name),
        cmocka_unit_test(nothing_stays_open),
        cmocka_unit_test(by_the_lowest_descriptor),
        cmocka_unit_test(the_way_back_is_lost),
        cmocka_unit_test(only_namespaces),
        cmocka_unit_test(by_process),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
