/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/file.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/source/file_points.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"

enum {
    BUFFER = 1 << 20, /* bytes that are read at once */
    MAGIC_LEN = 4,
};

enum form {
    FORM_UNKNOWN, /* too little was read yet */
    FORM_PCAP,
    FORM_PCAPNG,
};

struct file_source {
    struct source source;
    struct file_source_conf conf;
    struct file_points *points;
    enum form form;
    struct pcap_file pcap;
    uint32_t pcap_point;
    struct pcapng_reader reader;
    uint64_t at; /* in the file, of the first byte in the buffer that was not taken */
    uint8_t *buffer;
    size_t cap, from, to; /* of the buffer; the bytes there are */
    size_t need;          /* from `from` on, before anything can be taken */
    bool eof, ended;
    int error;          /* of reading, or EPROTO, ENODATA: the file is cut off */
    const char *damage; /* what is damaged */
};

static struct file_source *of(const struct source *s)
{
    return (struct file_source *)(uintptr_t)s;
}

/* ---- reading ---- */

static bool is_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Makes room for what is needed: what was taken is gone then. */
static bool make_room(struct file_source *f)
{
    memmove(f->buffer, f->buffer + f->from, f->to - f->from);
    f->to -= f->from;
    f->from = 0;
    const size_t want = f->need > BUFFER ? f->need : BUFFER;
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

/* Reads until there is what is needed; false: not now, or there is no more. */
static bool fill(struct file_source *f)
{
    if (!make_room(f)) {
        return false;
    }
    while (f->to < f->need && !f->eof) {
        if (!is_ready(f->conf.fd)) {
            return false;
        }
        const ssize_t n = read(f->conf.fd, f->buffer + f->to, f->cap - f->to);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            f->error = errno;
            return false;
        }
        f->eof = n == 0;
        f->to += n > 0 ? (size_t)n : 0;
    }
    return f->to >= f->need;
}

static void take(struct file_source *f, size_t n)
{
    f->from += n;
    f->at += n;
    f->need = 1;
}

/* The rest of the file cannot be read. */
static void give_up(struct file_source *f, const char *what)
{
    f->error = EPROTO;
    f->damage = what;
}

/* ---- frames ---- */

static void add_frame(struct file_source *f, struct batch_out *o, uint32_t point,
                      const struct frame *frame)
{
    struct ledger *l = f->conf.ledger;
    ledger_add(l, LEDGER_FILE_IN, 1);
    if (point >= POINT_MAX) {
        ledger_add(l, point == FILE_POINT_LINK_TYPE ? LEDGER_FILE_LINK_TYPE : LEDGER_FILE_DAMAGED,
                   1);
        return;
    }
    struct frame *to = &o->batch->f[o->batch->n++];
    *to = *frame;
    to->point = point;
    ledger_add(l, LEDGER_FILE_OUT, 1);
    ledger_add(l, LEDGER_FILE_BYTES, frame->caplen);
}

/* Takes one record; false: there is none that is whole. */
static bool take_record(struct file_source *f, struct batch_out *o)
{
    struct pcap_item item;
    if (pcap_read(&f->pcap, f->buffer + f->from, f->to - f->from, &item) < 0) {
        give_up(f, "a record says that it is longer than any may be");
        return false;
    }
    if (item.more) {
        f->need = item.len;
        return false;
    }
    const uint32_t fcs = item.head.origlen >= f->pcap.fcs_len ? f->pcap.fcs_len : 0;
    const uint32_t origlen = item.head.origlen - fcs;
    const uint32_t caplen = MIN(item.head.caplen, origlen);
    add_frame(f, o, f->pcap_point,
              &(struct frame){.data = item.data,
                              .datalen = caplen,
                              .caplen = caplen,
                              .origlen = origlen,
                              .ts_ns = item.head.ts_ns});
    take(f, item.len);
    return true;
}

/* Takes one block; false: there is none that is whole. */
static bool take_block(struct file_source *f, struct batch_out *o)
{
    struct pcapng_item item;
    const int r = pcapng_read(&f->reader, f->buffer + f->from, f->to - f->from, &item);
    if (r < 0) {
        give_up(f, r == -ENOBUFS ? "a section has more interfaces than any may have"
                                 : "this is no whole block of pcapng");
        return false;
    }
    if (item.kind == PCAPNG_MORE) {
        f->need = item.len;
        return false;
    }
    if (item.kind == PCAPNG_SECTION) {
        file_points_section(f->points);
    } else if (item.kind == PCAPNG_INTERFACE) {
        file_points_interface(f->points, &item.idb);
    } else if (item.kind == PCAPNG_FRAME) {
        const uint32_t caplen = MIN(item.epb.caplen, (uint32_t)FRAME_LEN_MAX);
        add_frame(f, o, file_points_find(f->points, item.epb.ifid),
                  &(struct frame){.data = item.data,
                                  .datalen = caplen,
                                  .caplen = caplen,
                                  .origlen = MAX(item.epb.origlen, caplen),
                                  .lost = (uint32_t)MIN(item.epb.lost, (uint64_t)UINT32_MAX),
                                  .dir = item.epb.dir,
                                  .ts_ns = item.epb.ts_ns});
    }
    take(f, item.len);
    return true;
}

