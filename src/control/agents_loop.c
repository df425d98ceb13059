/* SPDX-License-Identifier: Apache-2.0
 *
 * Agents in an event loop. Each call may close the descriptor, so the loop forgets it before.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "control/agents.h"
#include "control/agents_impl.h"
#include "sys/loop.h"

static void work(struct agents *a)
{
    if (a->watched >= 0) {
        loop_del_fd(a->loop, a->watch);
        a->watch = NULL;
        a->watched = -1;
    }
    agents_work(a, mono_now(), wall_now());
    agents_poke(a);
}

static void on_fd(struct loop *l _unused_, int fd _unused_, uint32_t events _unused_, void *user)
{
    work(user);
}

static void on_timer(struct loop *l _unused_, struct mono now _unused_, void *user)
{
    work(user);
}

void agents_poke(struct agents *a)
{
    const uint32_t events = EPOLLIN | (a->blocked ? (uint32_t)EPOLLOUT : 0);
    if (!a->loop) {
        return;
    }
    if (a->watch) {
        (void)loop_mod_fd(a->loop, a->watch, events);
    } else if (a->fd >= 0 && loop_add_fd(a->loop, a->fd, events, on_fd, a, &a->watch) == 0) {
        a->watched = a->fd;
    }
    loop_set_timer(a->loop, a->timer, agents_due(a), 0);
}

int agents_attach(struct agents *a, struct loop *l)
{
    const int r = loop_add_timer(l, mono_now(), 0, on_timer, a, &a->timer);
    if (r == 0) {
        a->loop = l;
    }
    return r;
}
