/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collector_reload.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

static int parse(void *line, int argc, char **argv, struct error *err)
{
    return collector_parse(line, argc, argv) == EXIT_SUCCESS
               ? 0
               : error_set(err, EINVAL, "nothing of it is used");
}

static void done(void *line)
{
    collector_line_done(line);
}

static void become(void *node, const void *line)
{
    const struct collector_line *l = line;
    collector_become(node, &l->conf);
}

/* Outputs that are new can be opened: what cannot is found before anything of the file is used. */
static int may(const void *from, const void *to, struct error *err)
{
    const struct collector_conf *before = from, *now = to;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < now->outputs.n; i++) {
        const struct output_spec *s = &now->outputs.spec[i];
        bool known = false;
        for (unsigned k = 0; k < before->outputs.n; k++) {
            known = known || output_spec_same(s, &before->outputs.spec[k]);
        }
        _cleanup_(closep) int fd = -1;
        r = known ? 0 : outputs_open_one(s, now->user, &fd, err);
        if (r < 0) {
            error_prefix(err, "-o %s", s->text);
        }
    }
    return r;
}

static void holds(void *grants, const void *line)
{
    const struct collector_line *l = line;
    ((struct collector_grants *)grants)->outputs = &l->conf.outputs;
}

const struct reload_ops collector_reload_ops = {
    .command = "collector",
    .size = sizeof(struct collector_line),
    .file = offsetof(struct collector_line, file),
    .config = offsetof(struct collector_line, common.config),
    .parse = parse,
    .done = done,
    .may = may,
    .holds = holds,
    .become = become,
    .request = collector_request_reload,
};

void collector_reread(struct reload *r, struct broker *b, struct collector *c,
                      struct secrets *secrets)
{
    if (reload_can(r)) {
        reload_ask(r, b, c);
    }
    const struct collector_line *l = r->line;
    if ((l->conf.allow || !reload_can(r)) && collector_reload(c)) {
        allow_done(&secrets->allow); /* the one from the start, if this is the first time */
    }
}
