/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/unixsock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
    BACKLOG = 16,
};

static const char SUFFIX[] = ".sock";

/* -- the folder -------------------------------------------------------------------------------- */

int unixsock_dir_for(uid_t euid, const char *xdg_runtime_dir, struct unixsock_dir *ret)
{
    struct unixsock_dir dir = {.mode = euid == 0 ? 0755 : 0700};
    int n;
    if (euid == 0) {
        n = snprintf(dir.path, sizeof(dir.path), "/run/farspan");
    } else if (xdg_runtime_dir && xdg_runtime_dir[0] == '/') {
        n = snprintf(dir.path, sizeof(dir.path), "%s/farspan", xdg_runtime_dir);
    } else {
        n = snprintf(dir.path, sizeof(dir.path), "/tmp/farspan-%u", (unsigned)euid);
    }
    if (n < 0 || (size_t)n >= sizeof(dir.path)) {
        return -ENAMETOOLONG;
    }
    *ret = dir;
    return 0;
}

static int check_dir(int fd, const char *path, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return error_sys(err, errno, "cannot look at %s", path);
    }
    if (st.st_uid != geteuid()) {
        return error_set(err, EPERM, "%s belongs to user %u: remove it", path, (unsigned)st.st_uid);
    }
    if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        return error_set(err, EPERM, "%s is writable by others: remove it", path);
    }
    return 0;
}

int unixsock_make_dir(const struct unixsock_dir *dir, struct error *err)
{
    bool made = mkdir(dir->path, dir->mode) == 0;
    if (!made && errno != EEXIST) {
        return error_sys(err, errno, "cannot make the folder %s", dir->path);
    }
    _cleanup_(closep) int fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        return error_set(err, EPERM, "%s is not a folder: remove it", dir->path);
    }
    if (fd < 0) {
        return error_sys(err, errno, "cannot open the folder %s", dir->path);
    }
    int r = check_dir(fd, dir->path, err);
    if (r >= 0 && made && fchmod(fd, dir->mode) < 0) { /* whatever the umask took away */
        r = error_sys(err, errno, "cannot set the mode of %s", dir->path);
    }
    return r;
}

int unixsock_path(const struct unixsock_dir *dir, const char *name, char ret[UNIXSOCK_PATH_MAX],
                  struct error *err)
{
    char path[2 * UNIXSOCK_PATH_MAX];
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/')) {
        return error_set(err, EINVAL, "\"%s\" cannot be a socket's name", name);
    }
    int n = snprintf(path, sizeof(path), "%s/%s%s", dir->path, name, SUFFIX);
    if (n < 0 || n >= UNIXSOCK_PATH_MAX) {
        return error_set(err, ENAMETOOLONG, "the socket's name \"%s\" is too long", name);
    }
    memcpy(ret, path, (size_t)n + 1);
    return 0;
}

/* -- both ends --------------------------------------------------------------------------------- */

static int make_addr(const char *path, struct sockaddr_un *ret)
{
    size_t len = strlen(path);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof(ret->sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(ret->sun_path, path, len);
    return 0;
}

static int make_socket(int flags)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    return fd < 0 ? -errno : fd;
}

/* 0 when somebody listens, -ECONNREFUSED when nobody does any more. A full queue is somebody. */
static int knock(const struct sockaddr_un *sa)
{
    _cleanup_(closep) int fd = make_socket(SOCK_NONBLOCK);
    if (fd < 0) {
        return fd;
    }
    int r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;
    return r == -EAGAIN || r == -EACCES ? 0 : r;
}

