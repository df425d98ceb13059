/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/reload.h"

#include "cmd/cmd.h"

bool reload_can(const struct reload *r)
{
    return reload_path(r) != NULL;
}

int reload_take(struct reload *r, struct broker *b, struct error *err)
{
    struct reloaded *n = NULL;
    struct reload_bytes from = {0};
    int fd = -1, e = r->ops->request(b, &fd, err);
    e = e < 0 ? e : reload_bytes_unpack(fd, &from, err);
    e = e < 0 ? e : reload_line_read(r, &from, &n, err);
    reload_bytes_done(&from);
    if (e == 0) {
        reload_line_take(r, n);
    }
    return e;
}

void reload_ask(struct reload *r, struct broker *b, void *node)
{
    struct error err = {""};
    if (reload_take(r, b, &err) < 0) {
        say(r->ops->command, "SIGHUP: %s: %s", reload_path(r), err.text);
        return;
    }
    r->ops->become(node, r->line);
    say(r->ops->command, "SIGHUP: %s was read again", reload_path(r));
}

void reload_done(struct reload *r)
{
    for (struct reloaded *n; (n = r->lines) != NULL;) {
        r->lines = n->before;
        reload_line_free(r, n);
    }
    reload_bytes_done(&r->read);
}
