/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the frames that match a filter expression, which is run over their bytes in memory: as the
 * wire had them, tags included, and cut as far as stages before it have cut them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/match.h"
#include "data/stage.h"

struct filter_wish {
    unsigned n;
    struct sock_filter insns[];
};

struct filter_stage {
    struct stage stage;
    struct filter_prog prog;     /* borrowed */
    uint8_t room[FRAME_LEN_MAX]; /* for a frame that is in pieces; only what is used is memory */
};

static bool keep(const struct frame *f, void *stage)
{
    struct filter_stage *t = stage;
    return match_frame(&t->prog, f, t->room);
}

static void filter_run(struct stage *s, struct batch *b, const struct pass *p)
{
    stage_filter(s, b, p, keep);
}

static const struct stage_ops ops = {.run = filter_run, .free = stage_free};

int filter_stage_read(const char *text, void **ret, struct error *err)
{
    struct filter_prog prog = {0};
    if (text[0] == '\0') {
        return error_set(err, EINVAL, "an expression is wanted, as pcap-filter(7) describes it");
    }
    int r = filter_compile_plain(text, &prog, err);
    if (r < 0) {
        return r;
    }
    const size_t bytes = prog.n * sizeof(*prog.insns);
    struct filter_wish *w = malloc(sizeof(*w) + bytes);
    if (w) {
        w->n = prog.n;
        memcpy(w->insns, prog.insns, bytes);
    }
    filter_done(&prog);
    *ret = w;
    return w ? 0 : error_sys(err, ENOMEM, "filter");
}

int filter_stage_new(const void *wish, struct stage **ret)
{
    struct filter_wish *w = (struct filter_wish *)(uintptr_t)wish;
    struct filter_stage *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->stage.ops = &ops;
    t->prog = (struct filter_prog){w->insns, w->n};
    *ret = &t->stage;
    return 0;
}
