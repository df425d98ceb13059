/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "sys/crypto/kdf.h"

int read_open_file(int fd, const char *path, size_t max, char **ret, size_t *ret_len,
                   struct error *err)
{
    char *buf = malloc(max + 1);
    size_t len = 0;
    ssize_t n = 1;
    while (buf && n > 0 && len <= max) {
        n = read(fd, buf + len, max + 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    int e = errno;
    if (!buf || n < 0 || len > max) {
        if (buf) {
            secure_wipe(buf, len);
        }
        free(buf);
        return len > max ? error_set(err, EFBIG,
                                     "%s is larger than %zu bytes: not a file of keys or settings",
                                     path, max)
                         : error_sys(err, buf ? e : ENOMEM, "cannot read %s", path);
    }
    buf[len] = '\0';
    *ret = buf;
    *ret_len = len;
    return 0;
}

int read_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_sys(err, errno, "cannot read %s", path);
    }
    return read_open_file(fd, path, max, ret, ret_len, err);
}
