/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter of interfaces, assembled: each interface has a capture (node/meter_capture.h), and all
 * share one flow table. It runs in the engine, in the control thread's loop, and asks the broker by
 * interface_requests.h. A command starts it (cmd/meter_live.c).
 */
#pragma once

#include <jansson.h>

#include "node/interface_requests.h"
#include "node/meter.h"
#include "node/teller.h"
#include "sys/loop.h"

/* All is borrowed but the descriptors, which are taken over. */
struct meter_live_around {
    const char *name; /* for its document */
    const struct meter_conf *conf;
    const struct selection *select;
    const struct stage_list *stages; /* that frames pass */
    struct exports_opened *opened;
    struct loop *loop;
    struct broker *broker; /* serves meter_requests */
    const struct teller *teller;
    void (*stopped)(void *user); /* after meter_live_stop: all that was captured is metered */
    void *user;
};

/* The selection that a user made, completed by what a meter wants of each interface. */
void meter_live_select(struct selection *s);

struct meter_live;

/* Takes up the interfaces that are there, for which it may wait some seconds. */
int meter_live_new(const struct meter_live_around *around, struct meter_live **ret,
                   struct error *err);
/* Captures end. */
void meter_live_stop(struct meter_live *m);
/* After that: all flows end and their records are written. 0, or -errno with a sentence where some
 * could not be. */
int meter_live_finish(struct meter_live *m, struct error *err);
/* The ledger as a document (node/report.h). `meter` is a struct meter_live. */
json_t *meter_live_document(void *meter);
/* Takes NULL. */
void meter_live_free(struct meter_live *m);
