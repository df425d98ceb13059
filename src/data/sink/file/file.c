/* SPDX-License-Identifier: Apache-2.0
 *
 * The data thread's half of the file sink: encodes frames into chunks; writer.c writes them.
 */
#include "data/sink/file/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/outputs.h"
#include "data/sink/file/begin.h"
#include "data/sink/file/describe.h"
#include "data/sink/file/tail.h"
#include "data/sink/file/writer.h"
#include "proto/pcapng.h"

enum {
    CHUNKS_OF_OUTPUT = 8, /* at least, as disks pause now and then */
    CHUNKS_DEFAULT = 64,
    CHUNKS_MAX = 1 << 16,
    FINISH_MS_DEFAULT = 5000,
    PORTS_CROWDED = POINT_MAX / 4 * 3,
    STATS_ROOM = 4096 + 256, /* bytes that a statistics block has at most */
};

/* Bytes of a chunk beside a frame: an interface's description, and what stands around the frame. */
#define CHUNK_REST (PCAPNG_META_MAX + 64 + DESCRIBE_COMMENT)

_Static_assert(FILE_SINK_CHUNK >= FRAME_LEN_MAX + CHUNK_REST, "the longest frame fits a chunk");

struct file_sink {
    struct sink head;
    char *path;
    uint32_t finish_ms;
    /* One for all interfaces of the file, whatever their taps cut to: libpcap stops at the first
     * that has another than the file's first, and at a frame that is longer. 0 is
     * FILE_BEGIN_SNAPLEN. */
    uint32_t snaplen;
    uint16_t linktype; /* of the file's first interface; 0: there is none yet */
    struct file_writer *writer;
    struct chunk *chunk; /* being filled, or NULL */
    uint64_t seq;        /* numbers the chunks */
    uint32_t n_points;   /* interfaces of the section */
    uint32_t n_idbs;     /* described in the section so far */
    uint32_t n_new;      /* of the points, those that are not */
    uint32_t n_owed;     /* those that are closed and whose statistics found no room */
    uint32_t chunk_bytes;
    uint64_t found;            /* frames in the file before */
    uint64_t most_bytes;       /* 0: any */
    uint64_t made;             /* bytes of the file with all that was encoded */
    _Atomic uint64_t beyond;   /* frames that came after the last one that fits below most_bytes */
    _Atomic int64_t beyond_ns; /* the time of the first of them */
    struct file_point *points[POINT_MAX];
    struct file_point *by_index[POINT_MAX];
};

static struct file_sink *of(struct sink *s)
{
    return (struct file_sink *)s; /* its head is the first member */
}

static void submit(struct file_sink *fs)
{
    if (fs->chunk) {
        file_writer_submit(fs->writer, fs->chunk);
        fs->chunk = NULL;
    }
}

static bool has_chunk(struct file_sink *fs)
{
    if (!fs->chunk) {
        fs->chunk = file_writer_take(fs->writer);
        fs->seq++;
    }
    return fs->chunk != NULL;
}

/* A chunk with `need` bytes of room, in which the point is described and counted. */
static bool has_room(struct file_sink *fs, struct file_point *point, size_t need)
{
    need += point->idb_written ? 0 : point->idb_len;
    bool counted = fs->chunk && point->seq == fs->seq;
    if (fs->chunk &&
        (wr_left(&fs->chunk->w) < need || (!counted && fs->chunk->n_counts == CHUNK_POINTS))) {
        submit(fs);
    }
    if (!has_chunk(fs)) {
        return false;
    }
    if (!point->idb_written) {
        wr_copy(&fs->chunk->w, point->idb, point->idb_len);
        fs->made += point->idb_len;
        point->idb_written = true;
        point->ifid = fs->n_idbs++; /* its number is its place in the section */
        fs->n_new -= point->spare ? 0 : 1;
    }
    if (point->seq != fs->seq) {
        point->seq = fs->seq;
        point->count = &fs->chunk->counts[fs->chunk->n_counts++];
        *point->count = (struct chunk_count){.point = point};
    }
    return true;
}

