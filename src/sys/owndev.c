/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/owndev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

#define PREFIX "devices-"

enum {
    ENTRY = 16, /* bytes: namespace 8, index 4, 0 4 */
    PATH_LEN = 160,
    READ_ENTRIES = 64,
};

struct owndev {
    int fd;
    char path[PATH_LEN];
    uint64_t netns; /* that of the collector, and of its devices */
    unsigned n;
    int ifindex[OWNDEV_MAX]; /* by the entry's place in the file */
};

/* The number of the thread's network namespace, which nobody else has as long as it lives. */
static int this_netns(uint64_t *ret)
{
    struct stat st;
    if (stat("/proc/thread-self/ns/net", &st) < 0) {
        return -errno;
    }
    *ret = (uint64_t)st.st_ino;
    return 0;
}

/* An open file description's lock of the whole file: it goes with the last process that has it. */
static int lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) < 0 ? -errno : 0;
}

/* Does its collector live? Only who may write the file can hold that lock. */
static bool is_locked(int fd)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_WRLCK;
}

/* Opens a list that nobody but root or this user can have written. */
static int open_list(int dir, const char *name)
{
    struct stat st;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0) {
        return -ENOENT;
    }
    _cleanup_(closep) int fd =
        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return -errno;
    }
    bool trusted = S_ISREG(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) &&
                   !(st.st_mode & (S_IWGRP | S_IWOTH));
    return trusted ? TAKE_FD(fd) : -EPERM;
}

static DIR *open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !d) {
        close(fd);
    }
    return d;
}

/* ---- a collector's ---- */

/* A list without an entry may be one that is just being made, and not locked yet. */
static void remove_left(const char *dir)
{
    DIR *d = open_dir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        struct stat st;
        _cleanup_(closep) int fd = open_list(dirfd(d), e->d_name);
        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && !is_locked(fd)) {
            (void)unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    if (d) {
        closedir(d);
    }
}

int owndev_new(const char *dir, struct owndev **ret, struct error *err)
{
    _cleanup_(owndev_freep) struct owndev *o = calloc(1, sizeof(*o));
    if (!o) {
        return error_sys(err, ENOMEM, "the list of devices");
    }
    o->fd = -1;
    int r = this_netns(&o->netns);
    if (r < 0) {
        return error_sys(err, -r, "cannot find this network namespace's number in /proc");
    }
    remove_left(dir);
    int n = snprintf(o->path, sizeof(o->path), "%s/" PREFIX "XXXXXX", dir);
    errno = ENAMETOOLONG;
    o->fd = n < (int)sizeof(o->path) ? mkostemp(o->path, O_CLOEXEC) : -1;
    if (o->fd < 0) {
        return error_sys(err, errno, "cannot make a list of devices in %s", dir);
    }
    r = lock(o->fd);
    if (r == 0 && fchmod(o->fd, 0644) < 0) { /* also taps of other users are to see it */
        r = -errno;
    }
    if (r < 0) {
        owndev_remove(o);
        return error_sys(err, -r, "cannot lock %s", o->path);
    }
    *ret = TAKE_PTR(o);
    return 0;
}

void owndev_free(struct owndev *o)
{
    if (o) {
        closep(&o->fd);
        free(o);
    }
}

void owndev_remove(const struct owndev *o)
{
    if (o) {
        (void)unlink(o->path);
    }
}

/* That of the same device, of one that is no more, or a new one; OWNDEV_MAX: there is none. */
static unsigned place(struct owndev *o, int ifindex)
{
    unsigned free = o->n;
    char name[IF_NAMESIZE];
    for (unsigned i = 0; i < o->n; i++) {
        if (o->ifindex[i] == ifindex) {
            return i;
        }
        if (free == o->n && !if_indextoname((unsigned)o->ifindex[i], name)) {
            free = i;
        }
    }
    return free;
}

int owndev_add(struct owndev *o, int ifindex, struct error *err)
{
    uint8_t entry[ENTRY] = {0};
    unsigned at = place(o, ifindex);
    if (at == OWNDEV_MAX) {
        return error_set(err, ENOSPC, "a collector makes no more than %d devices", OWNDEV_MAX);
    }
    struct wr w = wr_make(entry, sizeof(entry));
    wr_u64(&w, o->netns);
    wr_u32(&w, (uint32_t)ifindex);
    ssize_t n = pwrite(o->fd, entry, sizeof(entry), (off_t)at * ENTRY);
    if (n != (ssize_t)sizeof(entry)) {
        return error_sys(err, n < 0 ? errno : EIO, "cannot write %s", o->path);
    }
    o->ifindex[at] = ifindex;
    o->n = MAX(o->n, at + 1);
    return 0;
}

/* ---- a tap's ---- */

static bool lists(int fd, uint64_t netns, uint32_t ifindex)
{
    uint8_t buf[READ_ENTRIES * ENTRY];
    ssize_t n = 0;
    for (off_t at = 0; at < OWNDEV_MAX * ENTRY; at += n) {
        n = pread(fd, buf, sizeof(buf), at);
        struct rd r = rd_make(buf, n > 0 ? (size_t)n : 0);
        while (rd_left(&r) >= ENTRY) {
            bool same = rd_u64(&r) == netns;
            same &= rd_u32(&r) == ifindex;
            rd_skip(&r, 4);
            if (same) {
                return true;
            }
        }
        if (n < (ssize_t)sizeof(buf)) {
            return false;
        }
    }
    return false;
}

bool owndev_is(const char *dir, int ifindex)
{
    uint64_t netns = 0;
    bool found = false;
    DIR *d = this_netns(&netns) == 0 ? open_dir(dir) : NULL;
    for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
        _cleanup_(closep) int fd = open_list(dirfd(d), e->d_name);
        found = fd >= 0 && is_locked(fd) && lists(fd, netns, (uint32_t)ifindex);
    }
    if (d) {
        closedir(d);
    }
    return found;
}
