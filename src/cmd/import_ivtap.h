/* SPDX-License-Identifier: Apache-2.0
 *
 * ivTAP's files: read here from their text, and written as sections of a configuration file by
 * import_tap.c, import_server.c and import_describe.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cmd/import_names.h"
#include "cmd/import_print.h"
#include "proto/properties.h"

enum {
    IVTAP_ADDRESS_TEXT = 46,
    IVTAP_MISTAKES = 20, /* of lines that are told one by one */
};

/* The values without blanks around them. */
struct ivtap {
    struct {
        char *value; /* owned; NULL: the file has it not, or without a value */
        unsigned line;
    } of[IVTAP_SETTINGS];
};

/* Which file it is, by the names in it. -EINVAL, or the reader's -errno, with a sentence. */
int ivtap_recognise(const char *text, size_t len, enum ivtap_file *ret, struct error *err);
/* Is it an address in numbers? Its usual form in `ret`. */
bool ivtap_address(const char *name, char ret[IVTAP_ADDRESS_TEXT]);
/* A copy without the blanks around it; NULL: nothing is left. */
char *ivtap_trimmed(const char *text);
/* Takes a line's name and value. */
typedef void ivtap_take(void *user, unsigned line, const struct property *it);
/* Each of a file that was recognised, in order. Tells each mistake, up to IVTAP_MISTAKES. */
void ivtap_each(struct import *m, const char *text, size_t len, ivtap_take *fn, void *user);
/* The settings of a client's or server's file, which was recognised. Tells each mistake. */
void ivtap_read(struct import *m, enum ivtap_file file, const char *text, size_t len,
                struct ivtap *ret);
void ivtap_done(struct ivtap *t);
