/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/engine_output.h"
#include "node/serve_requests.h"

enum {
    SOON_LOOKS = 100, /* for ports, a few milliseconds apart */
    FINISH_MS = 5000, /* after its end, for ports that do not tell how far they were read */
};

#define AHEAD_NS (1000 * NSEC_PER_MSEC) /* before its start rings are opened */

/* One of its points. */
struct consumer {
    struct engine_port *port; /* NULL: it has no place */
    uint64_t number;          /* of the port */
    unsigned place;
    bool leaving, ever; /* the place is being given up; it had one */
    int64_t ring_since; /* that of the port's ring to which from and until belong */
    int64_t from_ns, until_ns;
    uint64_t ring_lost, lost; /* the port's count of frames that its ring lost, as it was at first;
                               * and what was lost since */
    struct spread_counts counts;
    _Atomic int64_t at;
    _Atomic bool gone;
};

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
    struct consumer consumer[WANTED_POINTS];
    _Atomic uint64_t budget;
    unsigned looks;       /* for its ports, which come soon, or nobody knows when */
    struct mono deadline; /* of FINISHES */
    bool ending;          /* all places are given up, and the output comes to its end */
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

/* ---- the filter ---- */

static void on_program(void *user, int result, const uint8_t *data, size_t len, int fd,
                       const struct error *err)
{
    struct engine_capture *c = user;
    _cleanup_(closep) int own = fd;
    (void)data;
    (void)len;
    const int r = result < 0 ? result : serve_read_program(own, &c->program);
    if (r < 0) {
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

/* ---- its places ---- */

static struct spread_want wish(struct engine_capture *c, unsigned i)
{
    const struct wanted *w = &c->wanted;
    return (struct spread_want){.sink = engine_output_sink(&c->output, i),
                                .point = i,
                                .filter = c->filter == FILTER_IS ? &c->program : NULL,
                                .dir = (enum frame_dir)w->dir,
                                .vlans = w->has_vlans ? &w->vlans : NULL,
                                .snaplen = w->snaplen,
                                .start_ns = w->start_ns,
                                .stop_ns = w->stop_ns,
                                .budget = w->most_frames > 0 ? &c->budget : NULL,
                                .counts = &c->consumer[i].counts};
}

static uint64_t ring_losses(const struct engine_port *port)
{
    return ledger_sum(engine_port_ledger(port), NULL, LEDGER_RING).dropped;
}

/* The port is no more, and so is the place in it. */
static bool has_vanished(const struct engine_capture *c, unsigned i)
{
    const struct consumer *k = &c->consumer[i];
    const struct engine_port *port = engine_ports_find(c->room.ports, c->wanted.point[i]);
    return port != k->port || engine_port_number(port) != k->number;
}

static void take_place(struct engine_capture *c, unsigned i)
{
    struct consumer *k = &c->consumer[i];
    struct engine_port *port = engine_ports_find(c->room.ports, c->wanted.point[i]);
    if (!port || k->leaving) {
        return;
    }
    const struct spread_want w = wish(c, i);
    k->at = 0;
    const int place = engine_port_add(port, &w, c->wanted.kind == WANTED_NETFLOW, &k->at);
    if (place >= 0) {
        k->port = port;
        k->number = engine_port_number(port);
        k->place = (unsigned)place;
        k->ring_lost = ring_losses(port);
        k->gone = false;
    }
}

/* True once the thread of the port knows the consumer no more. */
static bool leave_place(struct engine_capture *c, unsigned i)
{
    struct consumer *k = &c->consumer[i];
    if (!k->port) {
        return true;
    }
    if (has_vanished(c, i) || (k->leaving && atomic_load(&k->gone))) {
        k->port = NULL;
        return true;
    }
    if (!k->leaving) {
        k->lost += ring_losses(k->port) - k->ring_lost;
        k->ring_lost = ring_losses(k->port);
        k->leaving = engine_port_remove(k->port, k->place, &k->gone) == 0;
    }
    return false;
}

static bool leave_places(struct engine_capture *c)
{
    bool all = true;
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        all = leave_place(c, i) && all;
    }
    return all;
}

/* Tells the ports of another stop. */
static void change_places(struct engine_capture *c)
{
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        const struct consumer *k = &c->consumer[i];
        const struct spread_want w = wish(c, i);
        if (k->port && !k->leaving && !has_vanished(c, i)) {
            (void)engine_port_change(k->port, k->place, &w);
        }
    }
}

/* For which times the point is complete. Another ring begins anew: what was between is a gap. */
static void cover(struct engine_capture *c, unsigned i)
{
    struct consumer *k = &c->consumer[i];
    const int64_t since = k->port ? engine_port_since(k->port) : 0, at = k->at;
    if (since == 0 || at == 0) {
        return;
    }
    if (since != k->ring_since) {
        k->ring_since = since;
        k->from_ns = MAX(c->wanted.start_ns, MAX(since, at));
        k->from_ns = k->until_ns = MIN(k->from_ns, c->wanted.stop_ns);
        k->ever = true;
    }
    const int64_t read = MIN(engine_port_read(k->port), c->wanted.stop_ns);
    k->until_ns = MAX(k->until_ns, read);
}

