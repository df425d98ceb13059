/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/parse.h"

#define NETNS_FOLDER "/run/netns"

enum {
    NAME_LEN_MAX = 255,
    EXIT_LOST = 70,
};

struct netns {
    int home;
    int process; /* a descriptor of the process, or -1: by name */
    int fd;      /* the process's namespace while that lives */
    char what[NAME_LEN_MAX + 1];
};

void netns_free(struct netns *n)
{
    if (n) {
        closep(&n->home);
        closep(&n->process);
        closep(&n->fd);
        free(n);
    }
}

bool netns_of_process(const struct netns *n)
{
    return n->process >= 0;
}

/* A name's namespace now, or -errno. A name whose namespace was unmounted is an empty file for a
 * moment; that is none. */
static int open_name(const char *name)
{
    char path[sizeof(NETNS_FOLDER) + NAME_LEN_MAX + 1];
    struct statfs fs;
    snprintf(path, sizeof(path), NETNS_FOLDER "/%s", name);
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        return -errno;
    }
    if (fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC) {
        return -ENOENT;
    }
    return TAKE_FD(fd);
}

static bool process_lives(const struct netns *n)
{
    struct pollfd p = {n->process, POLLIN, 0};
    return poll(&p, 1, 0) == 0;
}

static int open_process(struct netns *n, pid_t pid, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    n->process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (n->process < 0 && errno == ENOSYS) {
        return error_set(err, ENOSYS, "--netns with a process's number needs Linux 5.3 or later");
    }
    if (n->process < 0) {
        return error_set(err, ESRCH, "--netns %d: there is no such process", (int)pid);
    }
    n->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (n->fd < 0) {
        return error_sys(err, errno, "--netns %d: cannot open its network namespace", (int)pid);
    }
    return process_lives(n) ? 0
                            : error_set(err, ESRCH, "--netns %d: the process has ended", (int)pid);
}

static int no_such_name(const char *name, struct error *err)
{
    char names[160] = "";
    size_t used = 0;
    DIR *d = opendir(NETNS_FOLDER);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] != '.' && used + len + 3 < sizeof(names)) {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                                     e->d_name);
        }
    }
    if (d) {
        closedir(d);
    }
    return error_set(err, ENOENT,
                     "--netns %.64s: there is no such namespace in " NETNS_FOLDER "%s%s", name,
                     used ? "; there are " : "", names);
}

int netns_open(const char *what, struct netns **ret, struct error *err)
{
    _cleanup_(netns_freep) struct netns *n = calloc(1, sizeof(*n));
    uint64_t pid = 0;
    if (!n) {
        return error_sys(err, ENOMEM, "--netns");
    }
    n->process = n->fd = -1;
    n->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (n->home < 0) {
        return error_sys(err, errno, "cannot open this process's own network namespace");
    }
    size_t len = strlen(what);
    if (len == 0 || len > NAME_LEN_MAX || what[0] == '.' || strchr(what, '/')) {
        return error_set(
            err, EINVAL,
            "--netns \"%.64s\" is neither a process's number nor a name in " NETNS_FOLDER, what);
    }
    memcpy(n->what, what, len);
    int r = 0;
    if (strspn(what, "0123456789") == len) {
        r = parse_u64(what, "--netns", 1, INT32_MAX, &pid, err);
        r = r < 0 ? r : open_process(n, (pid_t)pid, err);
    } else {
        _cleanup_(closep) int fd = open_name(what);
        r = fd == -ELOOP ? error_set(err, ELOOP,
                                     "--netns %.64s: that is a link in " NETNS_FOLDER
                                     "; give the number of the process that it leads to",
                                     what)
            : fd < 0     ? no_such_name(what, err)
                         : 0;
    }
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(n);
    return 0;
}

/* The namespace that is there now, for the caller to close, or -errno. */
static int open_now(struct netns *n)
{
    if (!netns_of_process(n)) {
        return open_name(n->what);
    }
    if (n->fd >= 0 && !process_lives(n)) {
        close(TAKE_FD(n->fd)); /* it may end now, if nothing else is in it */
    }
    int fd = n->fd < 0 ? -1 : fcntl(n->fd, F_DUPFD_CLOEXEC, 3);
    return n->fd < 0 ? -ENOENT : fd < 0 ? -errno : fd;
}

uint64_t netns_id(struct netns *n)
{
    struct stat st;
    _cleanup_(closep) int fd = open_now(n);
    return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

int netns_enter(struct netns *n, struct error *err)
{
    _cleanup_(closep) int fd = open_now(n);
    if (fd < 0) {
        return error_set(err, ENOENT, "the network namespace %s is gone", n->what);
    }
    if (setns(fd, CLONE_NEWNET) < 0) {
        return error_sys(err, errno, "cannot enter the network namespace %s", n->what);
    }
    return 0;
}

void netns_leave(const struct netns *n)
{
    if (setns(n->home, CLONE_NEWNET) < 0) {
        _exit(EXIT_LOST);
    }
}