static void drop(struct file_point *point, const struct frame *f, enum ledger_id reason)
{
    point->lost += (uint64_t)f->lost + 1;
    ledger_add_shared(point->ledger, reason, 1);
}

/* The frame as the point's link type wants it; one that is none of these is Ethernet's. NULL: there
 * was no room to know of such an interface. */
static struct file_point *give_form(struct file_point *point, const struct frame **f,
                                    struct frame *room)
{
    if (point->form.linktype == PCAPNG_LINKTYPE_ETHERNET) {
        return point;
    }
    if (file_form_frame(&point->form, *f, room)) {
        *f = room;
        return point;
    }
    return point->ethernet;
}

/* Frames end before the file is longer than it may be, of which the last statistics are a part. */
static bool is_beyond(struct file_sink *fs, const struct frame *f)
{
    if (fs->most_bytes == 0) {
        return false;
    }
    const uint64_t block =
        pcapng_epb_len(&(struct pcapng_epb){.caplen = f->caplen, .lost = 1}) + DESCRIBE_COMMENT;
    const uint64_t rest = (uint64_t)fs->n_points * STATS_ROOM;
    return atomic_load_explicit(&fs->beyond, memory_order_relaxed) > 0 ||
           fs->made + block + rest > fs->most_bytes;
}

/* A queue before the sink has counted the frame, which has to be somewhere then. */
static void count_beyond(struct file_sink *fs, struct file_point *point, int64_t ts_ns)
{
    if (atomic_load_explicit(&fs->beyond, memory_order_relaxed) == 0) {
        atomic_store_explicit(&fs->beyond_ns, ts_ns, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&fs->beyond, 1, memory_order_release);
    if (fs->head.queued) {
        ledger_add_shared(point->ledger, LEDGER_SINK_FULL, 1);
    }
}

static void write_frame(struct file_sink *fs, struct file_point *of_link, const struct frame *f)
{
    struct frame room;
    if (is_beyond(fs, f)) {
        count_beyond(fs, of_link, f->ts_ns);
        return;
    }
    sink_count_in(&fs->head, of_link->ledger);
    if (f->caplen > FRAME_LEN_MAX) {
        drop(of_link, f, LEDGER_SINK_LONG);
        return;
    }
    struct file_point *point = give_form(of_link, &f, &room);
    if (!point) {
        drop(of_link, f, LEDGER_SINK_REFUSED);
        return;
    }
    if (f->caplen > (fs->snaplen ? fs->snaplen : (uint32_t)FILE_BEGIN_SNAPLEN) ||
        f->caplen + CHUNK_REST > fs->chunk_bytes) {
        drop(of_link, f, LEDGER_SINK_LONG);
        return;
    }
    struct pcapng_epb epb = {.caplen = f->caplen, .origlen = f->origlen};
    epb.ts_ns = f->ts_ns;
    epb.dir = f->dir;
    epb.lost = point->lost + f->lost;
    char words[DESCRIBE_COMMENT];
    epb.comment = describe_frame(f, words);
    if (!has_room(fs, point, pcapng_epb_len(&epb))) {
        drop(point, f, LEDGER_SINK_FULL);
        return;
    }
    epb.ifid = point->ifid; /* known once the point is described */
    const size_t before = wr_len(&fs->chunk->w);
    frame_copy(f, 0, pcapng_epb_begin(&fs->chunk->w, &epb), f->caplen);
    fs->made += wr_len(&fs->chunk->w) - before;
    point->count->frames++;
    point->count->bytes += f->caplen;
    point->lost = 0;
}

static void file_write(struct sink *s, const struct batch *b)
{
    struct file_sink *fs = of(s);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        struct file_point *point = f->point < POINT_MAX ? fs->by_index[f->point] : NULL;
        if (point) {
            write_frame(fs, point, f);
        } else {
            sink_count_refused(s, f->point);
        }
    }
}

