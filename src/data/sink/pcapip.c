/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/pcapip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "data/outputs.h"
#include "data/sink/file/describe.h"
#include "data/sink/plain.h"
#include "data/sink/readers.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"
#include "sys/tcp.h"

enum {
    STAGE = 512 << 10,   /* bytes that are given to a reader at a time */
    HEADER = 2048,       /* bytes of a file's header at most */
    ROUND_A_FRAME = 320, /* bytes of a record around a frame at most */
    FINISH_MS = 2000,
};

_Static_assert((int)STAGE >= (int)PCAP_SNAPLEN_MAX + (int)ROUND_A_FRAME, "a frame fits");
_Static_assert((int)READERS_REST >= (int)PCAP_SNAPLEN_MAX + (int)ROUND_A_FRAME, "its rest does");
_Static_assert((int)ROUND_A_FRAME >= DESCRIBE_COMMENT + 64, "so does its comment");

struct pcapip_sink {
    struct plain_sink plain;
    enum pcapip_format format;
    struct readers *readers;
    uint32_t n; /* of the records that wait to be given, … */
    struct readers_record record[BATCH_MAX];
    const struct frame *frame[BATCH_MAX]; /* … and the frames that are in them */
    struct wr w;
    uint8_t stage[STAGE];
};

static struct pcapip_sink *of(struct sink *s)
{
    return (struct pcapip_sink *)s;
}

/* ---- frames ---- */

static void count(struct pcapip_sink *p, const struct readers_record *r, const struct frame *f)
{
    struct ledger *ledger = p->plain.ledger[f->point];
    if (r->took > 0) {
        ledger_add(ledger, LEDGER_SINK_OUT, 1);
        ledger_add(ledger, LEDGER_SINK_BYTES, f->caplen);
    } else {
        ledger_add(ledger, r->missed > 0 ? LEDGER_SINK_READERS_FULL : LEDGER_SINK_NO_READER, 1);
    }
    if (r->missed > 0) {
        ledger_add(ledger, LEDGER_SINK_MISSED, r->missed);
    }
}

static void give(struct pcapip_sink *p)
{
    if (p->n > 0) {
        readers_give(p->readers, p->stage, p->record, p->n);
    }
    for (uint32_t i = 0; i < p->n; i++) {
        count(p, &p->record[i], p->frame[i]);
    }
    p->n = 0;
    p->w = wr_make(p->stage, sizeof(p->stage));
}

/* The record, and the place in it for the frame's bytes. */
static uint8_t *begin_record(struct pcapip_sink *p, const struct frame *f)
{
    char words[DESCRIBE_COMMENT];
    if (p->format == PCAPIP_PCAPNG) {
        const struct pcapng_epb epb = {.caplen = f->caplen,
                                       .origlen = f->origlen,
                                       .ts_ns = f->ts_ns,
                                       .lost = f->lost,
                                       .dir = f->dir,
                                       .comment = describe_frame(f, words)};
        return pcapng_epb_begin(&p->w, &epb);
    }
    const struct pcap_record r = {f->caplen, f->origlen, f->ts_ns};
    return pcap_record_begin(&p->w, p->format == PCAPIP_PCAP_NS, &r);
}

static void put(struct pcapip_sink *p, const struct frame *f)
{
    if (wr_left(&p->w) < (size_t)f->caplen + ROUND_A_FRAME) {
        give(p);
    }
    frame_copy(f, 0, begin_record(p, f), f->caplen);
    p->frame[p->n] = f;
    p->record[p->n++] = (struct readers_record){(uint32_t)wr_len(&p->w), f->point, 0, 0};
}

static void pcapip_sink_write(struct sink *s, const struct batch *b)
{
    struct pcapip_sink *p = of(s);
    const unsigned n = readers_look(p->readers);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        struct ledger *ledger = plain_count_in(&p->plain, f);
        if (ledger && n == 0) {
            ledger_add(ledger, LEDGER_SINK_NO_READER, 1);
        } else if (ledger && f->caplen > PCAP_SNAPLEN_MAX) {
            ledger_add(ledger, LEDGER_SINK_LONG, 1);
        } else if (ledger) {
            put(p, f);
        }
    }
    give(p);
}

static void pcapip_sink_flush(struct sink *s)
{
    (void)readers_look(of(s)->readers);
}

/* ---- points ---- */

static int pcapip_sink_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct pcapip_sink *p = of(s);
    uint8_t *block = NULL;
    uint32_t len = 0;
    int r = p->format == PCAPIP_PCAPNG
                ? describe_point(point, PCAP_SNAPLEN_MAX, PCAPNG_LINKTYPE_ETHERNET, &block, &len)
                : 0;
    if (r < 0) {
        return error_sys(err, -r, "%s", s->name);
    }
    r = plain_point_add(s, point, err);
    if (r == 0 && block) {
        readers_describe(p->readers, point->index, TAKE_PTR(block), len);
    }
    free(block);
    return r;
}

/* ---- the sink ---- */

static int pcapip_sink_check(struct sink *s, struct error *err)
{
    (void)s;
    (void)err;
    return 0;
}

