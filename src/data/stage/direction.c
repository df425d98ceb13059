/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the frames of one direction, as the tap's host saw it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/stage.h"

struct direction_stage {
    struct stage stage;
    enum frame_dir dir;
};

static bool keep(const struct frame *f, void *stage)
{
    return f->dir == ((const struct direction_stage *)stage)->dir;
}

static void direction_run(struct stage *s, struct batch *b, const struct pass *p)
{
    stage_filter(s, b, p, keep);
}

static const struct stage_ops ops = {.run = direction_run, .free = stage_free};

int direction_stage_read(const char *text, void **ret, struct error *err)
{
    const bool in = strcmp(text, "in") == 0;
    if (!in && strcmp(text, "out") != 0) {
        return error_set(err, EINVAL, "the direction is in or out, not \"%s\"", text);
    }
    enum frame_dir *dir = malloc(sizeof(*dir));
    if (!dir) {
        return error_sys(err, ENOMEM, "direction");
    }
    *dir = in ? FRAME_DIR_IN : FRAME_DIR_OUT;
    *ret = dir;
    return 0;
}

int direction_stage_new(const void *wish, struct stage **ret)
{
    struct direction_stage *d = calloc(1, sizeof(*d));
    if (!d) {
        return -ENOMEM;
    }
    d->stage.ops = &ops;
    d->dir = *(const enum frame_dir *)wish;
    *ret = &d->stage;
    return 0;
}
