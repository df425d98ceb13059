/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server_asks.h"

#include <errno.h>
#include <unistd.h>

static void forget(struct server_ask *a)
{
    closep(&a->fd);
    *a = (struct server_ask){.fd = -1, .of = a->of};
}

static void set_timer(struct server_questions *q)
{
    loop_set_timer(q->loop, q->timer, broker_due(q->broker), 0);
}

static void on_due(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    (void)server_answers(user);
}

int server_questions_init(struct server_questions *q)
{
    for (unsigned i = 0; i < SERVER_ASKS; i++) {
        q->ask[i] = (struct server_ask){.fd = -1, .of = q};
    }
    return loop_add_timer(q->loop, (struct mono){0}, 0, on_due, q, &q->timer);
}

void server_questions_done(struct server_questions *q)
{
    for (unsigned i = 0; i < SERVER_ASKS; i++) {
        broker_forget(q->broker, &q->ask[i]);
        forget(&q->ask[i]);
    }
    loop_del_timer(q->loop, q->timer);
}

static struct server_ask *find(struct server_questions *q, const void *waiter)
{
    for (unsigned i = 0; i < SERVER_ASKS; i++) {
        if (q->ask[i].waiter == waiter) {
            return &q->ask[i];
        }
    }
    return NULL;
}

/* The answer is fetched while wake() runs; where the asker has gone, nobody does. */
static void on_answer(void *user, int result, const uint8_t *data, size_t len, int fd,
                      const struct error *err)
{
    struct server_ask *a = user;
    (void)data;
    (void)len;
    a->known = true;
    a->result = result;
    a->fd = fd;
    a->err = *err;
    a->of->wake(a->of->user, a->waiter);
    forget(a);
}

/* The answer, where it is known: it is the caller's then. -EAGAIN: it is under way. -ENOENT: nobody
 * has asked. */
static int fetch(struct server_ask *a, int *ret_fd, struct error *err)
{
    if (!a) {
        return -ENOENT;
    }
    if (!a->known) {
        return -EAGAIN;
    }
    if (a->result < 0) {
        *err = a->err;
    } else if (ret_fd) {
        *ret_fd = TAKE_FD(a->fd);
    }
    return a->result;
}

static struct server_ask *begin(struct server_questions *q, void *waiter)
{
    struct server_ask *a = find(q, NULL);
    if (a) {
        a->waiter = waiter;
    }
    return a;
}

static int began(struct server_questions *q, struct server_ask *a, int r)
{
    if (r < 0) {
        forget(a);
        return r == -EAGAIN ? -EBUSY : r;
    }
    set_timer(q);
    return -EAGAIN;
}

int server_check(struct server_questions *q, const char *filter, void *waiter, struct error *err)
{
    struct server_ask *a = find(q, waiter);
    if (a) {
        return fetch(a, NULL, err);
    }
    a = begin(q, waiter);
    return a ? began(q, a, q->asks->check(q->broker, filter, on_answer, a, err))
             : error_set(err, EBUSY, "too many filters are looked at already");
}

int server_open(struct server_questions *q, const uint8_t id[16], bool second, void *waiter,
                int *ret_fd, struct error *err)
{
    struct server_ask *a = find(q, waiter);
    if (a) {
        return fetch(a, ret_fd, err);
    }
    a = begin(q, waiter);
    return a ? began(q, a, q->asks->open(q->broker, id, second, on_answer, a, err))
             : error_set(err, EBUSY, "too many files are opened already");
}

static void on_removed(void *user, int result, const uint8_t *data, size_t len, int fd,
                       const struct error *err)
{
    (void)user;
    (void)result;
    (void)data;
    (void)len;
    (void)err;
    closep(&fd);
}

void server_remove(struct server_questions *q, const uint8_t id[16])
{
    (void)q->asks->remove(q->broker, id, on_removed, q, NULL);
    set_timer(q);
}

int server_answers(struct server_questions *q)
{
    const int r = broker_answers(q->broker);
    set_timer(q);
    return r;
}
