/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/engine_output.h"
#include "node/engine_points.h"
#include "node/engine_room.h"
#include "node/filter_memfd.h"
#include "node/serve_requests.h"

enum {
    FINISH_MS = 5000, /* after its end, for ports that do not tell how far they were read */
    SOON_MS = 50,     /* between two looks at one that runs */
};

#define AHEAD_NS (1000 * NSEC_PER_MSEC) /* before its start rings are opened */

enum filter_state {
    FILTER_NONE, /* not asked for yet, or not needed */
    FILTER_ASKED,
    FILTER_IS,
};

struct engine_capture {
    struct engine_room room;
    struct wanted wanted;
    int64_t told_stop_ns; /* of its wish; that of `wanted` may have moved since */
    enum wanted_state state;
    enum wanted_reason reason; /* of the end that is under way, or was */
    char words[WANTED_WORDS];
    enum filter_state filter;
    struct filter_prog program;
    struct engine_output output;
    struct engine_points points; /* none of an Ethernet capture is used */
    struct mono deadline;        /* of FINISHES */
    bool late;                   /* it was wanted when its stop had passed */
    bool cut;    /* it ends where its file or its limit of frames does, whatever is on its way */
    bool ending; /* all places are given up, and the output comes to its end */
};

/* ---- its end ---- */

static void fail(struct engine_capture *c, enum wanted_reason reason, const char *words)
{
    c->reason = reason;
    text_line(c->words, sizeof(c->words), words);
    c->state = WANTED_FAILED;
}

static void finish(struct engine_capture *c, enum wanted_reason reason, struct mono now)
{
    c->reason = reason;
    c->state = WANTED_FINISHES;
    c->deadline = mono_add_ms(now, FINISH_MS);
}

/* Its end is not its stop. */
static void cut(struct engine_capture *c, enum wanted_reason reason, struct mono now)
{
    c->cut = true;
    finish(c, reason, now);
}

static bool has_points(const struct engine_capture *c)
{
    return c->wanted.kind != WANTED_ETHERNET;
}

/* Its stop is now. */
static void finish_now(struct engine_capture *c, enum wanted_reason reason, int64_t now_ns,
                       struct mono now)
{
    c->wanted.stop_ns = MIN(c->wanted.stop_ns, MAX(now_ns, c->wanted.start_ns));
    if (has_points(c)) {
        engine_points_change(&c->points);
    }
    finish(c, reason, now);
}

static enum wanted_reason reason_of(int result)
{
    return result == -ENOSPC || result == -EDQUOT || result == -EFBIG ? WANTED_DISK_FULL
                                                                      : WANTED_REFUSED;
}

/* ---- the filter ---- */

static void on_program(void *user, int result, const uint8_t *data, size_t len, int fd,
                       const struct error *err)
{
    struct engine_capture *c = user;
    _cleanup_(closep) int own = fd;
    (void)data;
    (void)len;
    if (c->state != WANTED_WAITS) {
        return; /* it was cancelled meanwhile */
    }
    const int r = result < 0 ? result : filter_of_memfd(own, &c->program);
    if (r == -EAGAIN) { /* the broker is busy */
        c->filter = FILTER_NONE;
    } else if (r < 0) {
        fail(c, WANTED_REFUSED, result < 0 ? err->text : "the filter's program cannot be read");
    } else {
        c->filter = FILTER_IS;
    }
}

/* True once there is a program, or none is wanted. */
static bool has_filter(struct engine_capture *c)
{
    struct error err = {""};
    if (c->wanted.filter[0] == '\0' || c->filter == FILTER_IS) {
        return true;
    }
    if (c->filter == FILTER_NONE) {
        const int r = serve_ask_compile(c->room.broker, c->wanted.filter, on_program, c, &err);
        c->filter = r == 0 ? FILTER_ASKED : FILTER_NONE;
        if (r < 0 && r != -EAGAIN) {
            fail(c, WANTED_REFUSED, err.text);
        }
    }
    return false;
}

/* ---- its way ---- */

static void prepare(struct engine_capture *c, int64_t now_ns)
{
    struct error err = {""};
    const int r = engine_output_open(&c->output, &c->room, &c->wanted, now_ns, &err);
    if (r < 0) {
        fail(c, reason_of(r), err.text);
        return;
    }
    engine_points_init(&c->points, c->room.ports, &c->wanted, &c->output, &c->program);
}

/* One that ends before it has begun has nothing, but what was there of an earlier life. */
static void wait_for_start(struct engine_capture *c, int64_t now_ns, struct mono now)
{
    const bool is_open = engine_output_is_open(&c->output);
    if (c->wanted.cancelled) {
        c->wanted.stop_ns = c->wanted.start_ns;
        finish(c, WANTED_CANCELLED, now);
        return;
    }
    if (!is_open && (!has_filter(c) || now_ns < c->wanted.start_ns - AHEAD_NS)) {
        return;
    }
    if (!is_open) {
        prepare(c, now_ns);
    }
    if (c->state != WANTED_WAITS) {
        return;
    }
    c->late = !is_open && now_ns >= c->wanted.stop_ns;
    if (c->late) {
        cut(c, WANTED_STOP_TIME, now);
        return;
    }
    if (has_points(c)) {
        engine_points_look(&c->points);
    }
    c->state = now_ns >= c->wanted.start_ns ? WANTED_RUNS : WANTED_WAITS;
}

