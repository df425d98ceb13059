/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_output.h"

#include <errno.h>
#include <unistd.h>

#include "data/meter/meter.h"
#include "data/sink/file/file.h"
#include "data/sink/queue/queue.h"
#include "data/thread.h"
#include "node/engine_room.h"
#include "node/serve_requests.h"
#include "proto/packet.h"

enum {
    CHUNKS = 64, /* of FILE_SINK_CHUNK_MIN bytes: memory that is only used when a disk is slow */
    QUEUE_OF_POINT = 8 << 20,
};

#define ORDER_NS                                                                                   \
    (200 * NSEC_PER_MSEC) /* ports are read 22 ms apart, and later where they are busy */

void engine_output_init(struct engine_output *o)
{
    *o = (struct engine_output){.n_points = 0};
    engine_rows_init(&o->rows);
    engine_flows_init(&o->flows);
}

static void join(struct engine_output *o)
{
    if (o->has_thread) {
        pthread_join(o->thread, NULL);
        o->has_thread = false;
    }
}

void engine_output_done(struct engine_output *o)
{
    join(o);
    engine_flows_done(&o->flows);
    sink_free(o->sink);
    engine_rows_done(&o->rows);
    engine_output_init(o);
}

bool engine_output_is_open(const struct engine_output *o)
{
    return o->open;
}

/* ---- opening ---- */

static int open_packets(struct engine_output *o, const struct engine_room *room,
                        const struct wanted *w, int *fd, struct error *err)
{
    const struct file_sink_conf fc = {.path = "the capture's file",
                                      .os = room->system,
                                      .app = "farspan " FARSPAN_VERSION,
                                      .chunks = CHUNKS,
                                      .chunk_bytes = FILE_SINK_CHUNK_MIN,
                                      .pool = room->pool,
                                      .most_bytes = w->most_bytes};
    int r = file_sink_new(*fd, true, &fc, &o->file, err);
    if (r < 0) {
        return r;
    }
    *fd = -1;
    o->sink = o->file;
    if (w->n_points == 1) {
        return 0;
    }
    const struct queue_sink_conf qc = {.bytes = QUEUE_OF_POINT, .order_ns = ORDER_NS};
    r = queue_sink_new(o->file, w->n_points, &qc, &o->sink);
    if (r < 0) {
        o->sink = o->file;
        return error_sys(err, -r, "cannot put the frames of several interfaces in order");
    }
    return 0;
}