/* Interfaces that had no frame yet are described too, as soon as there is room. */
static void describe_idle(struct file_sink *fs)
{
    for (uint32_t i = 0; fs->n_new > 0 && i < fs->n_points; i++) {
        struct file_point *p = fs->points[i];
        if (!p->idb_written && !p->spare && !has_room(fs, p, 0)) {
            return;
        }
    }
}

/* Asks for the statistics of an interface that is closed: a chunk, which frames need more while the
 * writer is behind. */
static bool end_interface(struct file_sink *fs, struct file_point *p)
{
    if (file_writer_behind(fs->writer) || !has_room(fs, p, 0)) {
        return false;
    }
    fs->chunk->ended = p;
    fs->made += STATS_ROOM;
    p->isb_due = false;
    submit(fs);
    return true;
}

/* Asks for those that are owed, as far as there is room. */
static void end_owed(struct file_sink *fs)
{
    for (uint32_t i = 0; fs->n_owed > 0 && i < fs->n_points; i++) {
        struct file_point *p = fs->points[i];
        if (!p->open && p->isb_due) {
            if (!end_interface(fs, p)) {
                return;
            }
            fs->n_owed--;
        }
    }
}

/* An interface whose statistics are owed is wanted again, or its ledger is another's now. */
static void owe_nothing(struct file_sink *fs, struct file_point *p)
{
    fs->n_owed -= !p->open && p->isb_due ? 1 : 0;
    p->isb_due = false;
}

/* Interfaces that are done with, statistics and all, make room for others; should one come back, it
 * is described once more. Only while the writer has nothing that speaks of them. */
static void forget_closed(struct file_sink *fs)
{
    uint32_t kept = 0;
    if (fs->n_points < PORTS_CROWDED || fs->chunk || !file_writer_idle(fs->writer)) {
        return;
    }
    for (uint32_t i = 0; i < fs->n_points; i++) {
        struct file_point *p = fs->points[i];
        if (p->open || p->isb_due || (!p->idb_written && !p->spare)) {
            fs->points[kept++] = p;
        } else {
            free(p->idb);
            free(p);
        }
    }
    fs->n_points = kept;
}

static void file_flush(struct sink *s)
{
    struct file_sink *fs = of(s);
    end_owed(fs);
    forget_closed(fs);
    describe_idle(fs);
    /* While the writer is behind, handing on small pieces would only use the chunks up. */
    if (fs->chunk && wr_len(&fs->chunk->w) > 0 && !file_writer_behind(fs->writer)) {
        submit(fs);
    }
}

/* An interface that a tap brings back is the same interface of the section. */
static struct file_point *find_same(struct file_sink *fs, const struct ledger *ledger, bool spare,
                                    const uint8_t *idb, uint32_t idb_len)
{
    for (uint32_t i = 0; i < fs->n_points; i++) {
        struct file_point *p = fs->points[i];
        if (!p->open && p->spare == spare && p->ledger == ledger && p->idb_len == idb_len &&
            memcmp(p->idb, idb, idb_len) == 0) {
            return p;
        }
    }
    return NULL;
}

/* Takes *idb over. NULL: too many, or no memory. */
static struct file_point *add_interface(struct file_sink *fs, struct ledger *ledger, bool spare,
                                        uint8_t **idb, uint32_t idb_len)
{
    struct file_point *p = fs->n_points < POINT_MAX ? calloc(1, sizeof(*p)) : NULL;
    if (p) {
        p->ledger = ledger;
        p->start = wall_now();
        p->idb = TAKE_PTR(*idb);
        p->idb_len = idb_len;
        p->spare = spare;
        fs->points[fs->n_points++] = p;
        fs->n_new += spare ? 0 : 1;
    }
    return p;
}

/* An interface of the section for the point, one that was there before or a new one. NULL: too
 * many, or no memory. */
