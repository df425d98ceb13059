/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages that a user wants, in the user's order: each is read from its words, before there is
 * any pipeline, and every pipeline makes its own out of the list.
 */
#pragma once

#include "data/stage.h"

enum {
    STAGE_LIST_MAX = 16,
    STAGE_LEN_MAX = 512, /* bytes of a stage's words */
};

struct stage_spec {
    enum stage_kind kind;
    void *wish; /* owned; of the kind's own type */
    char *text; /* owned; the words */
};

struct stage_list {
    unsigned n;
    struct stage_spec spec[STAGE_LIST_MAX];
};

/* Adds a stage, such as "sample flow 1/10". 0, or -errno with a sentence, and the list is as
 * before. A filter among the words may look names up, as long as files can be read. */
int stage_list_add(struct stage_list *l, const char *text, struct error *err);
/* Makes one stage of the list, without its place in a pipeline. -ENOMEM. */
int stage_list_make(const struct stage_spec *s, struct stage **ret);
void stage_list_done(struct stage_list *l);