/* Interfaces of this host: those without an Ethernet header get one in the ring. */
static int add_points(struct engine_output *o, const struct wanted *w, struct error *err)
{
    for (unsigned i = 0; i < w->n_points; i++) {
        struct sink *s = engine_output_sink(o, i);
        const struct point_offer offer = {.index = i,
                                          .tap = "",
                                          .ifname = w->point[i],
                                          .filter = w->filter[0] ? w->filter : NULL,
                                          .snaplen = w->snaplen,
                                          .linktype = PACKET_ETHERNET};
        const int r = s->ops->point_add(s, &offer, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int engine_output_open(struct engine_output *o, const struct engine_room *room,
                       const struct wanted *w, int64_t now_ns, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    o->counters = room->counters;
    o->wake = room->wake;
    o->kind = w->kind;
    o->n_points = w->n_points;
    o->most_bytes = w->most_bytes;
    int r = serve_request_create(room->broker, w->id, SERVE_FILE_MAIN, &fd, err);
    if (r < 0) {
        return r;
    }
    switch (w->kind) {
    case WANTED_PACKET:
        r = open_packets(o, room, w, &fd, err);
        break;
    case WANTED_NETFLOW:
        r = engine_flows_open(&o->flows, fd, room->wake, &o->sink, err);
        fd = r < 0 ? fd : -1;
        break;
    case WANTED_ETHERNET:
        r = engine_rows_open(&o->rows, fd, w, now_ns, err);
        fd = r < 0 ? fd : -1;
        break;
    }
    r = r < 0 || !o->sink ? r : add_points(o, w, err);
    o->open = r == 0;
    return r;
}

struct sink *engine_output_sink(const struct engine_output *o, unsigned point)
{
    return o->n_points > 1 && o->kind == WANTED_PACKET ? queue_sink_producer(o->sink, point)
                                                       : o->sink;
}

/* ---- while it runs ---- */

void engine_output_idle(const struct engine_output *o, unsigned point)
{
    if (o->kind == WANTED_NETFLOW) {
        meter_sink_read(o->sink, point, true, wall_now().ns);
    }
}

void engine_output_tick(struct engine_output *o, int64_t now_ns, int64_t stop_ns)
{
    if (o->kind == WANTED_ETHERNET) {
        engine_rows_tick(&o->rows, o->counters, now_ns, stop_ns);
    }
}

void engine_output_shift(struct engine_output *o, int64_t ns)
{
    if (o->kind == WANTED_ETHERNET) {
        engine_rows_shift(&o->rows, ns);
    }
}

bool engine_output_failed(const struct engine_output *o)
{
    struct error why = {""};
    switch (o->kind) {
    case WANTED_PACKET:
        return o->sink->ops->check(o->sink, &why) < 0;
    case WANTED_NETFLOW:
        return engine_flows_failed(&o->flows);
    case WANTED_ETHERNET:
        return o->rows.error < 0;
    }
    return false;
}

bool engine_output_is_full(const struct engine_output *o)
{
    return o->kind == WANTED_NETFLOW && engine_flows_are_full(&o->flows, o->most_bytes);
}

uint64_t engine_output_beyond(const struct engine_output *o)
{
    return o->file ? file_sink_beyond(o->file) : o->rows.beyond;
}

int64_t engine_output_beyond_ns(const struct engine_output *o)
{
    return o->file ? file_sink_beyond_ns(o->file) : o->rows.beyond > 0 ? o->rows.next_ns : 0;
}

static uint64_t length(const struct engine_output *o)
{
    switch (o->kind) {
    case WANTED_PACKET:
        return o->file ? file_sink_published(o->file) : 0;
    case WANTED_NETFLOW:
        return engine_flows_length(&o->flows);
    case WANTED_ETHERNET:
        return o->rows.length;
    }
    return 0;
}

/* A file of flows tells of packets, of which a frame may be several. */
static uint64_t found(const struct engine_output *o)
{
    if (!o->open || o->kind == WANTED_NETFLOW) {
        return WANTED_UNKNOWN;
    }
    return o->file ? file_sink_found(o->file) : o->rows.found;
}

uint64_t engine_output_left(const struct engine_output *o, uint64_t most_frames)
{
    const uint64_t was = found(o);
    return most_frames - (was == WANTED_UNKNOWN ? 0 : MIN(was, most_frames));
}

/* A flow table has no use for frames without an IP packet; of a file those count that were written.
 */
void engine_output_count(const struct engine_output *o, struct engine_output_counts *ret)
{
    const enum ledger_stage stage = o->kind == WANTED_NETFLOW ? LEDGER_METER : LEDGER_SINK;
    *ret = (struct engine_output_counts){
        .published = length(o), .written = o->rows.written, .found = found(o)};
    for (unsigned i = 0; o->sink && i < o->n_points; i++) {
        const struct ledger *l = sink_ledger(o->sink, i);
        if (l) {
            const struct ledger_sum sum = ledger_sum(l, NULL, stage);
            ret->written += sum.out;
            *(stage == LEDGER_METER ? &ret->unwanted : &ret->dropped) += sum.dropped;
        }
    }
    if (o->file && o->sink != o->file) { /* a queue has counted those, too */
        ret->dropped -= MIN(ret->dropped, engine_output_beyond(o));
    }
}

/* ---- the flows of a moment ---- */

int engine_output_snap(struct engine_output *o, const struct engine_room *room,
                       const struct wanted *w)
{
    _cleanup_(closep) int fd = -1;
    struct error err = {""};
    if (w->kind != WANTED_NETFLOW) {
        return -EOPNOTSUPP;
    }
    if (!o->open) {
        return -ENOENT;
    }
    if (engine_flows_snapped(&o->flows) == -EAGAIN) {
        return -EBUSY;
    }
    int r = serve_request_create(room->broker, w->id, SERVE_FILE_SNAPSHOT, &fd, &err);
    r = r < 0 ? r : engine_flows_snap(&o->flows, fd);
    fd = r < 0 ? fd : -1;
    return r;
}

int engine_output_snapped(struct engine_output *o)
{
    return engine_flows_snapped(&o->flows);
}

/* ---- its end ---- */

static int sync_rows(struct engine_output *o)
{
    const int r = o->rows.error < 0 ? o->rows.error : fdatasync(o->rows.fd) < 0 ? -errno : 0;
    return r < 0 ? error_sys(&o->why, -r, "cannot write the capture's file") : 0;
}

static int sync_flows(struct engine_output *o)
{
    const int r = o->sink->ops->finish(o->sink, &o->why), e = engine_flows_sync(&o->flows);
    return r < 0 ? r : e < 0 ? error_sys(&o->why, -e, "cannot write the capture's file") : 0;
}

static void *be_ended(void *output)
{
    struct engine_output *o = output;
    o->result = o->kind == WANTED_ETHERNET  ? sync_rows(o)
                : o->kind == WANTED_NETFLOW ? sync_flows(o)
                                            : o->sink->ops->finish(o->sink, &o->why);
    atomic_store_explicit(&o->thread_over, true, memory_order_release);
    wake_signal(o->wake);
    return NULL;
}

/* The pool's thread brings a file to its end that has no queue before it. */
static bool is_pooled(const struct engine_output *o)
{
    return o->file && o->sink == o->file;
}

/* All frames are in the sink. */
static void begin_end(struct engine_output *o)
{
    for (unsigned i = 0; o->sink && i < o->n_points; i++) {
        struct sink *s = engine_output_sink(o, i);
        s->ops->point_remove(s, i);
    }
    o->ending = true;
    if (is_pooled(o)) {
        file_sink_end(o->file);
        return;
    }
    o->has_thread = thread_start_masked(be_ended, o, &o->thread) == 0;
    if (!o->has_thread) {
        (void)be_ended(o);
    }
}

static bool is_over(const struct engine_output *o)
{
    return is_pooled(o) ? file_sink_ended(o->file)
                        : atomic_load_explicit(&o->thread_over, memory_order_acquire);
}

int engine_output_end(struct engine_output *o, struct error *err)
{
    if (!o->open || o->ended) {
        if (o->result < 0 && err) {
            *err = o->why;
        }
        return o->result;
    }
    if (!o->ending) {
        begin_end(o);
    }
    if (!is_over(o)) {
        return -EAGAIN;
    }
    join(o);
    if (is_pooled(o)) {
        o->result = o->file->ops->finish(o->file, &o->why); /* which does not wait any more */
    }
    o->ended = true;
    return engine_output_end(o, err);
}