static void run(struct engine_capture *c, int64_t now_ns, struct mono now)
{
    engine_output_tick(&c->output, now_ns, c->wanted.stop_ns);
    if (has_points(c)) {
        engine_points_look(&c->points);
    }
    if (engine_output_failed(&c->output)) {
        cut(c, WANTED_REFUSED, now); /* the output says why at its end */
    } else if (has_points(c) && engine_points_spent(&c->points)) {
        cut(c, WANTED_LIMIT_FRAMES, now);
    } else if (engine_output_beyond(&c->output) > 0) {
        cut(c, WANTED_LIMIT_BYTES, now);
    } else if (engine_output_is_full(&c->output)) {
        finish_now(c, WANTED_LIMIT_BYTES, now_ns, now);
    } else if (c->wanted.cancelled) {
        finish_now(c, WANTED_CANCELLED, now_ns, now);
    } else if (now_ns >= c->wanted.stop_ns) {
        finish(c, WANTED_STOP_TIME, now);
    }
}

/* None of its points was there at any time. */
static bool never_there(const struct engine_capture *c)
{
    return has_points(c) && !c->late && c->reason == WANTED_STOP_TIME &&
           !engine_points_ever(&c->points);
}

/* The output has ended: it is whole up to where it could be written. */
static void conclude(struct engine_capture *c, int result, const struct error *err)
{
    if (result < 0) {
        fail(c, reason_of(result), err->text);
    } else if (never_there(c)) {
        char words[WANTED_WORDS];
        (void)snprintf(words, sizeof(words), "no interface %s was there to be captured",
                       c->wanted.point[0]);
        fail(c, WANTED_POINT_GONE, words);
    } else {
        c->state = c->reason == WANTED_REFUSED ? WANTED_FAILED : WANTED_DONE;
    }
}

/* The places are given up: how far it is complete is known. */
static void settle(struct engine_capture *c)
{
    const int64_t beyond = engine_output_beyond_ns(&c->output);
    if (c->reason == WANTED_LIMIT_FRAMES) {
        engine_points_end_spent(&c->points);
    } else if (has_points(c) && beyond > 0) {
        engine_points_end_at(&c->points, beyond);
    }
}

static void end(struct engine_capture *c, struct mono now)
{
    struct error err = {""};
    const bool has = has_points(c) && engine_output_is_open(&c->output);
    if (!c->ending) {
        if (has && !c->cut) {
            engine_points_look(&c->points);
        }
        c->ending = !has || c->cut || engine_points_read(&c->points) || mono_due(now, c->deadline);
    }
    if (c->ending && (!has || engine_points_leave(&c->points))) {
        const int r = engine_output_end(&c->output, &err);
        if (r != -EAGAIN) {
            settle(c);
            conclude(c, r, &err);
        }
    }
}

void engine_capture_tick(struct engine_capture *c, int64_t now_ns, struct mono now)
{
    switch (c->state) {
    case WANTED_WAITS:
        wait_for_start(c, now_ns, now);
        if (c->state == WANTED_RUNS) {
            run(c, now_ns, now); /* a row of counters is due */
        }
        break;
    case WANTED_RUNS:
        run(c, now_ns, now);
        break;
    case WANTED_FINISHES:
        end(c, now);
        break;
    case WANTED_DONE:
    case WANTED_FAILED:
        break;
    }
}

bool engine_capture_leave(struct engine_capture *c)
{
    const bool has = has_points(c) && engine_output_is_open(&c->output);
    return (!has || engine_points_leave(&c->points)) &&
           engine_output_end(&c->output, NULL) != -EAGAIN &&
           engine_output_snapped(&c->output) != -EAGAIN;
}

/* ---- its life ---- */

int engine_capture_new(const struct engine_room *room, const struct wanted *w,
                       struct engine_capture **ret)
{
    struct engine_capture *c = calloc(1, sizeof(*c));
    if (!c) {
        return -ENOMEM;
    }
    c->room = *room;
    c->wanted = *w;
    c->told_stop_ns = w->stop_ns;
    c->state = WANTED_WAITS;
    engine_output_init(&c->output);
    *ret = c;
    return 0;
}

void engine_capture_free(struct engine_capture *c)
{
    if (c) {
        broker_forget(c->room.broker, c);
        engine_output_done(&c->output);
        filter_done(&c->program);
        free(c);
    }
}

const struct wanted *engine_capture_wanted(const struct engine_capture *c)
{
    return &c->wanted;
}

static bool runs_with_points(const struct engine_capture *c)
{
    return has_points(c) && engine_output_is_open(&c->output) && c->state <= WANTED_RUNS;
}

