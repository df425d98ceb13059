/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_roles.h"

#include <stdlib.h>

#include "cmd/cmd.h"

struct serve_line *serve_line_of(const struct serve_command *c)
{
    return c->reload.line;
}

int serve_run_role(void *ctx, struct broker *b,
                   int (*be)(struct serve_process *p, struct error *err))
{
    struct serve_process p = {.command = ctx, .broker = b};
    struct error err = {""};
    const int r = be(&p, &err);
    if (r < 0) {
        say("serve", "%s", err.text);
    }
    loop_free(p.loop);
    return r < 0 ? EXIT_FAILURE : r;
}
