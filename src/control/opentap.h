/* SPDX-License-Identifier: Apache-2.0
 *
 * The adapter of OpenTap's routes (docs/opentap.md): its clients run unmodified. Its words, ids,
 * codes and times are translated here, into objects and files as all adapters have them, and come
 * no further. All answers have the status 200, refusals too, as its clients look at nothing else.
 */
#pragma once

#include "control/api.h"
#include "control/opentap_conf.h"
#include "proto/flowcsv.h"

enum {
    OPENTAP_RETENTION_MIN = 7 * 24 * 60, /* minutes, where its file says nothing */
};

struct opentap_settings {
    const struct opentap_conf *conf; /* of its own files; NULL: there are none */
    flowcsv_zone *offset_ns;         /* of local time, in which its flows are; NULL: UTC */
};

/* Its `GET /` stands before that of v1 in the order of tables. */
extern const struct api_route opentap_routes[];
extern const size_t opentap_n_routes;

/* {"status":"error","msg":"…"}, at 200. */
api_refusal opentap_refusal;

/* Gives ports the aliases of its file, where they have none and no other port has the name: now and
 * then, as ports come. In a transaction of its own, so that none is under way. How many got one, or
 * what the store says. */
int opentap_name_ports(struct store *s, const struct opentap_conf *c, struct error *err);
