/* SPDX-License-Identifier: Apache-2.0
 *
 * Handlers of OpenTap's adapter, and functions that they share.
 */
#pragma once

#include "control/api.h"
#include "control/opentap_settings.h"
#include "control/ports.h"

#define OPENTAP_NOT_READY "data file not found; may not be ready yet."

/* opentap_capture.c, opentap_data.c, opentap_about.c */
api_handler opentap_capture, opentap_retrieve, opentap_capabilities, opentap_root, opentap_list;

/* Never NULL; of no files it is all zeros. */
const struct opentap_conf *opentap_conf_of(const struct api_turn *t);
/* The id that clients know it by: their own, or ours. */
const char *opentap_id(const struct object *o);
/* The capture that a client means by the id; *ret is object_done()'s. -ENOENT without an answer, or
 * a failure that has become the answer. */
int opentap_find(struct api_turn *t, const char *id, struct object *ret);
/* The port that a client means: an alias of the file, or whatever ports_find() takes; NULL, "" or
 * "0": the default one. -1 with the answer. */
int opentap_point(struct api_turn *t, const char *point, char ret[PORTS_POINT]);
