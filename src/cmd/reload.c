/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/reload.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/reload_bytes.h"

/* A line that was read again. */
struct reloaded {
    struct reloaded *before;
    _Alignas(max_align_t) char line[];
};

static struct options_file *file_of(const struct reload *r, void *line)
{
    return (void *)((char *)line + r->ops->file);
}

/* The file's path, which is the same in all lines. */
static const char *path_of(const struct reload *r)
{
    const void *at = (const char *)r->line + r->ops->config;
    return *(const char *const *)at;
}

static void reloaded_free(const struct reload *r, struct reloaded *n)
{
    if (n) {
        r->ops->done(n->line);
        free(n);
    }
}

/* Reads the line with the file's text, as its filters are recorded or played. */
static int read_line(const struct reload *r, struct reload_bytes *from, struct reloaded **ret,
                     struct error *err)
{
    struct reloaded *n = calloc(1, sizeof(*n) + r->ops->size);
    if (!n) {
        (void)error_sys(err, ENOMEM, "cannot read the file again");
        return -ENOMEM;
    }
    int e = reload_bytes_file(from, file_of(r, n->line), err);
    if (e == 0) {
        filter_tape_use(&from->tape);
        e = r->ops->parse(n->line, r->argc, r->argv, err);
        filter_tape_use(NULL);
    }
    if (e < 0) {
        reloaded_free(r, n);
        return e;
    }
    *ret = n;
    return 0;
}

/* It is the line that holds from now on. */
static void take(struct reload *r, struct reloaded *n)
{
    n->before = r->lines;
    r->lines = n;
    r->line = n->line;
}

/* ---- in the broker ---- */

static int may_become(const struct reload *r, struct reloaded *n, struct error *err)
{
    int e = config_same_fixed(file_of(r, r->line), file_of(r, n->line), err);
    return e < 0 || !r->ops->may ? e : r->ops->may(r->line, n->line, err);
}

static int serve(void *user, int *ret_fd, struct error *err)
{
    struct reload *r = user;
    struct reloaded *n = NULL;
    struct reload_bytes from;
    int e = reload_bytes_read(path_of(r), &from, err);
    e = e < 0 ? e : read_line(r, &from, &n, err);
    e = e < 0 ? e : may_become(r, n, err);
    e = e < 0 ? e : reload_bytes_pack(&from, ret_fd, err);
    reload_bytes_done(&from);
    if (e < 0) {
        reloaded_free(r, n);
        return e;
    }
    take(r, n);
    if (r->ops->holds) {
        r->ops->holds(r->grants, r->line);
    }
    return 0;
}

bool reload_can(const struct reload *r)
{
    return path_of(r) != NULL;
}

void reload_grant(struct reload *r, struct reload_grant *ret, void *grants)
{
    r->grants = grants;
    if (reload_can(r)) {
        *ret = (struct reload_grant){serve, r};
    }
}

/* ---- in the engine ---- */

void reload_ask(struct reload *r, struct broker *b, void *node)
{
    struct reloaded *n = NULL;
    struct reload_bytes from = {0};
    struct error err = {""};
    int fd = -1, e = r->ops->request(b, &fd, &err);
    e = e < 0 ? e : reload_bytes_unpack(fd, &from, &err);
    e = e < 0 ? e : read_line(r, &from, &n, &err);
    reload_bytes_done(&from);
    if (e < 0) {
        say(r->ops->command, "SIGHUP: %s: %s", path_of(r), err.text);
        return;
    }
    take(r, n);
    r->ops->become(node, r->line);
    say(r->ops->command, "SIGHUP: %s was read again", path_of(r));
}

void reload_done(struct reload *r)
{
    for (struct reloaded *n; (n = r->lines) != NULL;) {
        r->lines = n->before;
        reloaded_free(r, n);
    }
}