int unixsock_connect(const char *path, int *ret_fd, struct error *err)
{
    struct sockaddr_un sa;
    int r = make_addr(path, &sa);
    _cleanup_(closep) int fd = r < 0 ? r : make_socket(0);
    if (fd >= 0) {
        do {
            r = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
        } while (r == -EINTR);
    } else {
        r = fd;
    }
    if (r == -ENOENT || r == -ECONNREFUSED) {
        return error_set(err, -r, "nothing is running at %s", path);
    }
    if (r < 0) {
        return error_sys(err, -r, "cannot connect to %s", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* The folder's lock, held until the descriptor is closed. */
static int lock_parent(const char *path)
{
    char copy[UNIXSOCK_PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    _cleanup_(closep) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return TAKE_FD(fd);
}

/* Removes what a program left that has ended; the folder is locked. */
static int remove_stale(const struct sockaddr_un *sa, struct error *err)
{
    struct stat st;
    if (lstat(sa->sun_path, &st) < 0) {
        return errno == ENOENT ? 0 : error_sys(err, errno, "cannot look at %s", sa->sun_path);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return error_set(err, EEXIST, "%s is not a socket: remove it", sa->sun_path);
    }
    int r = knock(sa);
    if (r == 0) {
        return error_set(err, EADDRINUSE, "a program is listening at %s already", sa->sun_path);
    }
    if (r != -ECONNREFUSED && r != -ENOENT) {
        return error_sys(err, -r, "cannot tell whether %s is in use", sa->sun_path);
    }
    if (unlink(sa->sun_path) < 0 && errno != ENOENT) {
        return error_sys(err, errno, "cannot remove the old socket %s", sa->sun_path);
    }
    return 0;
}

int unixsock_listen(const char *path, mode_t mode, int *ret_fd, struct error *err)
{
    struct sockaddr_un sa;
    int r = make_addr(path, &sa);
    if (r < 0) {
        return error_sys(err, -r, "cannot listen at %s", path);
    }
    _cleanup_(closep) int lock = lock_parent(path);
    if (lock < 0) {
        return error_sys(err, -lock, "cannot lock the folder of %s", path);
    }
    r = remove_stale(&sa, err);
    if (r < 0) {
        return r;
    }
    _cleanup_(closep) int fd = make_socket(SOCK_NONBLOCK);
    /* A socket's mode before bind bounds the name's: it is at no moment open to others (unix(7)
     * does not say so; Linux's unix_bind takes the mode of the socket's own inode). */
    if (fd < 0 || fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
        return error_sys(err, errno, "cannot listen at %s", path);
    }
    if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
        r = error_sys(err, errno, "cannot listen at %s", path);
        unlink(path);
        return r;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int unixsock_remove(const char *path)
{
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* -- looking around ---------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct unixsock_name *)a)->name, ((const struct unixsock_name *)b)->name);
}

/* True when `file` is a socket's name and somebody listens; its name is in *ret then. */
static bool is_live(const struct unixsock_dir *dir, const char *file, struct unixsock_name *ret)
{
    size_t len = strlen(file), tail = sizeof(SUFFIX) - 1;
    char path[UNIXSOCK_PATH_MAX];
    struct sockaddr_un sa;
    if (len <= tail || len >= sizeof(ret->name) || strcmp(file + len - tail, SUFFIX) != 0) {
        return false;
    }
    memcpy(ret->name, file, len - tail);
    ret->name[len - tail] = '\0';
    return unixsock_path(dir, ret->name, path, NULL) == 0 && make_addr(path, &sa) == 0 &&
           knock(&sa) == 0;
}

int unixsock_list(const struct unixsock_dir *dir, struct unixsock_name ret[], size_t cap,
                  size_t *ret_n, struct error *err)
{
    size_t n = 0;
    DIR *d = opendir(dir->path);
    if (!d && errno != ENOENT) {
        return error_sys(err, errno, "cannot read the folder %s", dir->path);
    }
    for (struct dirent *e; d && n < cap && (e = readdir(d)) != NULL;) {
        n += is_live(dir, e->d_name, &ret[n]);
    }
    if (d) {
        closedir(d);
    }
    if (n > 0) {
        qsort(ret, n, sizeof(ret[0]), by_name);
    }
    *ret_n = n;
    return 0;
}

int unixsock_peer(int fd, struct unixsock_peer *ret)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
        return -errno;
    }
    *ret = (struct unixsock_peer){cred.pid, cred.uid, cred.gid};
    return 0;
}

bool unixsock_peer_may(const struct unixsock_peer *peer, uid_t owner)
{
    return peer->uid == 0 || peer->uid == owner;
}