static struct file_point *open_interface(struct file_sink *fs, const struct point_offer *point,
                                         struct ledger *ledger, uint16_t linktype, bool spare)
{
    _cleanup_(freep) uint8_t *idb = NULL;
    uint32_t idb_len = 0;
    if (describe_point(point, fs->snaplen, linktype, &idb, &idb_len) < 0) {
        return NULL;
    }
    struct file_point *p = find_same(fs, ledger, spare, idb, idb_len);
    p = p ? p : add_interface(fs, ledger, spare, &idb, idb_len);
    if (p) {
        p->form = (struct file_form){linktype, point->arphrd};
        p->ethernet = NULL;
        owe_nothing(fs, p);
        p->open = true;
    }
    return p;
}

static int file_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct file_sink *fs = of(s);
    struct ledger *ledger = NULL;
    uint16_t linktype = file_form_linktype(fs->linktype, point->linktype);
    int failed = sink_point_open(s, point, &ledger, err);
    if (failed < 0) {
        return failed;
    }
    for (uint32_t i = 0; point->fresh && i < fs->n_points; i++) {
        if (fs->points[i]->ledger == ledger) {
            owe_nothing(fs, fs->points[i]);
        }
    }
    struct file_point *p = open_interface(fs, point, ledger, linktype, false);
    if (!p) {
        sink_point_refuse(s, point->index);
        return error_set(err, ENOSPC, "%s: too many different interfaces of taps for one file",
                         fs->path);
    }
    if (linktype != PCAPNG_LINKTYPE_ETHERNET) {
        p->ethernet = open_interface(fs, point, ledger, PCAPNG_LINKTYPE_ETHERNET, true);
    }
    fs->linktype = fs->linktype ? fs->linktype : linktype;
    p->isb_due = true;
    fs->by_index[point->index] = p;
    return 0;
}

static struct file_point *point_at(struct file_sink *fs, uint32_t index)
{
    return index < POINT_MAX ? fs->by_index[index] : NULL;
}

static void file_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    struct file_point *p = point_at(of(s), index);
    for (unsigned i = 0; p && i < LEDGER_COUNT; i++) {
        ledger_set(&p->figures, (enum ledger_id)i, ledger_get(figures, (enum ledger_id)i));
    }
}

static void file_point_remove(struct sink *s, uint32_t index)
{
    struct file_sink *fs = of(s);
    struct file_point *p = point_at(fs, index);
    if (p) {
        p->open = false;
        if (p->ethernet) {
            p->ethernet->open = false;
        }
        fs->by_index[index] = NULL;
        if (!end_interface(fs, p)) {
            fs->n_owed++; /* its statistics come when there is room */
        }
    }
    sink_point_close(s, index);
}

static int file_check(struct sink *s, struct error *err)
{
    const struct file_sink *fs = of(s);
    int code = -file_writer_error(fs->writer);
    switch (code) {
    case 0:
        return sink_check_refused(s, 0, err);
    case ENOSPC:
    case EDQUOT:
        return error_set(err, code,
                         "%s: no space left on the disk; the file is whole up to the last frame "
                         "that fitted",
                         fs->path);
    case EPIPE:
    case ECONNRESET:
        return error_set(err, EPIPE, "%s: the reader is gone", fs->path);
    case ECANCELED:
        return error_set(err, ETIMEDOUT,
                         "%s: not everything was written, because the reader or the disk did not "
                         "take it in time",
                         fs->path);
    default:
        return error_sys(err, code, "cannot write %s", fs->path);
    }
}

static int file_finish(struct sink *s, struct error *err)
{
    struct file_sink *fs = of(s);
    describe_idle(fs);
    submit(fs);
    int r = file_writer_finish(fs->writer, fs->points, fs->n_points, fs->finish_ms);
    return r < 0 ? file_check(s, err) : 0;
}

static void file_free(struct sink *s)
{
    struct file_sink *fs = of(s);
    submit(fs);
    file_writer_free(fs->writer);
    for (uint32_t i = 0; i < fs->n_points; i++) {
        free(fs->points[i]->idb);
        free(fs->points[i]);
    }
    free(fs->path);
    sink_done(s);
    free(fs);
}

