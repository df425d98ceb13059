/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker_asks.h"

#include <errno.h>
#include <string.h>

int broker_asks_add(struct broker_asks *a, uint32_t seq, broker_answer_fn *fn, void *user,
                    struct mono deadline)
{
    if (a->n == BROKER_ASKS_MAX) {
        return -EAGAIN;
    }
    a->asked[a->n++] =
        (struct broker_asked){.seq = seq, .fn = fn, .user = user, .deadline = deadline, .fd = -1};
    return 0;
}

static void fail(struct broker_asked *one, int code, const char *sentence)
{
    one->answered = true;
    one->result = error_set(&one->err, code, "%s", sentence);
}

static void keep(struct broker_asked *one, const struct broker_msg_reply *m, int *fd)
{
    if (m->has_fd != (*fd >= 0)) {
        fail(one, EMFILE,
             "no descriptor is free for what the privileged broker hands over: raise the limit "
             "(ulimit -n)");
        return;
    }
    if (m->len > 0) {
        one->data = malloc(m->len);
        if (!one->data) {
            fail(one, ENOMEM, "no memory for the privileged broker's answer");
            return;
        }
        memcpy(one->data, m->data, m->len);
        one->len = m->len;
    }
    one->answered = true;
    one->result = m->result;
    one->err = m->err;
    one->fd = TAKE_FD(*fd);
}

bool broker_asks_answer(struct broker_asks *a, const struct broker_msg_reply *m, int *fd)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->asked[i].seq == m->seq && !a->asked[i].answered) {
            keep(&a->asked[i], m, fd);
            return true;
        }
    }
    return false;
}

void broker_asks_due(struct broker_asks *a, struct mono now)
{
    for (size_t i = 0; i < a->n; i++) {
        if (!a->asked[i].answered && mono_due(now, a->asked[i].deadline)) {
            fail(&a->asked[i], ETIMEDOUT, "no answer from the privileged broker in time");
        }
    }
}

void broker_asks_fail(struct broker_asks *a, int code, const char *sentence)
{
    for (size_t i = 0; i < a->n; i++) {
        if (!a->asked[i].answered) {
            fail(&a->asked[i], code, sentence);
        }
    }
}

static void remove_at(struct broker_asks *a, size_t at)
{
    a->n--;
    memmove(&a->asked[at], &a->asked[at + 1], (a->n - at) * sizeof(a->asked[0]));
}

bool broker_asks_take(struct broker_asks *a, struct broker_asked *ret)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->asked[i].answered) {
            *ret = a->asked[i];
            remove_at(a, i);
            return true;
        }
    }
    return false;
}

void broker_asked_done(struct broker_asked *one)
{
    free(TAKE_PTR(one->data));
    closep(&one->fd);
    one->fd = -1;
}

void broker_asks_forget(struct broker_asks *a, const void *user)
{
    for (size_t i = a->n; i > 0; i--) {
        if (a->asked[i - 1].user == user) {
            broker_asked_done(&a->asked[i - 1]);
            remove_at(a, i - 1);
        }
    }
}

struct mono broker_asks_next(const struct broker_asks *a)
{
    struct mono next = {0};
    for (size_t i = 0; i < a->n; i++) {
        if (a->asked[i].answered) {
            return (struct mono){1};
        }
        next = mono_earlier(next, a->asked[i].deadline);
    }
    return next;
}

void broker_asks_done(struct broker_asks *a)
{
    while (a->n > 0) {
        broker_asked_done(&a->asked[--a->n]);
    }
}
