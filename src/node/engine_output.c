/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/meter/ipfix_file.h"
#include "data/meter/meter.h"
#include "data/sink/file/file.h"
#include "data/sink/queue/queue.h"
#include "data/thread.h"
#include "node/engine_room.h"
#include "node/serve_requests.h"
#include "proto/ipfix.h"
#include "proto/ipfix_read.h"
#include "proto/packet.h"

enum {
    CHUNKS = 64, /* of FILE_SINK_CHUNK_MIN bytes: memory that is only used when a disk is slow */
    FLOWS = 65536,
    IDLE_S = 15,
    ACTIVE_S = 60,
    QUEUE_OF_POINT = 8 << 20,
};

#define ORDER_NS                                                                                   \
    (200 * NSEC_PER_MSEC) /* ports are read 22 ms apart, and later where they are busy */

void engine_output_init(struct engine_output *o)
{
    *o = (struct engine_output){.fd = -1};
    engine_rows_init(&o->rows);
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
    sink_free(o->sink);
    closep(&o->fd);
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

/* Where the last whole message ends (RFC 7011, section 3.1): a process that died may have left a
 * torn one. -errno; -EBADMSG: the file has none of these. */
static int find_messages_end(int fd, uint64_t *ret)
{
    uint64_t at = 0;
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    while ((uint64_t)st.st_size - at >= IPFIX_READ_HEAD) {
        uint8_t head[IPFIX_READ_HEAD];
        if (pread(fd, head, sizeof(head), (off_t)at) != (ssize_t)sizeof(head)) {
            return -EIO;
        }
        const size_t len = ipfix_message_len(head);
        if (len == 0) {
            return -EBADMSG;
        }
        if (len > (uint64_t)st.st_size - at) {
            break;
        }
        at += len;
    }
    *ret = at;
    return 0;
}

/* A file that goes on ends with whole messages. */
static int continue_messages(int fd)
{
    uint64_t end = 0;
    const int r = find_messages_end(fd, &end);
    return r < 0                                                                  ? r
           : ftruncate(fd, (off_t)end) < 0 || lseek(fd, (off_t)end, SEEK_SET) < 0 ? -errno
                                                                                  : 0;
}

static int open_flows(struct engine_output *o, int *fd, struct error *err)
{
    const struct sampling none = {0};
    struct meter_sink_conf mc = {.flows = FLOWS,
                                 .biflow = true,
                                 .idle_ns = IDLE_S * NSEC_PER_SEC,
                                 .active_ns = ACTIVE_S * NSEC_PER_SEC,
                                 .time = METER_BY_READS};
    int r = continue_messages(*fd);
    if (r < 0) {
        return error_sys(err, -r, "cannot continue the capture's file");
    }
    o->fd = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    r = o->fd < 0 ? -errno
                  : ipfix_file_exporter_new(*fd, "the capture's file",
                                            IPFIX_TUNNEL | IPFIX_BIFLOW | IPFIX_NS, false, true,
                                            &none, &mc.exporter[0]);
    if (r == 0) {
        *fd = -1;
        mc.n_exporters = 1;
        r = meter_sink_new(&mc, &o->sink); /* which takes the exporter over */
    }
    return r < 0 ? error_sys(err, -r, "cannot meter") : 0;
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
    o->kind = w->kind;
    o->n_points = w->n_points;
    int r = serve_request_create(room->broker, w->id, SERVE_FILE_MAIN, &fd, err);
    if (r < 0) {
        return r;
    }
    switch (w->kind) {
    case WANTED_PACKET:
        r = open_packets(o, room, w, &fd, err);
        break;
    case WANTED_NETFLOW:
        r = open_flows(o, &fd, err);
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

void engine_output_tick(struct engine_output *o, int64_t now_ns)
{
    if (o->kind == WANTED_ETHERNET) {
        engine_rows_tick(&o->rows, o->counters, now_ns);
    }
}

int engine_output_check(const struct engine_output *o, struct error *err)
{
    if (o->kind == WANTED_ETHERNET) {
        return o->rows.error < 0 ? error_sys(err, -o->rows.error, "cannot write the capture's file")
                                 : 0;
    }
    const int r = o->sink ? o->sink->ops->check(o->sink, err) : 0;
    return MIN(r, 0); /* a number of points is no failure */
}

uint64_t engine_output_beyond(const struct engine_output *o)
{
    return o->file ? file_sink_beyond(o->file) : o->rows.beyond;
}

static uint64_t length(const struct engine_output *o)
{
    struct stat st;
    return o->kind == WANTED_ETHERNET             ? o->rows.length
           : o->file                              ? file_sink_published(o->file)
           : o->fd >= 0 && fstat(o->fd, &st) == 0 ? (uint64_t)st.st_size
                                                  : 0;
}

/* A flow table has no use for frames without an IP packet; of a file those count that were written.
 */
void engine_output_count(const struct engine_output *o, struct engine_output_counts *ret)
{
    const enum ledger_stage stage = o->kind == WANTED_NETFLOW ? LEDGER_METER : LEDGER_SINK;
    *ret = (struct engine_output_counts){.published = length(o), .written = o->rows.written};
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

/* ---- its end ---- */

static void *wait_for_end(void *output)
{
    struct engine_output *o = output;
    o->result = o->sink->ops->finish(o->sink, &o->why);
    atomic_store_explicit(&o->thread_over, true, memory_order_release);
    return NULL;
}

/* All frames are in the sink. */
static void begin_end(struct engine_output *o)
{
    for (unsigned i = 0; o->sink && i < o->n_points; i++) {
        struct sink *s = engine_output_sink(o, i);
        s->ops->point_remove(s, i);
    }
    o->ending = true;
    if (!o->sink) {
        o->result = fdatasync(o->rows.fd) < 0 ? -errno : o->rows.error;
        (void)engine_output_check(o, &o->why);
        return;
    }
    if (o->file && o->sink == o->file) {
        file_sink_end(o->file);
        return;
    }
    o->has_thread = thread_start_masked(wait_for_end, o, &o->thread) == 0;
    if (!o->has_thread) {
        (void)wait_for_end(o);
    }
}

static bool is_over(const struct engine_output *o)
{
    return !o->sink             ? true
           : o->sink == o->file ? file_sink_ended(o->file)
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
    if (o->sink && o->sink == o->file) {
        o->result = o->file->ops->finish(o->file, &o->why); /* which does not wait any more */
    }
    o->ended = true;
    return engine_output_end(o, err);
}
