/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of captures, as answers need them: opened, and made into another form.
 */
#pragma once

#include "control/api.h"
#include "control/convert.h"

/* The capture's file as it is, and how much of it is published. */
struct download_file {
    int fd; /* owned */
    uint64_t there;
    bool moment; /* of what goes on, it has the flows of this moment: each answer has others */
};

/* 0; 1: later (API_LATER). -ENOENT: there is no file, and no answer yet. Another failure has become
 * the answer. */
int download_open(struct api_turn *t, const struct object *o, struct download_file *ret);
/* The form of the file as a body; takes the descriptor. `follow`: until the capture ends. Failures
 * are convert_open()'s, with a sentence and without an answer. */
int download_convert(struct api_turn *t, const struct object *o, struct download_file *file,
                     bool follow, enum convert_to to, flowcsv_zone *offset_ns,
                     struct http_body *ret, struct error *err);
