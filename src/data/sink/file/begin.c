/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/begin.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/batch.h"
#include "data/sink/file/tail.h"

/* Cuts a torn end off and finds the place where the new section begins. */
static int continue_file(int fd, bool append, const char *path, uint64_t size, struct file_begin *b,
                         struct error *err)
{
    struct pcapng_tail tail;
    if (!append) {
        return error_set(err, EEXIST, "%s exists and is not empty: it will not be overwritten",
                         path);
    }
    int failed = file_tail_find(fd, path, size, &tail, err);
    if (failed < 0) {
        return failed;
    }
    if (tail.described && tail.snaplen > 0 && tail.snaplen < FILE_BEGIN_SNAPLEN) {
        return error_set(err, EEXIST,
                         "%s has frames of at most %u bytes, and programs that use libpcap would "
                         "read none that are longer: it will not be continued; name another file",
                         path, tail.snaplen);
    }
    if (tail.good < size && ftruncate(fd, (off_t)tail.good) < 0) {
        return error_sys(err, errno, "cannot cut the torn end off %s", path);
    }
    b->end = tail.good;
    b->frames = tail.frames;
    b->snaplen = tail.described ? tail.snaplen : b->snaplen;
    return 0;
}

int file_begin(int fd, bool append, const char *path, struct file_begin *ret, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return error_sys(err, errno, "%s", path);
    }
    *ret = (struct file_begin){.regular = S_ISREG(st.st_mode), .snaplen = FRAME_LEN_MAX};
    if (!ret->regular) {
        return 0;
    }
    if (st.st_size > 0) {
        int failed = continue_file(fd, append, path, (uint64_t)st.st_size, ret, err);
        if (failed < 0) {
            return failed;
        }
    }
    if (lseek(fd, (off_t)ret->end, SEEK_SET) < 0) {
        return error_sys(err, errno, "%s", path);
    }
    return 0;
}
