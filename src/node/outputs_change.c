/* SPDX-License-Identifier: Apache-2.0 */
#include "node/outputs_change.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* An output that was one, on its way to its end. */
struct outputs_end {
    struct outputs_end *next;
    struct sink *sink;
    pthread_t thread;
    bool threaded;
    _Atomic bool over;
    int result;
    struct error err;
    struct ledger total;
    char name[64];
};

/* ---- the end of an output ---- */

static void *finish(void *arg)
{
    struct outputs_end *e = arg;
    e->result = e->sink->ops->finish(e->sink, &e->err);
    sink_total(e->sink, &e->total);
    sink_free(TAKE_PTR(e->sink));
    atomic_store_explicit(&e->over, true, memory_order_release);
    return NULL;
}

/* Finishes it here where no thread can be had. */
static void begin_end(struct outputs *o, struct sink *s)
{
    struct outputs_end *e = calloc(1, sizeof(*e));
    if (!e) {
        (void)s->ops->finish(s, NULL);
        sink_free(s);
        return;
    }
    e->sink = s;
    snprintf(e->name, sizeof(e->name), "%s", s->name);
    e->next = o->ending;
    o->ending = e;
    e->threaded = pthread_create(&e->thread, NULL, finish, e) == 0;
    if (!e->threaded) {
        (void)finish(e);
    }
}

static void join(struct outputs_end *e)
{
    if (e->threaded) {
        pthread_join(e->thread, NULL);
    }
}

static void tell_end(const struct outputs *o, struct listener *l, const struct outputs_end *e)
{
    char words[HISTORY_WORDS + 1];
    snprintf(words, sizeof(words),
             "is no output any more: %" PRIu64 " frames written, %" PRIu64 " dropped",
             ledger_get(&e->total, LEDGER_SINK_OUT),
             ledger_sum(&e->total, NULL, LEDGER_SINK).dropped);
    outputs_event(o, l, HISTORY_OUTPUT_REMOVED, e->name, words);
    if (e->result < 0 && e->result != -ENETDOWN) {
        teller_tell(o->conf.teller, "%s", e->err.text);
    }
}

static void tell_ends(struct outputs *o, struct listener *l)
{
    for (struct outputs_end **at = &o->ending; *at;) {
        struct outputs_end *e = *at;
        if (atomic_load_explicit(&e->over, memory_order_acquire)) {
            *at = e->next;
            join(e);
            tell_end(o, l, e);
            free(e);
        } else {
            at = &e->next;
        }
    }
}

void outputs_end_all(struct outputs *o)
{
    while (o->ending) {
        struct outputs_end *e = o->ending;
        o->ending = e->next;
        join(e);
        free(e);
    }
}

/* ---- on the way ---- */

/* Threads are told in their order, once to give the output frames and once not to. */
static void step(struct outputs *o, unsigned i, const struct outputs_threads *t)
{
    struct output_place *p = &o->place[i];
    const unsigned n = o->conf.threads, until = p->leaves ? 2 * n : n;
    for (int r = 0; r == 0 && p->posted < until;) {
        const unsigned thread = p->posted % n;
        struct sink *s = p->posted < n ? o->writer[thread][i] : NULL;
        r = t->post(t->user, thread, i, s, &p->done);
        p->posted += r == 0 ? 1 : 0;
    }
    if (p->leaves && atomic_load_explicit(&p->done, memory_order_acquire) == 2 * n) {
        struct sink *s = TAKE_PTR(o->output[i]);
        t->place(t->user, i, NULL);
        *p = (struct output_place){.spec = NULL};
        begin_end(o, s);
    }
}

void outputs_step(struct outputs *o, struct listener *l, const struct outputs_threads *threads)
{
    for (unsigned i = 0; i < o->n; i++) {
        if (o->output[i]) {
            step(o, i, threads);
        }
    }
    while (o->n > 0 && !o->output[o->n - 1]) {
        o->n--;
    }
    tell_ends(o, l);
}

/* ---- another list ---- */

/* The number of that output in the list, or -1. */
static int find(const struct output_list *list, const struct output_spec *s)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (output_spec_same(&list->spec[i], s)) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_there(const struct outputs *o, const struct output_spec *s)
{
    for (unsigned i = 0; i < o->n; i++) {
        const struct output_place *p = &o->place[i];
        if (o->output[i] && p->spec == s && !p->leaves) {
            return true;
        }
    }
    return false;
}

static void add(struct outputs *o, struct listener *l, const struct output_spec *s, unsigned at,
                const struct outputs_threads *t)
{
    struct error err = {""};
    int fd = -1;
    int r = t->open(t->user, at, &fd, &err);
    r = r < 0 ? r : outputs_make_one(o, s, at, fd, &err);
    if (r < 0) {
        teller_tell(o->conf.teller, "-o %s: %s", s->text, err.text);
        return;
    }
    o->place[r].posted = 0;
    atomic_store(&o->place[r].done, 0);
    t->place(t->user, (unsigned)r, o->output[r]);
    outputs_event(o, l, HISTORY_OUTPUT_ADDED, o->output[r]->name, "is an output from now on");
}

void outputs_become(struct outputs *o, struct listener *l, const struct output_list *list,
                    const struct outputs_threads *threads)
{
    for (unsigned i = 0; i < o->n; i++) {
        struct output_place *p = &o->place[i];
        const int at = o->output[i] && p->spec && !p->leaves ? find(list, p->spec) : -1;
        if (at >= 0) {
            p->spec = &list->spec[at];
            p->at = (unsigned)at;
        } else if (p->spec) {
            p->leaves = true;
        }
    }
    outputs_step(o, l, threads); /* what goes may have what something else needs */
    for (unsigned i = 0; i < list->n; i++) {
        if (!is_there(o, &list->spec[i])) {
            add(o, l, &list->spec[i], i, threads);
        }
    }
    outputs_step(o, l, threads);
}
