/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/read_file.h"

#define NEXT MIRROR_NOTE ".next"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum {
    FILE_MODE = 0600,
    NOTE_MAX = 16 << 20, /* bytes that are read; a line of TAPWANT_MAX destinations is less */
};

int mirror_note_boot(char ret[OFFNOTE_BOOT + 1], struct error *err)
{
    char text[OFFNOTE_BOOT] = "";
    _cleanup_(closep) const int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (n != (ssize_t)sizeof(text)) {
        return error_sys(err, n < 0 ? errno : EIO, "cannot read " BOOT_ID);
    }
    memcpy(ret, text, OFFNOTE_BOOT);
    ret[OFFNOTE_BOOT] = '\0';
    return 0;
}

static int cannot_note(int code, struct error *err)
{
    return error_sys(err, code, "cannot note which offloads are to be put back");
}

/* ---- reading ---- */

int mirror_note_read(int folder, int (*each)(void *user, const struct offnote *v), void *user,
                     unsigned *ret_bad, struct error *err)
{
    _cleanup_(freep) char *text = NULL;
    size_t len = 0;
    struct offnote v;
    *ret_bad = 0;
    _cleanup_(closep) const int fd =
        folder < 0 ? -1 : openat(folder, MIRROR_NOTE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return folder < 0 || errno == ENOENT
                   ? 0
                   : error_sys(err, errno, "cannot open the note of offloads");
    }
    int r = read_open_file(fd, "the note of offloads", NOTE_MAX, &text, &len, err);
    struct rd rd = rd_make(text, r < 0 ? 0 : len);
    while (r == 0) {
        const int e = offnote_get(&rd, &v);
        if (e == -ENODATA) {
            break;
        }
        *ret_bad += e < 0;
        r = e < 0 ? 0 : each(user, &v);
    }
    return r;
}

/* ---- writing ---- */

static int write_all(int fd, const void *bytes, size_t len)
{
    const ssize_t n = write(fd, bytes, len);
    if (n != (ssize_t)len) {
        return n < 0 ? -errno : -ENOSPC;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int mirror_note_append(int folder, const struct offnote *v, struct error *err)
{
    uint8_t line[OFFNOTE_LINE];
    struct wr w = wr_make(line, sizeof(line));
    struct stat st;
    if (folder < 0) {
        return 0;
    }
    int r = offnote_put(&w, v);
    if (r < 0) {
        return cannot_note(-r, err);
    }
    _cleanup_(closep) const int fd = openat(
        folder, MIRROR_NOTE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return cannot_note(errno, err);
    }
    r = write_all(fd, line, wr_len(&w));
    if (r < 0) {
        /* Else the next line would begin within this one. */
        r = ftruncate(fd, st.st_size) < 0 ? -errno : r;
    } else if (st.st_size == 0 && fsync(folder) < 0) {
        r = -errno;
    }
    return r < 0 ? cannot_note(-r, err) : 0;
}

static int write_next(int folder, const void *bytes, size_t len)
{
    _cleanup_(closep) const int fd =
        openat(folder, NEXT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    return fd < 0 ? -errno : write_all(fd, bytes, len);
}

int mirror_note_write(int folder, const struct offnote *const *v, size_t n, struct error *err)
{
    _cleanup_(freep) uint8_t *text = malloc(n * OFFNOTE_LINE + 1);
    struct wr w = wr_make(text, text ? n * OFFNOTE_LINE : 0);
    int r = text ? 0 : -ENOMEM;
    if (folder < 0) {
        return 0;
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = offnote_put(&w, v[i]);
    }
    if (r == 0 && n == 0) {
        r = unlinkat(folder, MIRROR_NOTE, 0) < 0 && errno != ENOENT ? -errno : 0;
    } else if (r == 0) {
        r = write_next(folder, text, wr_len(&w));
        r = r < 0 || renameat(folder, NEXT, folder, MIRROR_NOTE) == 0 ? r : -errno;
    }
    r = r < 0 || fsync(folder) == 0 ? r : -errno;
    return r < 0 ? cannot_note(-r, err) : 0;
}
