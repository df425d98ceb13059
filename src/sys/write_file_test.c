/* SPDX-License-Identifier: Apache-2.0
 *
 * New files, which take the place of none, and bytes that a pipe takes a part at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/write_file.h"

enum {
    MORE_THAN_A_PIPE = 1 << 20,
};

static void nothing_is_overwritten(void **state)
{
    (void)state;
    char folder[] = "/tmp/farspan-write-XXXXXX", path[64];
    struct error err = {""};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    int fd = new_file(path, &err);
    assert_true(fd > 2);
    assert_int_equal(write_all(fd, "abc", 3), 0);
    close(fd);
    assert_int_equal(new_file(path, &err), -EEXIST);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(new_file(path, &err), -ENOENT);
    fd = new_file("-", &err);
    assert_true(fd > 2);
    close(fd);
}

/* A pipe takes a part at a time. */
static void all_of_it(void **state)
{
    (void)state;
    int pipe_fd[2], status = 1;
    assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        char *bytes = calloc(1, MORE_THAN_A_PIPE);
        _exit(bytes && write_all(pipe_fd[1], bytes, MORE_THAN_A_PIPE) == 0 ? 0 : 1);
    }
    close(pipe_fd[1]);
    char buf[4096];
    size_t all = 0;
    for (ssize_t n; (n = read(pipe_fd[0], buf, sizeof(buf))) > 0;) {
        all += (size_t)n;
    }
    close(pipe_fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(all, MORE_THAN_A_PIPE);
    assert_int_equal(write_all(-1, "a", 1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
