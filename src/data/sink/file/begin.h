/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of a file sink's file: a new one, or a section behind those that are there. Only
 * file.c uses it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    FILE_BEGIN_SNAPLEN = 262144, /* a continued file's is not less; what libpcap takes 0 for */
};

struct file_begin {
    bool regular;
    uint64_t end;     /* where the new section begins */
    uint32_t snaplen; /* of its interfaces */
    uint64_t frames;  /* before `end` */
};

/* Cuts a torn end off, and puts the descriptor where the section begins. -EEXIST: it is not empty
 * and not to be continued, or cannot be; -EBADMSG: a damaged one; errno of reading. */
int file_begin(int fd, bool append, const char *path, struct file_begin *ret, struct error *err);
