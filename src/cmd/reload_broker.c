/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's half of a reload (cmd/reload.h).
 */
#include <errno.h>

#include "cmd/reload.h"

static int may_become(const struct reload *r, struct reloaded *n, struct error *err)
{
    int e = config_same_fixed(reload_file(r, r->line), reload_file(r, n->line), err);
    return e < 0 || !r->ops->may ? e : r->ops->may(r->line, n->line, err);
}

/* The file as it is now, and its line, if that may hold. *ret_bytes is to be given to
 * reload_bytes_done also after a failure. */
static int read_file_again(const struct reload *r, struct reload_bytes *ret_bytes,
                           struct reloaded **ret, struct error *err)
{
    struct reloaded *n = NULL;
    int e = reload_bytes_read(reload_path(r), ret_bytes, err);
    e = e < 0 ? e : reload_line_read(r, ret_bytes, &n, err);
    e = e < 0 ? e : may_become(r, n, err);
    if (e < 0) {
        reload_line_free(r, n);
        return e;
    }
    *ret = n;
    return 0;
}

static void hold(struct reload *r, struct reloaded *n)
{
    reload_line_take(r, n);
    if (r->ops->holds) {
        r->ops->holds(r->grants, r->line);
    }
}

static int serve(void *user, int *ret_fd, struct error *err)
{
    struct reload *r = user;
    struct reloaded *n = NULL;
    struct reload_bytes from;
    int e = read_file_again(r, &from, &n, err);
    e = e < 0 ? e : reload_bytes_pack(&from, ret_fd, err);
    reload_bytes_done(&from);
    if (e < 0) {
        reload_line_free(r, n);
        return e;
    }
    hold(r, n);
    return 0;
}

int reload_read(struct reload *r, struct error *err)
{
    struct reloaded *n = NULL;
    struct reload_bytes from;
    const int e = read_file_again(r, &from, &n, err);
    if (e < 0) {
        reload_bytes_done(&from);
        return e;
    }
    hold(r, n);
    reload_bytes_done(&r->read);
    r->read = from;
    return 0;
}

static int serve_read(void *user, int *ret_fd, struct error *err)
{
    const struct reload *r = user;
    return r->read.text ? reload_bytes_pack(&r->read, ret_fd, err)
                        : error_set(err, ENOENT, "nothing was read again");
}

void reload_grant(struct reload *r, struct reload_grant *ret, void *grants)
{
    r->grants = grants;
    if (reload_can(r)) {
        *ret = (struct reload_grant){serve, r};
    }
}

void reload_grant_read(struct reload *r, struct reload_grant *ret, void *grants)
{
    r->grants = grants;
    *ret = (struct reload_grant){serve_read, r};
}
