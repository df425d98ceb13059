/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/file.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/source/file_points.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"

enum {
    BUFFER = 256 << 10, /* bytes that are read at once; small enough for a processor's cache */
    MAGIC_LEN = PCAP_MAGIC_LEN,
};

enum form {
    FORM_UNKNOWN, /* too little was read yet */
    FORM_PCAP,
    FORM_PCAPNG,
};

/* Frames that are not in the ledger yet, which is told of a batch at once. */
struct counts {
    uint64_t in, filter, link_type, damaged, out, bytes;
};

struct file_source {
    struct source source;
    struct file_source_conf conf;
    struct file_points *points;
    enum form form;
    struct pcap_file pcap;
    struct pcapng_reader reader;
    struct counts counts;
    uint64_t at; /* in the file, of the first byte in the buffer that was not taken */
    uint8_t *buffer;
    size_t cap, from, to; /* of the buffer; the bytes in it that were not taken */
    size_t need;          /* so many from `from` on, before anything can be taken */
    bool eof, stopped, ended;
    int error;         /* 0, ENODATA (cut off), EPROTO, or that of reading */
    const char *fault; /* of EPROTO: the end of the sentence */
};

static struct file_source *of(struct source *s)
{
    return (struct file_source *)s;
}

static const struct file_source *of_const(const struct source *s)
{
    return (const struct file_source *)s;
}

/* ---- reading ---- */