static const struct sink_ops file_ops = {
    .kind = "file",
    .counts = LEDGER_SINK,
    .point_add = file_point_add,
    .point_stats = file_point_stats,
    .point_remove = file_point_remove,
    .write = file_write,
    .flush = file_flush,
    .check = file_check,
    .finish = file_finish,
    .free = file_free,
};

static void begin_section(struct file_sink *fs, const struct file_sink_conf *conf)
{
    struct pcapng_shb shb = {.os = pcapng_text(conf->os), .app = pcapng_text(conf->app)};
    if (has_chunk(fs)) { /* the first chunk of a new writer is there */
        pcapng_put_shb(&fs->chunk->w, &shb);
        fs->made += wr_len(&fs->chunk->w);
    }
}

int file_sink_new(int fd, bool append_section, const struct file_sink_conf *conf, struct sink **ret,
                  struct error *err)
{
    struct file_begin begin = {.regular = false};
    const char *path = strcmp(conf->path, "-") == 0 ? "standard output" : conf->path;
    uint32_t chunks = conf->chunks ? conf->chunks : CHUNKS_DEFAULT;
    int failed = file_begin(fd, append_section, path, &begin, err);
    if (failed < 0) {
        return failed;
    }
    struct file_sink *fs = calloc(1, sizeof(*fs));
    if (!fs) {
        return error_sys(err, ENOMEM, "%s", path);
    }
    fs->finish_ms = conf->finish_ms ? conf->finish_ms : FINISH_MS_DEFAULT;
    fs->snaplen = begin.snaplen;
    fs->linktype = begin.end > 0 ? file_tail_linktype(fd, begin.end) : 0;
    fs->chunk_bytes =
        conf->chunk_bytes ? MAX(conf->chunk_bytes, (uint32_t)FILE_SINK_CHUNK_MIN) : FILE_SINK_CHUNK;
    fs->most_bytes = conf->most_bytes;
    fs->made = begin.end;
    fs->found = begin.frames;
    fs->path = strdup(path);
    failed = fs->path ? sink_init(&fs->head, &file_ops, path) : -ENOMEM;
    if (failed == 0) {
        const struct file_writer_conf wc = {.regular = begin.regular,
                                            .end = begin.end,
                                            .chunks = MIN(MAX(chunks, 2u), (uint32_t)CHUNKS_MAX),
                                            .chunk_bytes = fs->chunk_bytes,
                                            .pool = conf->pool};
        failed = file_writer_new(fd, &wc, &fs->writer);
    }
    if (failed < 0) {
        file_free(&fs->head);
        return error_sys(err, -failed, "cannot write %s", path);
    }
    begin_section(fs, conf);
    *ret = &fs->head;
    return 0;
}

static const struct file_sink *of_const(const struct sink *s)
{
    return (const struct file_sink *)s;
}

uint64_t file_sink_published(const struct sink *s)
{
    return file_writer_published(of_const(s)->writer);
}

uint64_t file_sink_found(const struct sink *s)
{
    return of_const(s)->found;
}

uint64_t file_sink_beyond(const struct sink *s)
{
    return atomic_load_explicit(&of_const(s)->beyond, memory_order_acquire);
}

int64_t file_sink_beyond_ns(const struct sink *s)
{
    return file_sink_beyond(s) > 0 ? atomic_load(&of_const(s)->beyond_ns) : 0;
}

void file_sink_end(struct sink *s)
{
    struct file_sink *fs = of(s);
    describe_idle(fs);
    submit(fs);
    file_writer_end(fs->writer, fs->points, fs->n_points);
}

bool file_sink_ended(const struct sink *s)
{
    return file_writer_ended(of_const(s)->writer);
}

int file_output(const struct output_wish *w, struct sink **ret, struct error *err)
{
    const struct file_sink_conf conf = {
        .path = w->name,
        .os = w->os,
        .app = "farspan " FARSPAN_VERSION,
        .chunks = w->bytes > 0 ? MAX((uint32_t)(w->bytes / FILE_SINK_CHUNK), CHUNKS_OF_OUTPUT) : 0};
    return file_sink_new(w->fd, true, &conf, ret, err);
}
