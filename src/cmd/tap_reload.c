/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tap_reload.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/tap_line.h"

static int parse(void *line, int argc, char **argv, struct error *err)
{
    struct tap_line *l = line;
    return tap_parse(l, argc, argv) == EXIT_SUCCESS
               ? selection_compile(&l->conf.select, err)
               : error_set(err, EINVAL, "nothing of it is used");
}

static void done(void *line)
{
    tap_line_done(line);
}

static int may(const void *from, const void *to, struct error *err)
{
    const struct tap_line *now = from, *then = to;
    return tap_may_become(&now->conf, &then->conf, err);
}

static void holds(void *grants, const void *line)
{
    const struct tap_line *l = line;
    ((struct tap_grants *)grants)->interfaces.select = &l->conf.select;
}

static void become(void *node, const void *line)
{
    const struct tap_line *l = line;
    tap_become(node, &l->conf);
}

const struct reload_ops tap_reload_ops = {
    .command = "tap",
    .size = sizeof(struct tap_line),
    .file = offsetof(struct tap_line, file),
    .config = offsetof(struct tap_line, common.config),
    .parse = parse,
    .done = done,
    .may = may,
    .holds = holds,
    .become = become,
    .request = tap_request_reload,
};