static bool is_ready(const struct file_source *f)
{
    struct pollfd p = {.fd = f->conf.fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static bool has_enough(const struct file_source *f)
{
    return f->to - f->from >= f->need;
}

/* Moves what is left to the front, and makes the buffer large enough for what is needed, which the
 * decoders have bounded. */
static bool make_room(struct file_source *f)
{
    const size_t want = MAX(f->need, (size_t)BUFFER);
    if (f->from > 0) {
        memmove(f->buffer, f->buffer + f->from, f->to - f->from);
        f->to -= f->from;
        f->from = 0;
    }
    if (want > f->cap) {
        uint8_t *larger = realloc(f->buffer, want);
        if (!larger) {
            f->error = ENOMEM;
            return false;
        }
        f->buffer = larger;
        f->cap = want;
    }
    return true;
}

/* Reads until there is what is needed; false: that is not now, or never. Nothing in the buffer is
 * in a batch any more. */
static bool fill(struct file_source *f)
{
    if (f->eof || !make_room(f)) {
        return false;
    }
    while (!has_enough(f) && !f->eof) {
        if (!is_ready(f)) {
            return false;
        }
        const ssize_t n = read(f->conf.fd, f->buffer + f->to, f->cap - f->to);
        if (n > 0) {
            f->to += (size_t)n;
        } else if (n == 0) {
            f->eof = true;
        } else if (errno != EINTR && errno != EAGAIN) {
            f->error = errno;
            return false;
        }
    }
    return has_enough(f);
}

/* As fill(), and finds out whether this is the end, and an orderly one. */
static bool read_on(struct file_source *f)
{
    if (fill(f)) {
        return true;
    }
    if (f->eof && f->error == 0 && !f->stopped && (f->to > f->from || f->form == FORM_UNKNOWN)) {
        f->error = ENODATA;
    }
    f->ended = f->eof || f->error != 0;
    return false;
}

static void take(struct file_source *f, size_t n)
{
    f->from += n;
    f->at += n;
    f->need = 1;
}

/* The rest of the file cannot be read. */
static bool give_up(struct file_source *f, const char *fault)
{
    f->error = EPROTO;
    f->fault = fault;
    return false;
}

/* ---- frames ---- */

/* A frame as the file has it, with a check sequence at its end. */
static void take_off(struct frame *f, uint32_t fcs_len)
{
    f->origlen = MAX(f->origlen, f->caplen);
    f->origlen -= MIN(fcs_len, f->origlen);
    f->caplen = MIN(f->caplen, MIN(f->origlen, (uint32_t)FRAME_LEN_MAX));
    f->datalen = f->caplen;
}

/* Frames are made in their place in the batch, and stay there if they are wanted. */
static struct frame *next_frame(struct batch *b)
{
    return &b->f[b->n];
}

static void add_frame(struct file_source *f, struct batch *b, struct file_point point,
                      uint32_t fcs_len)
{
    struct counts *c = &f->counts;
    struct frame *frame = next_frame(b);
    c->in++;
    if (point.index >= POINT_MAX) {
        *(point.index == FILE_POINT_LINK_TYPE ? &c->link_type : &c->damaged) += 1;
        return;
    }
    take_off(frame, fcs_len);
    if (point.filter && !filter_matches(point.filter, frame->data, frame->caplen, frame->origlen)) {
        c->filter++;
        return;
    }
    c->out++;
    c->bytes += frame->caplen;
    frame->point = point.index;
    b->n++;
}

/* Takes one record; false: there is none that is whole. */
static bool take_record(struct file_source *f, struct batch *b)
{
    struct pcap_item it;
    if (pcap_read(&f->pcap, f->buffer + f->from, f->to - f->from, &it) < 0) {
        return give_up(f, "a record says that it is longer than any may be");
    }
    if (it.more) {
        f->need = it.len;
        return false;
    }
    *next_frame(b) = (struct frame){.data = it.data,
                                    .caplen = it.head.caplen,
                                    .origlen = it.head.origlen,
                                    .ts_ns = it.head.ts_ns};
    add_frame(f, b, file_points_find(f->points, 0), f->pcap.fcs_len);
    take(f, it.len);
    return true;
}

static void take_packet(struct file_source *f, struct batch *b, const struct pcapng_item *it)
{
    *next_frame(b) = (struct frame){.data = it->data,
                                    .caplen = it->epb.caplen,
                                    .origlen = it->epb.origlen,
                                    .lost = (uint32_t)MIN(it->epb.lost, (uint64_t)UINT32_MAX),
                                    .ts_ns = it->epb.ts_ns,
                                    .dir = it->epb.dir};
    add_frame(f, b, file_points_find(f->points, it->epb.ifid), it->fcs_len);
}

/* Takes one block; false: there is none that is whole. */
static bool take_block(struct file_source *f, struct batch *b)
{
    struct pcapng_item it;
    const int r = pcapng_read(&f->reader, f->buffer + f->from, f->to - f->from, &it);
    if (r < 0) {
        return give_up(f, r == -ENOBUFS ? "a section describes too many interfaces"
                                        : "this is no block of pcapng");
    }
    switch (it.kind) {
    case PCAPNG_MORE:
        f->need = it.len;
        return false;
    case PCAPNG_SECTION:
        file_points_section(f->points);
        break;
    case PCAPNG_INTERFACE:
        file_points_interface(f->points, &it.idb);
        break;
    case PCAPNG_FRAME:
        take_packet(f, b, &it);
        break;
    case PCAPNG_STATS:
    case PCAPNG_OTHER:
        break;
    }
    take(f, it.len);
    return true;
}

/* ---- which kind of file it is ---- */

static const char *foreign(const uint8_t magic[MAGIC_LEN])
{
    static const struct {
        uint8_t magic[MAGIC_LEN], len;
        const char *words;
    } known[] = {
        {{0x1f, 0x8b}, 2, "is compressed: give what gzip -dc makes of it"},
        {{0x28, 0xb5, 0x2f, 0xfd}, 4, "is compressed: give what zstd -dc makes of it"},
        {{0xfd, '7', 'z', 'X'}, 4, "is compressed: give what xz -dc makes of it"},
        {{'B', 'Z', 'h'}, 3, "is compressed: give what bzip2 -dc makes of it"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (memcmp(magic, known[i].magic, known[i].len) == 0) {
            return known[i].words;
        }
    }
    return "is no capture file, neither pcap nor pcapng";
}

/* False: that takes more bytes, or it is none. */
static bool recognise(struct file_source *f)
{
    static const uint8_t section[MAGIC_LEN] = {0x0a, 0x0d, 0x0d, 0x0a};
    const uint8_t *p = f->buffer + f->from;
    f->need = MAGIC_LEN;
    if (!has_enough(f)) {
        return false;
    }
    if (memcmp(p, section, MAGIC_LEN) == 0) {
        f->form = FORM_PCAPNG;
        return true;
    }
    if (!pcap_is_magic(p)) {
        return give_up(f, foreign(p));
    }
    f->need = PCAP_HEADER_LEN;
    if (!has_enough(f)) {
        return false;
    }
    if (pcap_read_header(p, &f->pcap) < 0) {
        return give_up(f, "is pcap of a version that is not known");
    }
    f->form = FORM_PCAP;
    file_points_interface(
        f->points, &(struct pcapng_idb){.linktype = f->pcap.linktype, .snaplen = f->pcap.snaplen});
    take(f, PCAP_HEADER_LEN);
    return true;
}

static bool take_one(struct file_source *f, struct batch *b)
{
    switch (f->form) {
    case FORM_UNKNOWN:
        return recognise(f);
    case FORM_PCAP:
        return take_record(f, b);
    case FORM_PCAPNG:
        return take_block(f, b);
    }
    return false;
}

/* ---- the source ---- */

/* The ledger first: a frame is counted before it is anybody else's. */
static void push(struct file_source *f, struct batch_out *o)
{
    const struct counts c = f->counts;
    struct ledger *l = f->conf.ledger;
    f->counts = (struct counts){0};
    ledger_add(l, LEDGER_FILE_IN, c.in);
    ledger_add(l, LEDGER_FILE_FILTER, c.filter);
    ledger_add(l, LEDGER_FILE_LINK_TYPE, c.link_type);
    ledger_add(l, LEDGER_FILE_DAMAGED, c.damaged);
    ledger_add(l, LEDGER_FILE_OUT, c.out);
    ledger_add(l, LEDGER_FILE_BYTES, c.bytes);
    if (o->batch->n > 0) {
        o->push(o);
    }
}

/* Takes what is in the buffer, up to a batch; false: there is not enough for one thing more. */
static bool walk(struct file_source *f, struct batch_out *o)
{
    bool more = has_enough(f);
    while (more && o->batch->n < BATCH_MAX) {
        more = take_one(f, o->batch) && has_enough(f);
    }
    push(f, o);
    f->ended = f->error != 0;
    return more;
}

static int file_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct file_source *f = of(s);
    (void)now;
    for (unsigned n = 0; n < batches && !f->ended; n++) {
        if (!walk(f, o) && !f->ended && !read_on(f)) {
            return SOURCE_DRY;
        }
    }
    return f->ended ? SOURCE_DRY : SOURCE_MORE;
}

static int file_fd(const struct source *s)
{
    return of_const(s)->ended ? -1 : of_const(s)->conf.fd;
}

static void file_stop(struct source *s)
{
    of(s)->eof = true;
    of(s)->stopped = true;
}

static bool file_drained(struct source *s)
{
    return of(s)->ended;
}

static uint64_t file_room(const struct source *s)
{
    return of_const(s)->cap;
}

static void file_free(struct source *s)
{
    struct file_source *f = of(s);
    closep(&f->conf.fd);
    file_points_free(f->points);
    free(f->buffer);
    free(f);
}

static const struct source_ops ops = {
    .kind = "file",
    .counts = LEDGER_FILE,
    .run = file_run,
    .fd = file_fd,
    .free = file_free,
    .stop = file_stop,
    .drained = file_drained,
    .room = file_room,
};

int file_source_new(const struct file_source_conf *conf, struct source **ret)
{
    struct file_source *f = calloc(1, sizeof(*f));
    if (!f) {
        closep(&conf->fd);
        return -ENOMEM;
    }
    f->source.ops = &ops;
    f->conf = *conf;
    f->need = 1;
    pcapng_reader_init(&f->reader);
    f->points = file_points_new(&(struct file_points_conf){
        .name = conf->name, .point = conf->point, .filter = conf->filter, .user = conf->user});
    if (!f->points) {
        file_free(&f->source);
        return -ENOMEM;
    }
    *ret = &f->source;
    return 0;
}

bool file_source_ended(const struct source *s)
{
    return of_const(s)->ended;
}

int file_source_check(const struct source *s, struct error *err)
{
    const struct file_source *f = of_const(s);
    const char *name = f->conf.name;
    switch (f->error) {
    case 0:
        return 0;
    case ENODATA:
        if (f->at == 0 && f->to == f->from) {
            return error_set(err, ENODATA, "%s is empty", name);
        }
        return error_set(err, ENODATA,
                         "%s is cut off: what begins at byte %" PRIu64 " is not whole", name,
                         f->at);
    case EPROTO:
        return f->form == FORM_UNKNOWN
                   ? error_set(err, EPROTO, "%s %s", name, f->fault)
                   : error_set(err, EPROTO, "%s is damaged at byte %" PRIu64 ": %s", name, f->at,
                               f->fault);
    case EISDIR:
        return error_set(err, EISDIR, "%s is a directory, not a capture file", name);
    default:
        return error_sys(err, f->error, "cannot read %s", name);
    }
}
