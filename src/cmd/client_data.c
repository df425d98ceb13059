/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that data goes to, and signals (client.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

volatile sig_atomic_t *client_catch_signals(void)
{
    const struct sigaction once = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &once, NULL);
    (void)sigaction(SIGTERM, &once, NULL);
    return &stopped;
}

int client_create(const char *path, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? error_sys(err, errno, "cannot write to standard output") : fd;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0 && errno == EEXIST) {
        return error_set(err, EEXIST, "%s is there already, and no file is overwritten", path);
    }
    return fd < 0 ? error_sys(err, errno, "cannot create %s", path) : fd;
}

int client_write(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len > 0) {
        const ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        p += MAX(n, (ssize_t)0);
        len -= (size_t)MAX(n, (ssize_t)0);
    }
    return 0;
}
