/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap, assembled: interfaces with their captures, the backlog they share, and the dialer that
 * keeps the link to the collector. It runs in the engine, in the control thread's loop, and asks
 * the broker by tap_requests.h. A command starts it (cmd/tap.c); several may live in one process.
 */
#pragma once

#include <jansson.h>

#include "node/interfaces.h"
#include "node/limiter.h"
#include "node/tap_requests.h"
#include "node/teller.h"
#include "node/watchdog.h"

struct tap_conf {
    struct selection select;
    struct host_port collector;
    const char *collector_text;  /* as the user wrote it, for sentences */
    uint32_t mtu;                /* 0: found out */
    uint64_t backlog_bytes;      /* 0: none */
    struct budget_conf limit;    /* its rate.bits 0: none */
    struct limiter_conf limiter; /* what gives then */
    char name[LINK_NAME_MAX + 1];
    struct watchdog_conf watch;
    const char *zone; /* of its hours; NULL: the host's */
    const char *user; /* whom the engine runs as; NULL: the default */
};

/* Looks up what the options name, as long as privileges are there: compiles filters, finds the
 * namespace and the interfaces, loads the time zone. The grants borrow from `c`. */
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
/* The tap ends by itself, as by tap_stop: `why` is for the collector, and `words` say it to people
 * here, as an event. Not where it is ending already. */
void tap_end(struct tap *t, enum link_close why, const char *words);
/* Could a tap of the one become one of the other while it runs? -EBUSY with the setting that needs
 * a restart. */
int tap_may_become(const struct tap_conf *from, const struct tap_conf *to, struct error *err);
/* It is one of `conf` from now on, which tap_may_become allows: its interfaces, filter, stages,
 * limits and watchdog, without a frame being lost for it. What the watchdog has seen stays, and so
 * does its time zone. Both configurations live as long as the tap. */
void tap_become(struct tap *t, const struct tap_conf *conf);
/* Why it has ended by itself; LINK_CLOSE_END: it was asked to. */
enum link_close tap_ended(const struct tap *t);

/* For what is told of it. */
const struct interfaces *tap_interfaces(const struct tap *t);
const struct dialer *tap_dialer(const struct tap *t);
/* The ledger, as the status socket gives it (node/report.h). `tap` is a struct tap. */
json_t *tap_document(void *tap);
