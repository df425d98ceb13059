/* SPDX-License-Identifier: Apache-2.0
 *
 * Chores of control, which it does now and then, whether anybody asks or not: captures that were
 * kept long enough go, ports get the aliases of OpenTap's file, and claims their interfaces.
 */
#pragma once

#include "control/opentap_ports.h"
#include "control/retain.h"
#include "sys/loop.h"

struct chores_conf {
    struct loop *loop;
    struct retain_conf retain;
    unsigned retain_after_ms; /* before its first look, which is at all captures that have ended */
    const struct opentap_conf *opentap; /* NULL: there is no such file */
    /* Before each: no transaction may be under way. */
    void (*settle)(void *user);
    /* Objects have changed, and so may what is wanted. */
    void (*changed)(void *user);
    void (*say)(void *user, const char *words);
    void *user;
};

struct chores {
    struct chores_conf conf;
    struct loop_timer *naming, *binding, *retaining;
    bool said; /* that one fails, until one works again */
};

/* The first are due at once, but for retain_after_ms. -errno. */
int chores_start(struct chores *c, const struct chores_conf *conf, struct mono now);
/* Another age, and another content of OpenTap's file, if it had one at the start. */
void chores_become(struct chores *c, int64_t age_ns, const struct opentap_conf *opentap);
/* Takes zeros. */
void chores_stop(struct chores *c);
