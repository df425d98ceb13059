/* SPDX-License-Identifier: Apache-2.0
 *
 * The target of a request, "/v1/captures/0199?fields=id", taken apart. Segments are decoded after
 * they are split, and each must be one that a name can be: so an encoded slash, a dot segment or a
 * NUL never makes another path of it than the one that was checked.
 */
#pragma once

#include "base/error.h"

enum {
    TARGET_SEGMENTS = 8,
    TARGET_PARAMETERS = 32,
};

struct api_parameter {
    char *name, *value; /* decoded */
};

struct target {
    char *text; /* owned; the others point into it */
    char *segment[TARGET_SEGMENTS];
    unsigned n_segments; /* TARGET_SEGMENTS + 1: there are more, and no route is so long */
    struct api_parameter parameter[TARGET_PARAMETERS];
    unsigned n_parameters;
    const char *twice; /* the name of one that is there twice; NULL: none is */
};

/* -EINVAL with a sentence, which quotes nothing that a terminal could take for anything but text;
 * -ENOMEM. */
int target_parse(const char *raw, struct target *ret, struct error *err);
/* Takes a zeroed one. */
void target_done(struct target *t);

/* Leaves out an empty segment at the path's end, and the suffix of the last one, such as ".json".
 */
void target_trim(struct target *t, const char *suffix);

/* The value of the parameter, the first of that name; NULL: it was not given. */
const char *target_parameter(const struct target *t, const char *name);
