/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/time.h"
#include "data/sources.h"
#include "node/capture_impl.h"

enum {
    IDLE_MS = 500,    /* how often an idle thread looks after its counts */
    DRAIN_MS = 20,    /* poll while the source is emptied at the end */
    SOURCE_MS = 3000, /* for that */
    COMMANDS = 64,
    EVENTS = 16, /* that the control thread has not taken yet */
};

/* A command takes what it knows of it. */
struct command {
    struct filter_prog prog;
    struct ring *ring;
    uint64_t known;
    const struct stage_list *stages;
};

static void publish(struct capture *cap)
{
    source_count(cap->pipeline.source);
    ledger_publish(&cap->ledger, &cap->counting, &cap->pipeline.way);
    if (cap->ops->published) {
        cap->ops->published(cap->part);
    }
}

/* From now on the source takes nothing new. */
static void close_source(struct capture *cap)
{
    cap->source_end = mono_add_ms(mono_now(), SOURCE_MS);
    source_stop(cap->pipeline.source);
}

/* True once all that was accepted is read, or will never be. */
static bool source_emptied(struct capture *cap)
{
    return source_drained(cap->pipeline.source) || mono_due(mono_now(), cap->source_end);
}

static void fail(struct capture *cap, int e)
{
    atomic_store(&cap->error, e);
    wake_signal(cap->control);
}

static void tell(void *user, enum history_kind kind, const char *words)
{
    struct capture *cap = user;
    struct history_event *e = calloc(1, sizeof(*e));
    if (e) {
        e->kind = (uint8_t)kind;
        snprintf(e->words, sizeof(e->words), "%s", words);
    }
    if (e && queue_push(cap->told, e)) {
        wake_signal(cap->control);
    } else {
        free(e);
    }
}

void capture_tell(struct capture *cap, enum history_kind kind, const char *words)
{
    tell(cap, kind, words);
}

/* ---- commands, in the thread ---- */

void capture_use_filter(struct capture *cap, const struct filter_prog *prog)
{
    int r = source_filter(cap->pipeline.source, prog);
    if (r < 0) {
        fail(cap, -r);
    }
}

static void take_filter(void *owner, void *arg)
{
    capture_use_filter(owner, &((const struct command *)arg)->prog);
}

static void take_ring(void *owner, void *arg)
{
    struct capture *cap = owner;
    close_source(cap);
    cap->next = TAKE_PTR(((struct command *)arg)->ring);
    cap->swapping = true;
}

static void take_renewal(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct command *c = arg;
    source_renew(cap->pipeline.source, TAKE_PTR(c->ring), c->known, mono_now());
}

static void take_stages(void *owner, void *arg)
{
    struct capture *cap = owner;
    const struct command *c = arg;
    if (pipeline_restage(&cap->pipeline, cap->end, c->stages) < 0) {
        tell(cap, HISTORY_STAGE, "no memory for the stages that were read again");
    }
}

/* A command that follows a ring's waits until that is in use. */
static void carry_out_all(struct capture *cap)
{
    while (!cap->swapping && thread_next(cap->thread)) {
    }
    if (!cap->swapping && !cap->stopping && thread_stopping(cap->thread)) {
        close_source(cap);
        cap->stopping = true;
        if (cap->ops->stops) {
            cap->ops->stops(cap->part);
        }
    }
}

/* ---- runs ---- */

/* When stopping: is the ring empty, and what the owner's part has gone or past hope? */
static bool finished(struct capture *cap)
{
    return source_emptied(cap) && (!cap->ops->finished || cap->ops->finished(cap->part));
}

static int timeout(const struct capture *cap, bool more, int wanted)
{
    int ms = more ? 0 : cap->stopping || cap->swapping ? DRAIN_MS : IDLE_MS;
    ms = pipeline_wait(&cap->pipeline, mono_now(), ms);
    return wanted >= 0 ? MIN(ms, wanted) : ms;
}

/* One run of the pipeline. Returns the milliseconds after which the next is wanted, -1: it does not
 * matter; *ret_more: the source has more. */
static int move(struct capture *cap, bool *ret_more)
{
    const unsigned most = cap->ops->begins ? cap->ops->begins(cap->part) : PIPELINE_BATCHES;
    int r = pipeline_run(&cap->pipeline, most, mono_now());
    if (r < 0) {
        fail(cap, -r);
    }
    *ret_more = r == SOURCE_MORE;
    pipeline_flush(&cap->pipeline);
    int wanted = cap->ops->ran ? cap->ops->ran(cap->part, *ret_more) : -1;
    publish(cap);
    return wanted;
}

static int capture_fd(const void *owner)
{
    const struct capture *cap = owner;
    return cap->paused ? -1 : cap->pipeline.source->ops->fd(cap->pipeline.source);
}

static void look_at_error(struct capture *cap, short revents)
{
    if (revents & (POLLERR | POLLHUP)) {
        fail(cap, -source_error(cap->pipeline.source));
    }
}

