/* SPDX-License-Identifier: Apache-2.0
 *
 * The outputs that a user wishes for by -o, in the user's order: each is read from its words, and
 * what it needs is opened with privileges.
 */
#pragma once

#include "data/fan.h"
#include "data/outputs.h"

enum {
    OUTPUT_LIST_MAX = 8,
    OUTPUT_LEN_MAX = 512, /* bytes of an output's words */
};

struct output_spec {
    enum output_kind kind;
    void *own;      /* owned; of the kind's own type */
    char *text;     /* owned; the words */
    char *name;     /* owned; as it is shown; NULL: as the words are */
    uint64_t queue; /* bytes that may wait before it; 0: as many as before others */
};

/* The same output with the same settings. */
bool output_spec_same(const struct output_spec *a, const struct output_spec *b);

struct output_list {
    unsigned n;
    struct output_spec spec[OUTPUT_LIST_MAX];
};

/* Adds an output, such as "eth1". 0, or -errno with a sentence, and the list is as before. The same
 * words twice are refused. */
int output_list_add(struct output_list *l, const char *text, struct error *err);
/* With privileges. -1: the output needs nothing. `names`: by whom names of hosts are looked up. */
int output_list_open(const struct output_spec *s, const struct resolve_conf *names, int *ret_fd,
                     struct error *err);
void output_list_done(struct output_list *l);
