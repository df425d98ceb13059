/* SPDX-License-Identifier: Apache-2.0
 *
 * The interfaces of this host as a control role is told of them: each that may be tapped is a port.
 * They are told in rounds, all of them each time something about one has changed.
 */
#pragma once

#include "node/selection.h"
#include "node/teller.h"
#include "proto/wanted.h"
#include "sys/broker.h"
#include "sys/loop.h"

enum {
    ENGINE_LIST_MAX = 1024, /* interfaces that are told of */
};

struct engine_list;

struct engine_list_conf {
    struct loop *loop;
    struct broker *broker;
    const struct selection *select;
};

int engine_list_new(const struct engine_list_conf *conf, struct engine_list **ret,
                    struct error *err);
void engine_list_free(struct engine_list *l);
/* Other interfaces are ports from now on. The selection is borrowed. */
void engine_list_select(struct engine_list *l, const struct selection *select);
/* A number that changes with what there is; 0: not all is known yet. */
uint32_t engine_list_round(const struct engine_list *l);
unsigned engine_list_n(const struct engine_list *l);
void engine_list_at(const struct engine_list *l, unsigned i, struct wanted_port *ret);
/* Now and then: what was missed is asked for again. */
void engine_list_tick(struct engine_list *l, struct mono now);
