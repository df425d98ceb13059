/* SPDX-License-Identifier: Apache-2.0
 *
 * Control's half of the session with those who carry captures out; of this host that is the data
 * role. The agents keep a socket to it, tell it what is wanted (model/plan.h), and take what it
 * reports into the store: captures (model/capture.h) and ports. Once a second and at each change
 * they look at what is wanted.
 *
 * The peer is taken for hostile: a message that is none, or too many of them, end the session, and
 * it is about captures only that it was told. A session that ended is begun again, at most once a
 * second.
 *
 * All of the store's changes of one call of agents_work() are in one transaction. Where that cannot
 * be committed, the session is begun anew, and the peer tells all again. Time is passed in.
 */
#pragma once

#include "base/cleanup.h"
#include "base/time.h"
#include "control/agents_conf.h"

struct loop;
struct agents;

/* -ENOMEM. */
int agents_new(const struct agents_conf *conf, struct mono now, struct agents **ret);
/* Takes NULL. */
void agents_free(struct agents *a);
DEFINE_FREEP(struct agents, agents_free)

/* Does what there is to do: when the descriptor is ready, at agents_due(), and after
 * agents_changed(). */
void agents_work(struct agents *a, struct mono now, struct wall wall);
/* Objects have changed: what is wanted may be something else. */
void agents_changed(struct agents *a);
/* The descriptor, -1 for none, which agents_work() may change; and what to wait for. */
int agents_fd(const struct agents *a);
bool agents_wants_to_write(const struct agents *a);
struct mono agents_due(const struct agents *a);
/* Is there a session in which what is wanted is acknowledged? */
bool agents_are_settled(const struct agents *a);

/* The flows of this moment of a running capture into its second file: 0, they are there; -EAGAIN:
 * that will be known later, and then wake(waiter) is called and this is to be called again with the
 * same waiter; another -errno with a sentence. */
int agents_snapshot(struct agents *a, const uint8_t id[16], void *waiter, struct mono now,
                    struct error *err);

/* Has the loop call agents_work() from now on, until agents_free(). The loop must outlive it. */
int agents_attach(struct agents *a, struct loop *l);
/* The loop waits for the right things again: after agents_changed() and agents_snapshot(). */
void agents_poke(struct agents *a);
