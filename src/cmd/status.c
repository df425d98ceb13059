/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/cmd.h"
#include "cmd/print.h"
#include "node/document.h"
#include "sys/unixsock.h"

static const char help[] = "Usage: farspan status [NAME|PATH] [--json] [--watch]\n"
                           "\n"
                           "Shows the ledger of the taps and collectors that run on this host: "
                           "what came in at each stage,\n"
                           "what went on, and what was dropped, by reason. NAME is a tap's or "
                           "collector's, PATH a control\n"
                           "socket; without either, all are shown.\n"
                           "\n"
                           "      --json            print one JSON array\n"
                           "  -w, --watch           print again every second, until interrupted\n"
                           "  -h, --help            print this help\n"
                           "  -V, --version         print the version\n";

enum {
    NAMES_MAX = 256,
    DOC_MAX = 64 << 20,
    ANSWER_MS = 5000,
};

struct status {
    const char *name;
    bool json, watch;
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

static int collect(const struct status *s, json_t *all, struct error *err)
{
    struct unixsock_dir dir;
    static struct unixsock_name names[NAMES_MAX];
    char path[UNIXSOCK_PATH_MAX];
    size_t n = 0;
    if (s->name && strchr(s->name, '/')) {
        return add(all, s->name, err);
    }
    int r = unixsock_dir_for(geteuid(), getenv("XDG_RUNTIME_DIR"), &dir);
    if (r < 0) {
        return error_sys(err, -r, "no folder for status sockets");
    }
    if (s->name) {
        r = unixsock_path(&dir, s->name, path, err);
        r = r < 0 ? r : add(all, path, err);
        return r < 0 ? nothing_found(s->name, dir.path, err) : 0;
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

static void show(const struct status *s, const json_t *all)
{
    size_t i;
    json_t *doc;
    if (s->json) {
        document_print(all, s->watch ? JSON_COMPACT : JSON_INDENT(2), stdout);
    } else {
        json_array_foreach(all, i, doc)
        {
            print_report(doc, stdout);
        }
        if (s->watch) {
            putchar('\n');
        }
    }
    fflush(stdout);
}

static int run(const struct status *s)
{
    bool shown = false;
    for (;;) {
        struct error err = {""};
        json_t *all = json_array();
        int r = collect(s, all, &err);
        if (r == 0) {
            show(s, all);
            shown = true;
        }
        json_decref(all);
        if (r < 0 || !s->watch || ferror(stdout)) {
            if (r < 0 && !shown) {
                say("status", "%s", err.text);
            }
            return r < 0 && !shown ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        (void)poll(NULL, 0, 1000);
    }
}

int cmd_status(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'J'},
                                            {"watch", no_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    struct status s = {0};
    int opt;
    while ((opt = getopt_long(argc, argv, ":whV", options, NULL)) != -1) {
        switch (opt) {
        case 'J':
            s.json = true;
            break;
        case 'w':
            s.watch = true;
            break;
        default:
            return help_option(opt, help) ? EXIT_SUCCESS : option_error("status", argv, opt);
        }
    }
    s.name = optind < argc ? argv[optind++] : NULL;
    if (optind < argc) {
        return usage_error("status", "one name at a time: \"%s\" is too much", argv[optind]);
    }
    return run(&s);
}
