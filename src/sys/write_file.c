/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
    MODE = 0666, /* as far as the umask lets it */
};

int new_file(const char *path, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? error_sys(err, errno, "cannot write to standard output") : fd;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, MODE);
    if (fd < 0 && errno == EEXIST) {
        return error_set(err, EEXIST, "%s is there already, and no file is overwritten", path);
    }
    return fd < 0 ? error_sys(err, errno, "cannot create %s", path) : fd;
}

int write_all(int fd, const void *bytes, size_t len)
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
