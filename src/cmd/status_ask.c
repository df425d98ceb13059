/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/status_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "node/document.h"
#include "sys/unixsock.h"

enum {
    NAMES_MAX = 256,
    DOC_MAX = 64 << 20,
    ANSWER_MS = 5000,
};

/* The whole document, or NULL with the sentence. */
static json_t *ask(const char *path, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    if (unixsock_connect(path, &fd, err) < 0) {
        return NULL;
    }
    struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    char *text = NULL;
    size_t len = 0, cap = 0;
    ssize_t n = 1;
    while (n > 0 && len < DOC_MAX) {
        if (cap - len < 4096) {
            cap = cap ? cap * 2 : 16384;
            char *more = realloc(text, cap);
            if (!more) {
                break;
            }
            text = more;
        }
        n = recv(fd, text + len, cap - len, 0);
        len += n > 0 ? (size_t)n : 0;
    }
    json_t *doc = n == 0 && len > 0 ? document_read(text, len) : NULL;
    if (!doc) {
        error_set(err, EBADMSG, "%s does not answer", path);
    }
    free(text);
    return doc;
}

/* Asks one; adds what it says. */
static int add(json_t *all, const char *path, struct error *err)
{
    json_t *doc = ask(path, err);
    return doc ? json_array_append_new(all, doc) : -ENOENT;
}

/* Another user than root sees his own programs only: are there some of root's (of this name)? */
static bool roots(const char *name)
{
    struct unixsock_dir dir;
    static struct unixsock_name names[NAMES_MAX];
    size_t n = 0;
    if (geteuid() == 0 || unixsock_dir_for(0, NULL, &dir) < 0 ||
        unixsock_list(&dir, names, NAMES_MAX, &n, NULL) < 0) {
        return false;
    }
    for (size_t i = 0; name && i < n; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return true;
        }
    }
    return !name && n > 0;
}

/* -ENOENT, with where it was looked, and where something is. */
static int nothing_found(const char *name, const char *folder, struct error *err)
{
    const char *hint =
        roots(name) ? "; root's are shown to root only: try sudo farspan status" : "";
    return name ? error_set(err, ENOENT,
                            "no tap or collector named \"%s\" runs here (looked in %s)%s", name,
                            folder, hint)
                : error_set(err, ENOENT, "no tap and no collector runs here (looked in %s)%s",
                            folder, hint);
}

int status_ask(const char *name, json_t *all, struct error *err)
{
    struct unixsock_dir dir;
    static struct unixsock_name names[NAMES_MAX];
    char path[UNIXSOCK_PATH_MAX];
    size_t n = 0;
    if (name && strchr(name, '/')) {
        return add(all, name, err);
    }
    int r = unixsock_dir_for(geteuid(), getenv("XDG_RUNTIME_DIR"), &dir);
    if (r < 0) {
        return error_sys(err, -r, "no folder for status sockets");
    }
    if (name) {
        r = unixsock_path(&dir, name, path, err);
        r = r < 0 ? r : add(all, path, err);
        return r < 0 ? nothing_found(name, dir.path, err) : 0;
    }
    r = unixsock_list(&dir, names, NAMES_MAX, &n, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (unixsock_path(&dir, names[i].name, path, err) == 0) {
            (void)add(all, path, err); /* one that has just ended is left out */
        }
    }
    if (r == 0 && json_array_size(all) == 0) {
        r = nothing_found(NULL, dir.path, err);
    }
    return r;
}
