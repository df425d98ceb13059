/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file as the broker has read it, with the programs of the filters in it, in one
 * descriptor (a memfd) for the engine. cmd/reload.h says what for.
 */
#pragma once

#include "cmd/config.h"
#include "sys/filter.h"

struct reload_bytes {
    char *text; /* owned; a zero byte stands behind it */
    size_t len;
    struct filter_tape tape; /* records in the broker, plays in the engine */
};

/* In the broker: reads the file (path NULL: one with nothing in it); its tape is empty. -errno with
 * a sentence. Here and below, *ret is to be given to reload_bytes_done also after a failure. */
int reload_bytes_read(const char *path, struct reload_bytes *ret, struct error *err);
/* Makes a descriptor of it, for the other half. -errno with a sentence. */
int reload_bytes_pack(const struct reload_bytes *r, int *ret_fd, struct error *err);
/* In the engine; closes the descriptor. -EBADMSG, -ENOMEM or another -errno, with a sentence. */
int reload_bytes_unpack(int fd, struct reload_bytes *ret, struct error *err);
void reload_bytes_done(struct reload_bytes *r);

/* A copy of the text, to be read as a file. -ENOMEM with a sentence. */
int reload_bytes_file(const struct reload_bytes *r, struct options_file *ret, struct error *err);
