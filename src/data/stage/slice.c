/* SPDX-License-Identifier: Apache-2.0
 *
 * Slices frames: to their first bytes, or to their headers, down to the innermost transport header
 * that is reached (proto/inner.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "data/flow.h"
#include "data/stage.h"

struct slice_wish {
    uint32_t len; /* 0: the headers */
};

struct slice_stage {
    struct stage stage;
    uint32_t len;
};

static uint32_t headers(const struct frame *f)
{
    uint8_t room[INNER_SCRATCH];
    struct inner in;
    flow_walk(f, room, &in);
    return flow_headers(&in);
}

static void slice_run(struct stage *s, struct batch *b, const struct pass *p)
{
    const uint32_t len = ((const struct slice_stage *)s)->len;
    struct stage_tally tally = {0};
    for (uint32_t i = 0; i < b->n; i++) {
        struct frame *f = &b->f[i];
        uint32_t to = len ? len : headers(f);
        if (f->caplen > to) {
            f->caplen = to;
            stage_tally(&tally, s, p, f);
        }
    }
    stage_tally_end(&tally, s);
}

static const struct stage_ops ops = {.run = slice_run, .free = stage_free};

int slice_stage_read(const char *text, void **ret, struct error *err)
{
    uint64_t len = 0;
    if (strcmp(text, "headers") != 0) {
        int r = parse_u64(text, "N", 1, FRAME_LEN_MAX, &len, err);
        if (r < 0) {
            return r;
        }
    }
    struct slice_wish *w = calloc(1, sizeof(*w));
    if (!w) {
        return error_sys(err, ENOMEM, "slice");
    }
    w->len = (uint32_t)len;
    *ret = w;
    return 0;
}

int slice_stage_new(const void *wish, struct stage **ret)
{
    struct slice_stage *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->stage.ops = &ops;
    s->len = ((const struct slice_wish *)wish)->len;
    *ret = &s->stage;
    return 0;
}
