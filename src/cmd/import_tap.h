/* SPDX-License-Identifier: Apache-2.0
 *
 * ivTAP's settings as sections of a configuration file: of a client [tap], of a server [collector]
 * and [output ivtap], of descriptions [describe].
 */
#pragma once

#include "cmd/import_ivtap.h"

/* The settings that ivTAP's file cannot have; NULL: not given. */
struct import_given {
    const char *interface, *key_file;
};

/* Prints the section, and tells of each setting that is missing or cannot be converted. */
void import_tap(struct import *m, const struct ivtap *t, const struct import_given *given);
void import_server(struct import *m, const struct ivtap *t, const struct import_given *given);
/* The text of a file of descriptions. */
void import_describe(struct import *m, const char *text, size_t len);