/* Finds out what kind of file it is; false: that takes more bytes, or it is none. */
static bool recognise(struct file_source *f)
{
    static const uint8_t section[MAGIC_LEN] = {0x0a, 0x0d, 0x0d, 0x0a};
    const uint8_t *p = f->buffer + f->from;
    const size_t left = f->to - f->from;
    f->need = MAGIC_LEN;
    if (left < MAGIC_LEN) {
        return false;
    }
    if (memcmp(p, section, MAGIC_LEN) == 0) {
        f->form = FORM_PCAPNG;
        return true;
    }
    f->need = PCAP_HEADER_LEN;
    if (left < PCAP_HEADER_LEN) {
        return false;
    }
    if (pcap_read_header(p, &f->pcap) < 0) {
        give_up(f, NULL);
        return false;
    }
    f->form = FORM_PCAP;
    f->pcap_point = file_points_only(f->points, f->pcap.linktype, f->pcap.snaplen);
    take(f, PCAP_HEADER_LEN);
    return true;
}

static bool take_one(struct file_source *f, struct batch_out *o)
{
    switch (f->form) {
    case FORM_UNKNOWN:
        return recognise(f);
    case FORM_PCAP:
        return take_record(f, o);
    case FORM_PCAPNG:
        return take_block(f, o);
    }
    return false;
}

/* ---- the source ---- */

/* Frames that were taken move on before their memory is used again. */
static void push(struct batch_out *o)
{
    if (o->batch->n > 0) {
        o->push(o);
    }
}

/* There is less in the buffer than is needed: reads on, or finds that this is the end. */
static bool read_on(struct file_source *f)
{
    if (fill(f)) {
        return true;
    }
    f->ended = f->eof || f->error;
    if (f->ended && f->error == 0 && (f->to > f->from || f->form == FORM_UNKNOWN)) {
        f->error = ENODATA;
    }
    return false;
}

static bool has_enough(const struct file_source *f)
{
    return f->to - f->from >= f->need;
}

static int file_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct file_source *f = of(s);
    (void)now;
    for (unsigned n = 0; n < batches && !f->ended;) {
        while (has_enough(f) && o->batch->n < BATCH_MAX && take_one(f, o)) {
        }
        f->ended = f->error != 0;
        n++;
        const bool full = o->batch->n == BATCH_MAX;
        push(o);
        if (!full && !f->ended && !has_enough(f) && !read_on(f)) {
            break;
        }
    }
    return f->ended || (!has_enough(f) && !is_ready(f->conf.fd)) ? SOURCE_DRY : SOURCE_MORE;
}

static int file_fd(const struct source *s)
{
    return of(s)->ended ? -1 : of(s)->conf.fd;
}

static void file_free(struct source *s)
{
    struct file_source *f = of(s);
    (void)close(f->conf.fd);
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
};

int file_source_new(const struct file_source_conf *conf, struct source **ret)
{
    struct file_source *f = calloc(1, sizeof(*f));
    if (!f) {
        (void)close(conf->fd);
        return -ENOMEM;
    }
    f->source.ops = &ops;
    f->conf = *conf;
    f->need = 1;
    pcapng_reader_init(&f->reader);
    f->points = file_points_new(conf->point, conf->user);
    if (!f->points) {
        file_free(&f->source);
        return -ENOMEM;
    }
    *ret = &f->source;
    return 0;
}

bool file_source_ended(const struct source *s)
{
    return of(s)->ended;
}

int file_source_check(const struct source *s, struct error *err)
{
    const struct file_source *f = of(s);
    const char *name = f->conf.name;
    if (f->error == 0) {
        return 0;
    }
    if (f->form == FORM_UNKNOWN && f->error == ENODATA && f->at == 0 && f->to == 0) {
        return error_set(err, ENODATA, "%s is empty", name);
    }
    if (f->form == FORM_UNKNOWN && (f->error == ENODATA || f->error == EPROTO)) {
        return error_set(err, EPROTO, "%s is no capture file, neither pcap nor pcapng", name);
    }
    if (f->error == ENODATA) {
        return error_set(err, ENODATA,
                         "%s is cut off: what begins at byte %" PRIu64 " is not whole", name,
                         f->at);
    }
    return f->error == EPROTO ? error_set(err, EPROTO, "%s is damaged at byte %" PRIu64 ": %s",
                                          name, f->at, f->damage)
                              : error_sys(err, f->error, "cannot read %s", name);
}
