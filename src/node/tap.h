/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap, assembled: interfaces with their captures, the backlog they share, and the dialer that
 * keeps the link to the collector. It runs in the engine, in the control thread's loop, and asks
 * the broker by tap_requests.h. A command starts it (cmd/tap.c); several may live in one process.
 */
#pragma once

#include <jansson.h>

#include "node/interfaces.h"
#include "node/tap_requests.h"
#include "node/teller.h"

struct tap_conf {
    struct selection select;
    struct host_port collector;
    const char *collector_text; /* as the user wrote it, for sentences */
    uint32_t mtu;               /* 0: found out */
    uint64_t backlog_bytes;     /* 0: none */
    char name[LINK_NAME_MAX + 1];
    const char *user; /* whom the engine runs as; NULL: the default */
};

/* Looks up what the options name, as long as privileges are there: compiles filters, finds the
 * namespace and the interfaces. The grants borrow from `c`. */
int tap_prepare(struct tap_conf *c, struct tap_grants *ret, struct error *err);
void tap_conf_done(struct tap_conf *c);

/* All is borrowed, but the handshake's configuration, which is copied. */
struct tap_around {
    const struct tap_conf *conf;
    const struct handshake_conf *handshake; /* borrowed strings and lists */
    struct loop *loop;
    struct broker *broker;
    const struct teller *teller;
    const char *host;            /* of the host and its system, for the collector */
    void (*stopped)(void *user); /* after tap_stop: all is sent and confirmed, or will not be */
    void *user;
};

struct tap;

/* Takes up the interfaces that are there, for which it may wait some seconds. */
int tap_new(const struct tap_around *around, struct tap **ret, struct error *err);
/* Takes NULL. */
void tap_free(struct tap *t);

/* Calls the collector. */
void tap_start(struct tap *t);
/* Captures end, what they have is sent, and the collector is told. */
void tap_stop(struct tap *t);

/* For what is told of it. */
const struct interfaces *tap_interfaces(const struct tap *t);
const struct dialer *tap_dialer(const struct tap *t);
/* The ledger, as the status socket gives it (node/report.h). `tap` is a struct tap. */
json_t *tap_document(void *tap);
