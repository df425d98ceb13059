/* SPDX-License-Identifier: Apache-2.0
 *
 * The adapter's files. A resource is a table of attributes, as its clients name them, over a kind;
 * its objects become JSON rows, out of which lists, filters, orders and fields are made alike for
 * all resources. Each file calls those above it: taas_answer, taas_row, taas_resource, taas_body,
 * taas_list, taas_taps, taas_ports, taas_about.
 */
#pragma once

#include <jansson.h>

#include "control/api.h"
#include "control/ports.h"
#include "model/kinds.h"

enum {
    TAAS_NAME_MAX = 255, /* bytes of a name or description */
    TAAS_PROJECT_MAX = 64,
};

/* ---- taas_answer.c ---- */

api_refusal taas_refuse;
/* {"NeutronError":{…}} of a type of its own; the format makes the message. */
enum api_result taas_error(struct api_turn *t, int status, const char *type, const char *fmt, ...)
    _printf_(4, 5);
/* 400: the value is none of the attribute's. */
enum api_result taas_invalid(struct api_turn *t, const char *attribute, const char *fmt, ...)
    _printf_(3, 4);
enum api_result taas_no_memory(struct api_turn *t);
/* Takes the document, which may be NULL: memory was short. */
enum api_result taas_answer(struct api_turn *t, int status, json_t *document);
/* The value as OpenStack's sentences show it: 'x', None, [1]. */
void taas_shown(const json_t *value, char *ret, size_t cap);
/* "http://HOST", by which whoever asks has found the service. */
void taas_origin(const struct http_request *r, char *ret, size_t cap);

/* ---- resources ---- */

enum taas_form {
    TAAS_TEXT,      /* as in the kind, a text or null */
    TAAS_INT,       /* as in the kind */
    TAAS_PORT,      /* a port's id, for which whoever manages ports may have another */
    TAAS_ID,        /* another UUID */
    TAAS_DIRECTION, /* the kind's word in capitals */
    TAAS_VLANS,
    TAAS_WORD,
    TAAS_PROJECT,
};

enum taas_flags {
    TAAS_POST = 1,
    TAAS_PUT = 2,
    TAAS_MUST = 4,
    TAAS_NAMED = 8, /* of our extension: shown where `fields` names it, and else not */
};

struct taas_attribute {
    const char *name;
    enum taas_form form;
    unsigned field; /* of the kind */
    unsigned flags;
};

struct taas_resource {
    const char *name, *plural;
    const struct kind *kind;                /* NULL: it has one row */
    const struct taas_attribute *attribute; /* in the order of checks; ends with a zero */
    /* NULL: memory is short. */
    json_t *(*row)(struct api_turn *t, const struct taas_resource *r, const struct object *o);
    bool (*is_shown)(struct api_turn *t, const struct object *o); /* NULL: all are */
    /* Does the word mean the object by that attribute, beside its value? NULL: none does. */
    bool (*means)(const struct object *o, const char *attribute, const char *word);
    /* Of 404: its type, and the message's beginning and end, between which the id stands. */
    const char *missing, *missing_noun, *missing_verb;
};

/* ---- taas_row.c ---- */

json_t *taas_row(struct api_turn *t, const struct taas_resource *r, const struct object *o);
json_t *taas_port_row(struct api_turn *t, const struct taas_resource *r, const struct object *o);
json_t *taas_network_row(struct api_turn *t, const struct taas_resource *r, const struct object *o);
bool taas_is_shown(struct api_turn *t, const struct object *o);
bool taas_port_means(const struct object *o, const char *attribute, const char *word);
/* The id by which clients know the port. */
const char *taas_port_id(const struct object *port);
/* Leaves the fields that the request names, else those that all have. */
void taas_choose(struct api_turn *t, const struct taas_resource *r, json_t *row);
const struct taas_attribute *taas_attribute_of(const struct taas_resource *r, const char *name);

/* ---- taas_resource.c ---- */

extern const struct taas_resource taas_service, taas_flow, taas_port, taas_network;

/* 404, of that id. */
enum api_result taas_missing(struct api_turn *t, const struct taas_resource *r, const char *id);

/* ---- taas_body.c ---- */

/* The objects that a request gives: one, or a list of them. */
struct taas_body {
    json_t *document, *items; /* owned; an array of objects */
    bool several;
};
/* `several` may be given where `bulk`. False with the answer; taas_body_done() in any case. */
bool taas_body_take(struct api_turn *t, const struct taas_resource *r, bool bulk,
                    struct taas_body *ret);
void taas_body_done(struct taas_body *b);
/* Are these the attributes that may be given, with values that they may have? They go into the
 * object. False with the answer. */
bool taas_fill(struct api_turn *t, const struct taas_resource *r, const json_t *item, bool change,
               struct object *o);
/* The project that a client names or, where it names none, its own. False with the answer: he may
 * not act for it. */
bool taas_project_of(struct api_turn *t, const json_t *item, const char **ret);

/* ---- taas_list.c, taas_taps.c, taas_ports.c, taas_about.c ---- */

enum api_result taas_list_of(struct api_turn *t, const struct taas_resource *r);
enum api_result taas_show_of(struct api_turn *t, const struct taas_resource *r, const char *id);
/* The object of that id: 0, or -1 with the answer. *ret is object_done()'s. */
int taas_get(struct api_turn *t, const struct taas_resource *r, const char *id, struct object *ret);

api_handler taas_taps_list, taas_taps_show, taas_taps_create, taas_taps_update, taas_taps_delete;
api_handler taas_ports_list, taas_ports_show, taas_ports_create, taas_ports_update,
    taas_ports_delete;
api_handler taas_networks_list, taas_networks_show, taas_root, taas_extensions, taas_extension,
    taas_quotas, taas_quota, taas_quota_use;