static int pcapip_sink_finish(struct sink *s, struct error *err)
{
    (void)err;
    readers_finish(of(s)->readers, FINISH_MS);
    return 0;
}

static void pcapip_sink_readers(const struct sink *s, struct sink_readers *ret)
{
    readers_tell(((const struct pcapip_sink *)s)->readers, ret);
}

static void pcapip_sink_free(struct sink *s)
{
    readers_free(of(s)->readers);
    sink_done(s);
    free(s);
}

static const struct sink_ops ops = {
    .kind = "pcap-over-ip",
    .counts = LEDGER_SINK,
    .waits = true, /* it does not, but looks after its readers on the queue's thread */
    .point_add = pcapip_sink_point_add,
    .point_stats = plain_point_stats,
    .point_remove = plain_point_remove,
    .write = pcapip_sink_write,
    .flush = pcapip_sink_flush,
    .check = pcapip_sink_check,
    .readers = pcapip_sink_readers,
    .finish = pcapip_sink_finish,
    .free = pcapip_sink_free,
};

static uint32_t make_header(enum pcapip_format format, const char *os, uint8_t ret[HEADER])
{
    struct wr w = wr_make(ret, HEADER);
    if (format == PCAPIP_PCAPNG) {
        const struct pcapng_shb shb = {.os = pcapng_text(os),
                                       .app = pcapng_text("farspan " FARSPAN_VERSION)};
        pcapng_put_shb(&w, &shb);
    } else {
        pcap_put_header(&w, format == PCAPIP_PCAP_NS, PCAP_SNAPLEN_MAX, PCAPNG_LINKTYPE_ETHERNET);
    }
    return (uint32_t)wr_len(&w);
}

int pcapip_sink_new(const struct pcapip_wish *w, const char *name, const char *os, int fd,
                    struct sink **ret, struct error *err)
{
    uint8_t header[HEADER];
    struct pcapip_sink *p = calloc(1, sizeof(*p));
    if (!p || sink_init(&p->plain.sink, &ops, name) < 0) {
        free(p);
        close(fd);
        return error_sys(err, ENOMEM, "%s", name);
    }
    p->format = w->format;
    p->w = wr_make(p->stage, sizeof(p->stage));
    if (readers_new(fd, header, make_header(w->format, os, header), &p->readers) < 0) {
        pcapip_sink_free(&p->plain.sink);
        return error_sys(err, ENOMEM, "%s", name);
    }
    *ret = &p->plain.sink;
    return 0;
}

/* ---- the words ---- */

static int read_setting(const char *text, struct pcapip_wish *w, struct error *err)
{
    static const char *const formats[] = {[PCAPIP_PCAP] = "format=pcap",
                                          [PCAPIP_PCAP_NS] = "format=pcap-ns",
                                          [PCAPIP_PCAPNG] = "format=pcapng"};
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        if (strcmp(text, formats[i]) == 0) {
            w->format = (enum pcapip_format)i;
            return 0;
        }
    }
    if (strcmp(text, "clear") == 0) {
        w->clear = true;
        return 0;
    }
    return error_set(err, EINVAL,
                     "\"%s\" is no setting of it, but \"format=pcap\", \"format=pcap-ns\", "
                     "\"format=pcapng\" and \"clear\" are",
                     text);
}

static bool is_loopback(const struct udp_addr *a)
{
    return a->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr)
                                       : ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int pcapip_wish_read(const char *text, struct pcapip_wish *ret, struct error *err)
{
    struct pcapip_wish w = {.format = PCAPIP_PCAP};
    struct host_port hp;
    char copy[512], *rest = copy;
    snprintf(copy, sizeof(copy), "%s", text);
    int r = parse_host_port(strsep(&rest, ","), &hp, err);
    while (r == 0 && rest) {
        r = read_setting(strsep(&rest, ","), &w, err);
    }
    if (r < 0) {
        return r;
    }
    if (udp_addr_parse(hp.host, &w.at) < 0) {
        return error_set(err, EINVAL, "\"%s\" is not an IPv4 or IPv6 address", hp.host);
    }
    if (!is_loopback(&w.at) && !w.clear) {
        return error_set(err, EINVAL,
                         "others reach %s, and frames would leave this host in clear text: take "
                         "127.0.0.1 or [::1], or write \",clear\" behind it",
                         hp.host);
    }
    w.port = hp.port;
    *ret = w;
    return 0;
}

int pcapip_output_read(const char *text, void **ret, struct error *err)
{
    struct pcapip_wish *w = malloc(sizeof(*w));
    int r = w ? pcapip_wish_read(text, w, err) : error_sys(err, ENOMEM, "pcap over IP");
    if (r < 0) {
        free(w);
        return r;
    }
    *ret = w;
    return 0;
}

int pcapip_output_open(const void *own, const struct resolve_conf *names, int *ret_fd,
                       struct error *err)
{
    const struct pcapip_wish *w = own;
    (void)names;
    return tcp_listen(&w->at, w->port, ret_fd, err);
}

int pcapip_output(const struct output_wish *w, struct sink **ret, struct error *err)
{
    return pcapip_sink_new(w->own, w->name, w->os, w->fd, ret, err);
}
