/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts that `farspan service` and `farspan flow` share: the lists they look names up in, and
 * verbs that both have.
 */
#pragma once

#include "cmd/client.h"

/* The lists of a service; all owned. */
struct tap_client_lists {
    json_t *ports, *services, *flows;
};

/* Asks for all three. */
int tap_client_lists_get(struct client *c, struct tap_client_lists *ret, struct error *err);
void tap_client_lists_done(struct tap_client_lists *l);
/* "home:web0", with the alias that the user gave it instead; the id where it is not known. */
void tap_client_port_name(const struct tap_client_lists *l, const char *id, char *ret, size_t cap);

/* Gives each tap service its "port_name", and each flow its "source_name" and "service_name", for
 * tables. */
void tap_client_name_ports(const struct tap_client_lists *l);

/* Puts a text that is given into the body. */
int tap_client_put_text(json_t *body, const char *field, const char *text, struct error *err);

/* The options of a change. */
struct tap_client_change {
    const char *name, *description; /* NULL: as it is */
};
int tap_client_set(struct client *c, const char *plural, const json_t *object,
                   const struct tap_client_change *change, struct error *err);
int tap_client_delete(struct client *c, const char *plural, const json_t *object,
                      struct error *err);