static int capture_run(void *owner, short revents)
{
    struct capture *cap = owner;
    bool more = false;
    if (cap->ops->woke) {
        cap->ops->woke(cap->part);
    }
    look_at_error(cap, revents);
    carry_out_all(cap);
    const int pause = cap->ops->pauses ? cap->ops->pauses(cap->part) : -1;
    cap->paused = pause >= 0 && !cap->stopping && !cap->swapping;
    if (cap->paused) {
        publish(cap);
        return pause;
    }
    int wanted = move(cap, &more);
    if (cap->swapping && !more && source_emptied(cap)) {
        source_swap(cap->pipeline.source, TAKE_PTR(cap->next));
        cap->swapping = false;
        publish(cap);
        carry_out_all(cap);
    } else if (cap->stopping && !more && finished(cap)) {
        return THREAD_END;
    }
    return timeout(cap, more, wanted);
}

static void capture_end(void *owner, int error)
{
    struct capture *cap = owner;
    (void)error; /* what follows is the same */
    if (cap->ops->over) {
        cap->ops->over(cap->part);
    }
    publish(cap);
    if (source_drained(cap->pipeline.source)) { /* closing takes the kernel a while: here, many do
                                                 * it at once */
        source_swap(cap->pipeline.source, NULL);
    }
    atomic_store_explicit(&cap->done, true, memory_order_release);
    wake_signal(cap->control);
}

static const struct thread_ops thread_ops = {
    .fd = capture_fd,
    .run = capture_run,
    .end = capture_end,
};

/* ---- its life ---- */

static int build(struct capture *cap, const struct capture_conf *conf)
{
    const struct source_wishes interface = {
        .name = conf->name, .ledger = &cap->counting, .point = conf->point};
    struct stage_conf wishes = conf->wishes;
    int r = source_make(&interface, &cap->pipeline.source);
    r = r < 0 ? r : conf->ops->sink(cap->part, cap, &cap->pipeline.sink, &wishes);
    if (r == 0) {
        r = pipeline_init(&cap->pipeline, conf->end, &wishes,
                          &(struct pass){.common = &cap->counting, .event = tell, .user = cap});
    }
    return r;
}

int capture_start(const struct capture_conf *conf, struct capture **ret, struct error *err)
{
    struct capture *cap = calloc(1, sizeof(*cap));
    if (!cap) {
        conf->ops->free(conf->part);
        return error_sys(err, ENOMEM, "cannot watch %s", conf->name);
    }
    cap->ops = conf->ops;
    cap->part = conf->part;
    cap->end = conf->end;
    cap->control = conf->control;
    cap->told = queue_new(EVENTS);
    int r = cap->told ? build(cap, conf) : -ENOMEM;
    if (r == 0) {
        r = thread_start(
            &(struct thread_conf){
                .name = conf->thread, .ops = &thread_ops, .owner = cap, .posts = COMMANDS},
            &cap->thread);
    }
    if (r < 0) {
        capture_free(cap);
        return error_sys(err, -r, "cannot start the thread of %s", conf->name);
    }
    *ret = cap;
    return 0;
}

void capture_free(struct capture *cap)
{
    if (!cap) {
        return;
    }
    if (cap->thread) {
        capture_stop(cap);
        thread_free(cap->thread);
    }
    for (struct history_event *e; cap->told && (e = queue_pop(cap->told)) != NULL;) {
        free(e);
    }
    queue_free(cap->told);
    ring_free(cap->next);
    pipeline_done(&cap->pipeline);
    cap->ops->free(cap->part);
    free(cap);
}

/* ---- commands, in the control thread ---- */

static void command_free(void *arg)
{
    struct command *c = arg;
    filter_done(&c->prog);
    ring_free(c->ring);
    free(c);
}

/* Has the thread call `fn` with the capture and a copy of the command. */
static int command(struct capture *cap, void (*fn)(void *owner, void *arg), struct command from)
{
    struct command *c = malloc(sizeof(*c));
    if (!c) {
        filter_done(&from.prog);
        ring_free(from.ring);
        return -ENOMEM;
    }
    *c = from;
    return thread_post(cap->thread, fn, c, command_free);
}

int capture_post(struct capture *cap, void (*fn)(void *owner, void *arg), void *arg,
                 void (*drop)(void *arg))
{
    return thread_post(cap->thread, fn, arg, drop);
}

int capture_filter(struct capture *cap, struct filter_prog *prog)
{
    const struct command c = {.prog = *prog};
    *prog = (struct filter_prog){0};
    return command(cap, take_filter, c);
}

int capture_ring(struct capture *cap, struct ring *ring)
{
    return command(cap, take_ring, (struct command){.ring = ring});
}

int capture_renew(struct capture *cap, struct ring *ring, uint64_t known)
{
    return command(cap, take_renewal, (struct command){.ring = ring, .known = known});
}

int capture_stages(struct capture *cap, const struct stage_list *stages)
{
    return command(cap, take_stages, (struct command){.stages = stages});
}

void capture_stop(struct capture *cap)
{
    thread_stop(cap->thread);
}

void capture_look(struct capture *cap)
{
    thread_wake(cap->thread);
}

/* ---- what is published ---- */

const struct ledger *capture_ledger(const struct capture *cap)
{
    return &cap->ledger;
}

const struct ledger_way *capture_way(const struct capture *cap)
{
    return &cap->pipeline.way;
}

bool capture_done(const struct capture *cap)
{
    return atomic_load_explicit(&cap->done, memory_order_acquire);
}

struct history_event *capture_take_event(struct capture *cap)
{
    return queue_pop(cap->told);
}

int capture_take_error(struct capture *cap)
{
    return atomic_exchange(&cap->error, 0);
}
