/* SPDX-License-Identifier: Apache-2.0
 *
 * The test runs itself again with secrets as arguments and looks at what /proc shows of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/proctitle.h"

static size_t read_self(const char *name, char *text, size_t cap)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/%s", name);
    _cleanup_(fclosep) FILE *f = fopen(path, "re");
    return f ? fread(text, 1, cap, f) : 0;
}

#define HAS(text, n, what) (memmem(text, n, what, strlen(what)) != NULL)

/* argv: itself, "wipe", -kGLUED, --key=LONG, -k, -kDASHED, PLAIN, --keep=…, -x, - */
static int wipe(char **argv)
{
    char text[4096];
    size_t n = read_self("cmdline", text, sizeof(text));
    if (!HAS(text, n, "GLUED") || !HAS(text, n, "LONG") || !HAS(text, n, "DASHED")) {
        return 1;
    }
    proctitle_wipe_arg(argv[2]);
    proctitle_wipe_arg(argv[3]);
    proctitle_wipe_value(argv[5]);
    proctitle_wipe_arg(argv[6]);
    proctitle_wipe_arg(argv[8]);
    proctitle_wipe_arg(argv[9]);
    proctitle_wipe_value(getenv("PROCTITLE_KEY"));
    proctitle_wipe_arg(NULL);
    n = read_self("cmdline", text, sizeof(text));
    if (HAS(text, n, "LUED") || HAS(text, n, "ONG") || HAS(text, n, "ASHED") ||
        HAS(text, n, "LAIN")) {
        return 2;
    }
    if (!HAS(text, n, "wipe") || !HAS(text, n, "--keep=this") || !HAS(text, n, "-x")) {
        return 3;
    }
    if (strcmp(argv[2], "-k*") != 0 || strcmp(argv[3], "--key=*") != 0 ||
        strcmp(argv[5], "*") != 0 || strcmp(argv[8], "-x") != 0 || strcmp(argv[9], "-") != 0) {
        return 4;
    }
    n = read_self("environ", text, sizeof(text));
    return !HAS(text, n, "PROCTITLE_KEY=*") || HAS(text, n, "HIDDEN") ? 5 : 0;
}

static void secrets_leave_the_process_list(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[] = {(char[]){"test"},
                        (char[]){"wipe"},
                        (char[]){"-kGLUED"},
                        (char[]){"--key=LONG"},
                        (char[]){"-k"},
                        (char[]){"-kDASHED"},
                        (char[]){"PLAIN"},
                        (char[]){"--keep=this"},
                        (char[]){"-x"},
                        (char[]){"-"},
                        NULL};
        char *envp[] = {(char[]){"PROCTITLE_KEY=HIDDEN"}, NULL};
        execve("/proc/self/exe", argv, envp);
        _exit(99);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    if (argc == 10 && strcmp(argv[1], "wipe") == 0) {
        return wipe(argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_leave_the_process_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