void engine_capture_change(struct engine_capture *c, const struct wanted *w)
{
    c->wanted.cancelled = c->wanted.cancelled || w->cancelled;
    if (w->stop_ns != c->told_stop_ns && c->state <= WANTED_RUNS) {
        c->told_stop_ns = w->stop_ns;
        c->wanted.stop_ns = MAX(w->stop_ns, c->wanted.start_ns);
        if (runs_with_points(c)) {
            engine_points_change(&c->points);
        }
    }
}

void engine_capture_shift(struct engine_capture *c, int64_t ns)
{
    int64_t stop;
    if (c->state != WANTED_RUNS) {
        return;
    }
    if (c->wanted.stop_ns != INT64_MAX) {
        c->wanted.stop_ns = __builtin_add_overflow(c->wanted.stop_ns, ns, &stop) ? INT64_MAX : stop;
    }
    c->wanted.start_ns = MAX(c->wanted.start_ns + MIN(ns, INT64_C(0)), INT64_C(0));
    engine_output_shift(&c->output, ns);
    if (has_points(c)) {
        engine_points_shift(&c->points, ns);
        engine_points_change(&c->points);
    }
}

int engine_capture_snap(struct engine_capture *c)
{
    return engine_output_snap(&c->output, &c->room, &c->wanted);
}

int engine_capture_snapped(struct engine_capture *c)
{
    return engine_output_snapped(&c->output);
}

/* ---- what is told of it ---- */

bool engine_capture_has_begun(const struct engine_capture *c)
{
    return c->state != WANTED_WAITS;
}

bool engine_capture_wants_ports(const struct engine_capture *c)
{
    return has_points(c) && engine_output_is_open(&c->output) && c->state <= WANTED_FINISHES;
}

/* Flows are complete once their records are in the file, which would lose them with the process. */
static void put_points(const struct engine_capture *c, struct wanted_is *ret)
{
    const bool is_behind = c->wanted.kind == WANTED_NETFLOW && c->state != WANTED_DONE;
    const int64_t late_ns = is_behind ? ENGINE_FLOWS_LATE_S * NSEC_PER_SEC : 0;
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        const struct engine_point *k = &c->points.at[i];
        ret->offered += atomic_load(&k->counts.offered) + k->lost;
        ret->unwanted += atomic_load(&k->counts.unwanted);
        ret->dropped += k->lost;
        ret->point[i].from_ns = k->from_ns;
        ret->point[i].until_ns = MAX(k->until_ns - late_ns, k->from_ns);
    }
}

/* Rows that are written are complete. */
static void put_rows(const struct engine_capture *c, struct wanted_is *ret)
{
    const struct engine_rows *r = &c->output.rows;
    ret->offered = ret->written + ret->unwanted;
    if (r->from_ns > 0) {
        ret->point[0].until_ns = MIN(r->next_ns, c->wanted.stop_ns);
        ret->point[0].from_ns = MIN(r->from_ns, ret->point[0].until_ns);
    }
}

void engine_capture_is(const struct engine_capture *c, struct wanted_is *ret)
{
    struct engine_output_counts counts;
    engine_output_count(&c->output, &counts);
    *ret = (struct wanted_is){.state = c->state,
                              .reason = c->reason,
                              .published = counts.published,
                              .found = counts.found,
                              .written = counts.written,
                              .dropped = counts.dropped,
                              .unwanted = engine_output_beyond(&c->output) + counts.unwanted,
                              .n_points = c->wanted.n_points};
    memcpy(ret->id, c->wanted.id, sizeof(ret->id));
    memcpy(ret->words, c->words, sizeof(ret->words));
    if (has_points(c)) {
        put_points(c, ret);
    } else {
        put_rows(c, ret);
    }
}

/* Its next row may come before the next look. */
static int64_t due_running(const struct engine_capture *c, int64_t now_ns)
{
    const int64_t soon = MIN(now_ns + SOON_MS * NSEC_PER_MSEC, c->wanted.stop_ns);
    return has_points(c) ? soon : MIN(soon, c->output.rows.next_ns);
}

int64_t engine_capture_due(const struct engine_capture *c, int64_t now_ns)
{
    switch (c->state) {
    case WANTED_WAITS:
        return engine_output_is_open(&c->output)
                   ? MIN(c->wanted.start_ns, now_ns + SOON_MS * NSEC_PER_MSEC)
               : c->filter == FILTER_ASKED || c->wanted.start_ns - AHEAD_NS <= now_ns
                   ? now_ns + SOON_MS * NSEC_PER_MSEC
                   : c->wanted.start_ns - AHEAD_NS;
    case WANTED_RUNS:
        return due_running(c, now_ns);
    case WANTED_FINISHES:
        return now_ns + SOON_MS * NSEC_PER_MSEC;
    case WANTED_DONE:
    case WANTED_FAILED:
        return INT64_MAX;
    }
    return INT64_MAX;
}
