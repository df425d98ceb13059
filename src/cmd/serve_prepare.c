/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/broker.h"
#include "sys/tcp.h"

enum {
    PRIVATE = 0700,
    PASSABLE = 0711,    /* the store's user enters it */
    SOCKET_MODE = 0666, /* whoever asks is looked at (SO_PEERCRED) */
};

static int make_folder(const char *path, mode_t mode, struct error *err)
{
    struct stat st;
    if (mkdir(path, mode) < 0 && errno != EEXIST) {
        return error_sys(err, errno, "cannot make the folder %s", path);
    }
    if (stat(path, &st) < 0) {
        return error_sys(err, errno, "%s", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return error_set(err, ENOTDIR, "%s is no folder", path);
    }
    return 0;
}

/* The folders above it, as far as they are missing. */
static int make_above(const char *path, struct error *err)
{
    char part[4096];
    (void)snprintf(part, sizeof(part), "%s", path);
    for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        const int r = make_folder(part, 0755, err);
        if (r < 0) {
            return r;
        }
        *p = '/';
    }
    return 0;
}

static int join(char ret[4096], const char *folder, const char *name, struct error *err)
{
    const int n = snprintf(ret, 4096, "%s/%s", folder, name);
    return n < 0 || n >= 4096 ? error_set(err, ENAMETOOLONG, "--data: the path is too long") : 0;
}

/* A folder of the broker's own. */
static int open_private(const char *data, const char *name, int *ret_fd, struct error *err)
{
    char path[4096];
    int r = join(path, data, name, err);
    r = r < 0 ? r : make_folder(path, PRIVATE, err);
    if (r < 0) {
        return r;
    }
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *ret_fd < 0 ? error_sys(err, errno, "cannot open %s", path) : 0;
}

/* The store's folder belongs to the user that the roles become. */
static int own_store(const struct serve_line *l, struct serve_opened *o, struct error *err)
{
    struct sandbox_conf who;
    int r = join(o->store, l->data, "store", err);
    r = r < 0 ? r : make_folder(o->store, PRIVATE, err);
    r = r < 0 ? r : broker_find_user(l->common.user, &who, err);
    if (r < 0 || !who.change_ids) {
        return r;
    }
    _cleanup_(closep) int fd = open(o->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 || fchown(fd, who.uid, who.gid) < 0
               ? error_sys(err, errno, "cannot give %s to its user", o->store)
               : 0;
}

static int open_tcp(const struct serve_line *l, struct serve_opened *o, struct error *err)
{
    for (unsigned i = 0; i < l->n_listen; i++) {
        struct udp_addr at;
        if (udp_addr_parse(l->listen[i].host, &at) < 0) {
            return error_set(err, EINVAL, "--listen %s: no address", l->listen[i].host);
        }
        const int r = tcp_listen(&at, l->listen[i].port, &o->tcp[o->n_tcp], err);
        if (r < 0) {
            return r;
        }
        o->n_tcp++;
    }
    return 0;
}

static int open_local(struct serve_opened *o, struct error *err)
{
    struct unixsock_dir dir;
    int r = unixsock_dir_for(geteuid(), getenv("XDG_RUNTIME_DIR"), &dir);
    r = r < 0 ? error_sys(err, -r, "no folder for the service's socket")
              : unixsock_make_dir(&dir, err);
    if (r < 0) {
        return r;
    }
    const int n = snprintf(o->local_path, sizeof(o->local_path), "%s/serve.api", dir.path);
    if (n < 0 || (size_t)n >= sizeof(o->local_path)) {
        o->local_path[0] = '\0';
        return error_set(err, ENAMETOOLONG, "%s/serve.api is too long for a socket", dir.path);
    }
    r = unixsock_listen(o->local_path, SOCKET_MODE, &o->local, err);
    if (r < 0) {
        o->local_path[0] = '\0'; /* it is another's */
    }
    return r;
}

int serve_open(const struct serve_line *l, struct serve_opened *ret, struct error *err)
{
    *ret = (struct serve_opened){
        .captures = -1, .interfaces = -1, .local = -1, .tcp = {-1, -1, -1, -1}};
    int r = make_above(l->data, err);
    r = r < 0 ? r : make_folder(l->data, PASSABLE, err);
    r = r < 0 ? r : open_private(l->data, "captures", &ret->captures, err);
    r = r < 0 ? r : open_private(l->data, "interfaces", &ret->interfaces, err);
    r = r < 0 ? r : own_store(l, ret, err);
    r = r < 0 ? r : open_tcp(l, ret, err);
    return r < 0 ? r : open_local(ret, err);
}

void serve_close(struct serve_opened *o, bool names)
{
    closep(&o->captures);
    closep(&o->interfaces);
    closep(&o->local);
    for (unsigned i = 0; i < o->n_tcp; i++) {
        closep(&o->tcp[i]);
    }
    if (names && o->local_path[0]) {
        (void)unixsock_remove(o->local_path);
    }
    *o = (struct serve_opened){.captures = -1, .interfaces = -1, .local = -1};
}
