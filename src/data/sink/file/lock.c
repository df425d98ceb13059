/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int file_lock(int fd, const char *path, int *ret_lock, struct error *err)
{
    char self[64];
    struct stat st;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *ret_lock = -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return 0;
    }
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    _cleanup_(closep) int lock = open(self, O_WRONLY | O_CLOEXEC);
    if (lock < 0 || fcntl(lock, F_OFD_SETLK, &whole) == 0) {
        *ret_lock = TAKE_FD(lock);
        return 0;
    }
    if (errno != EAGAIN && errno != EACCES) {
        return 0; /* its file system knows no locks */
    }
    return error_set(err, EBUSY,
                     "%s is being written by another collector: end that one first, or name "
                     "another file",
                     strcmp(path, "-") == 0 ? "standard output" : path);
}