/* Rows of counters have no place in a port: what was written is complete. */
static void cover_rows(struct engine_capture *c)
{
    struct consumer *k = &c->consumer[0];
    const struct engine_rows *r = &c->output.rows;
    if (r->written > 0) {
        k->until_ns = MIN(r->next_ns, c->wanted.stop_ns);
        k->from_ns = k->ever ? k->from_ns : k->until_ns - r->period_ns * (int64_t)r->written;
        k->from_ns = MAX(MIN(k->from_ns, k->until_ns), c->wanted.start_ns);
        k->ever = true;
    }
}

static void look_at_places(struct engine_capture *c)
{
    if (c->wanted.kind == WANTED_ETHERNET) {
        cover_rows(c);
        return;
    }
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        struct consumer *k = &c->consumer[i];
        if (k->port && has_vanished(c, i)) {
            k->port = NULL;
        }
        if (!k->port) {
            c->looks++;
            take_place(c, i);
        } else {
            const uint64_t lost = ring_losses(k->port);
            k->lost += lost - k->ring_lost;
            k->ring_lost = lost;
        }
        cover(c, i);
    }
}

/* Every port that has a ring was read beyond the end. */
static bool is_read(const struct engine_capture *c)
{
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        const struct consumer *k = &c->consumer[i];
        if (k->port && engine_port_since(k->port) > 0 && k->until_ns < c->wanted.stop_ns) {
            engine_port_look(k->port);
            return false;
        }
    }
    return true;
}

/* ---- its way ---- */

static void prepare(struct engine_capture *c, int64_t now_ns)
{
    struct error err = {""};
    const int r = engine_output_open(&c->output, &c->room, &c->wanted, now_ns, &err);
    if (r < 0) {
        fail(c, r == -ENOSPC || r == -EDQUOT ? WANTED_DISK_FULL : WANTED_REFUSED, err.text);
    }
}

static void wait_for_start(struct engine_capture *c, int64_t now_ns, struct mono now)
{
    if (c->wanted.cancelled) {
        finish(c, WANTED_CANCELLED, now);
        return;
    }
    if (!has_filter(c) || now_ns < c->wanted.start_ns - AHEAD_NS) {
        return;
    }
    if (!engine_output_is_open(&c->output)) {
        prepare(c, now_ns);
    }
    if (c->state == WANTED_WAITS) {
        look_at_places(c);
        c->state = now_ns >= c->wanted.start_ns ? WANTED_RUNS : WANTED_WAITS;
    }
}

static bool is_full(const struct engine_capture *c)
{
    bool full = false;
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        full = full || atomic_load(&c->consumer[i].counts.full);
    }
    return full;
}

/* The capture ends with the last frame that was in its limit. */
static void end_at_limit(struct engine_capture *c, enum wanted_reason reason, struct mono now)
{
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        struct consumer *k = &c->consumer[i];
        const int64_t last = atomic_load(&k->counts.last_ns);
        k->until_ns = MAX(k->from_ns, MAX(k->until_ns, last));
        c->wanted.stop_ns = MIN(c->wanted.stop_ns, MAX(k->until_ns, c->wanted.start_ns));
    }
    finish(c, reason, now);
}

static void run(struct engine_capture *c, int64_t now_ns, struct mono now)
{
    struct error err = {""};
    look_at_places(c);
    const int r = engine_output_check(&c->output, &err);
    if (r < 0) {
        c->words[0] = '\0';
        text_line(c->words, sizeof(c->words), err.text);
        finish(c, r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? WANTED_DISK_FULL : WANTED_REFUSED,
               now);
    } else if (is_full(c)) {
        end_at_limit(c, WANTED_LIMIT_FRAMES, now);
    } else if (engine_output_beyond(&c->output) > 0) {
        end_at_limit(c, WANTED_LIMIT_BYTES, now);
    } else if (c->wanted.cancelled) {
        c->wanted.stop_ns = MIN(c->wanted.stop_ns, MAX(now_ns, c->wanted.start_ns));
        change_places(c);
        finish(c, WANTED_CANCELLED, now);
    } else if (now_ns >= c->wanted.stop_ns) {
        finish(c, WANTED_STOP_TIME, now);
    }
}

/* None of its points was there at any time. */
static bool never_there(const struct engine_capture *c)
{
    bool ever = false;
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        ever = ever || c->consumer[i].ever;
    }
    return !ever && c->wanted.kind != WANTED_ETHERNET && c->reason == WANTED_STOP_TIME;
}

static bool failed_in_writing(const struct engine_capture *c)
{
    return c->reason == WANTED_DISK_FULL || c->reason == WANTED_REFUSED;
}

