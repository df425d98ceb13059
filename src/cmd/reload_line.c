/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/reload_line.h"

#include <errno.h>
#include <stdlib.h>

struct options_file *reload_file(const struct reload *r, void *line)
{
    return (void *)((char *)line + r->ops->file);
}

const char *reload_path(const struct reload *r)
{
    const void *at = (const char *)r->line + r->ops->config;
    return *(const char *const *)at;
}

void reload_line_free(const struct reload *r, struct reloaded *n)
{
    if (n) {
        r->ops->done(n->line);
        free(n);
    }
}

int reload_line_read(const struct reload *r, struct reload_bytes *from, struct reloaded **ret,
                     struct error *err)
{
    struct reloaded *n = calloc(1, sizeof(*n) + r->ops->size);
    if (!n) {
        (void)error_sys(err, ENOMEM, "cannot read the file again");
        return -ENOMEM;
    }
    int e = reload_bytes_file(from, reload_file(r, n->line), err);
    if (e == 0) {
        filter_tape_use(&from->tape);
        e = r->ops->parse(n->line, r->argc, r->argv, err);
        filter_tape_use(NULL);
    }
    if (e < 0) {
        reload_line_free(r, n);
        return e;
    }
    *ret = n;
    return 0;
}

void reload_line_take(struct reload *r, struct reloaded *n)
{
    n->before = r->lines;
    r->lines = n;
    r->line = n->line;
}
