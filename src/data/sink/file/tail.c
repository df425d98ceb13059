/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/tail.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

enum {
    WINDOW = 1 << 20,
};

/* Fills the window from `at` on; fewer bytes than asked for mean that the file shrank. */
static int read_window(int fd, uint8_t *to, size_t want, uint64_t at)
{
    for (size_t got = 0; got < want;) {
        ssize_t n = pread(fd, to + got, want - got, (off_t)(at + got));
        if (n == 0) {
            return -EIO;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int file_tail_find(int fd, const char *name, uint64_t size, struct pcapng_tail *ret,
                   struct error *err)
{
    _cleanup_(freep) uint8_t *window = malloc(WINDOW);
    struct pcapng_tail t;
    if (!window) {
        return error_sys(err, ENOMEM, "%s", name);
    }
    pcapng_tail_init(&t, size);
    for (int go = 1; go == 1;) {
        size_t n = (size_t)MIN((uint64_t)WINDOW, size - t.at);
        int failed = read_window(fd, window, n, t.at);
        if (failed < 0) {
            return error_sys(err, -failed, "cannot read %s to continue it", name);
        }
        go = pcapng_tail_feed(&t, window, n);
        if (go == -EPROTO) {
            return error_set(err, EEXIST,
                             "%s exists and is not a pcapng file: it will not be overwritten",
                             name);
        }
        if (go < 0) {
            return error_set(err, EBADMSG,
                             "%s is damaged at byte %" PRIu64
                             ": it will not be continued; name another file",
                             name, t.good);
        }
    }
    *ret = t;
    return 0;
}

uint16_t file_tail_linktype(int fd, uint64_t size)
{
    size_t n = (size_t)MIN((uint64_t)WINDOW, size);
    _cleanup_(freep) uint8_t *window = malloc(WINDOW);
    _cleanup_(freep) struct pcapng_reader *reader = malloc(sizeof(*reader));
    struct pcapng_item item = {0};
    if (!window || !reader || read_window(fd, window, n, 0) < 0) {
        return 0;
    }
    pcapng_reader_init(reader);
    for (size_t at = 0; at < n && item.kind != PCAPNG_INTERFACE; at += item.len) {
        if (pcapng_read(reader, window + at, n - at, &item) < 0 || item.kind == PCAPNG_MORE) {
            return 0;
        }
    }
    return item.kind == PCAPNG_INTERFACE ? item.idb.linktype : 0;
}