/* The output has ended: it is whole up to where it could be written. */
static void conclude(struct engine_capture *c, int result, const struct error *err)
{
    if (result < 0 && !failed_in_writing(c)) {
        c->reason = result == -ENOSPC || result == -EDQUOT || result == -EFBIG ? WANTED_DISK_FULL
                                                                               : WANTED_REFUSED;
        text_line(c->words, sizeof(c->words), err->text);
    } else if (never_there(c)) {
        c->reason = WANTED_POINT_GONE;
        (void)snprintf(c->words, sizeof(c->words), "no interface %s was there", c->wanted.point[0]);
    }
    c->state = failed_in_writing(c) || c->reason == WANTED_POINT_GONE ? WANTED_FAILED : WANTED_DONE;
}

static bool has_limit_reason(const struct engine_capture *c)
{
    return c->reason == WANTED_LIMIT_BYTES || c->reason == WANTED_LIMIT_FRAMES;
}

static void end(struct engine_capture *c, struct mono now)
{
    struct error err = {""};
    if (!c->ending) {
        if (!has_limit_reason(c) && !failed_in_writing(c)) {
            look_at_places(c);
        }
        c->ending =
            failed_in_writing(c) || has_limit_reason(c) || is_read(c) || mono_due(now, c->deadline);
    }
    if (c->ending && leave_places(c)) {
        const int r = engine_output_end(&c->output, &err);
        if (r != -EAGAIN) {
            conclude(c, r, &err);
        }
    }
}

void engine_capture_tick(struct engine_capture *c, int64_t now_ns, struct mono now)
{
    switch (c->state) {
    case WANTED_WAITS:
        wait_for_start(c, now_ns, now);
        break;
    case WANTED_RUNS:
        engine_output_tick(&c->output, now_ns);
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
    return leave_places(c) && engine_output_end(&c->output, NULL) != -EAGAIN;
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
    c->budget = w->most_frames;
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

void engine_capture_change(struct engine_capture *c, const struct wanted *w)
{
    c->wanted.cancelled = c->wanted.cancelled || w->cancelled;
    if (w->stop_ns != c->told_stop_ns && c->state <= WANTED_RUNS) {
        c->told_stop_ns = w->stop_ns;
        c->wanted.stop_ns = MAX(w->stop_ns, c->wanted.start_ns);
        change_places(c);
    }
}

void engine_capture_shift(struct engine_capture *c, int64_t ns)
{
    if (c->state == WANTED_RUNS) {
        c->wanted.stop_ns = c->wanted.stop_ns == INT64_MAX ? INT64_MAX : c->wanted.stop_ns + ns;
        c->wanted.start_ns += MIN(ns, INT64_C(0));
        change_places(c);
    }
}

/* ---- what is told of it ---- */

bool engine_capture_wants_ports(const struct engine_capture *c)
{
    return c->wanted.kind != WANTED_ETHERNET && engine_output_is_open(&c->output) &&
           c->state <= WANTED_FINISHES;
}

void engine_capture_is(const struct engine_capture *c, struct wanted_is *ret)
{
    const uint64_t beyond = engine_output_beyond(&c->output);
    struct engine_output_counts counts;
    engine_output_count(&c->output, &counts);
    *ret = (struct wanted_is){.state = c->state,
                              .reason = c->reason,
                              .published = counts.published,
                              .written = counts.written,
                              .dropped = counts.dropped,
                              .unwanted = beyond + counts.unwanted,
                              .n_points = c->wanted.n_points};
    memcpy(ret->id, c->wanted.id, sizeof(ret->id));
    memcpy(ret->words, c->words, sizeof(ret->words));
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        const struct consumer *k = &c->consumer[i];
        ret->offered += atomic_load(&k->counts.offered) + k->lost;
        ret->unwanted += atomic_load(&k->counts.unwanted);
        ret->dropped += k->lost;
        ret->point[i].from_ns = k->from_ns;
        ret->point[i].until_ns = k->until_ns;
    }
    if (c->wanted.kind == WANTED_ETHERNET) {
        ret->offered = counts.written;
    }
}

/* Its ports are on their way. */
static bool wants_places(const struct engine_capture *c)
{
    bool wants = false;
    for (unsigned i = 0; i < c->wanted.n_points; i++) {
        const struct consumer *k = &c->consumer[i];
        wants = wants || !k->ever;
    }
    return wants && engine_capture_wants_ports(c) && c->state <= WANTED_RUNS;
}

int64_t engine_capture_due(const struct engine_capture *c)
{
    const bool rows = c->state == WANTED_RUNS && c->wanted.kind == WANTED_ETHERNET;
    if (wants_places(c) && c->looks < SOON_LOOKS) {
        return 0;
    }
    const int64_t end = rows ? MIN(c->wanted.stop_ns, c->output.rows.next_ns) : c->wanted.stop_ns;
    return c->state == WANTED_WAITS && !engine_output_is_open(&c->output)
               ? MAX(c->wanted.start_ns - AHEAD_NS, INT64_C(0))
           : c->state == WANTED_WAITS ? c->wanted.start_ns
           : c->state == WANTED_RUNS  ? end
                                      : INT64_MAX;
}
