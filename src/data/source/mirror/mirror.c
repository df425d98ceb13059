/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/mirror/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/bytes.h"
#include "proto/ether.h"
#include "sys/dgram.h"

enum {
    GAP_MOST = 1 << 16, /* a sequence that jumps further has begun anew */
    TAG_AT = 12,
};

struct mirror_source {
    struct source source;
    struct mirror_conf conf;
    struct mirror_socket socket[MIRROR_SOCKETS];
    uint32_t drops[MIRROR_SOCKETS]; /* of the kernel, as counted so far */
    int epoll;
    struct mirror_points *points;
    struct ledger nobodys;
    _Atomic uint64_t keepalives, other_gre;
    int error; /* of a socket: 0 or -errno */
    uint8_t *room;
    struct dgram packet[DGRAM_READ];
};

static void count(_Atomic uint64_t *c)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* ---- one packet ---- */

static void drop(struct mirror_source *m, enum ledger_id reason)
{
    ledger_add(&m->nobodys, LEDGER_MIR_IN, 1);
    ledger_add(&m->nobodys, reason, 1);
}

static enum decap_result decode(const struct mirror_source *m, enum mirror_kind kind,
                                const struct dgram *p, struct decap *d, struct decap_word *word)
{
    const uint8_t *data = p->data + p->at;
    switch (kind) {
    case MIRROR_VXLAN:
        return decap_vxlan(data, p->len, d);
    case MIRROR_GRE:
        return decap_gre(data, p->len, m->conf.gre, m->conf.erspan, d);
    case MIRROR_TZSP:
        return decap_tzsp(data, p->len, d);
    case MIRROR_IVTAP:
        break;
    }
    return decap_ivtap(data, p->len, d, word);
}

static struct mirror_point *point_of(struct mirror_source *m, const struct dgram *p,
                                     const struct decap *d, struct mono now)
{
    struct mirror_key key = {.carrier = d->carrier, .has_id = d->has_id, .id = d->id};
    memcpy(key.from, p->from, sizeof(key.from));
    return mirror_points_get(m->points, &key, now);
}

/* Numbers that are missing are no loss: a sender may count what it never sent. One that comes late
 * stays among the missing. */
static void look_at_sequence(struct mirror_point *at, uint32_t seq)
{
    const uint32_t ahead = seq - at->seq_next, behind = at->seq_next - seq;
    if (at->seq_known && behind <= GAP_MOST && behind > 0) {
        return;
    }
    if (at->seq_known && ahead < GAP_MOST) {
        ledger_add(&at->point.ledger, LEDGER_MIR_GAPS, ahead);
    }
    at->seq_known = true;
    at->seq_next = seq + 1;
}

/* Of its arrival, by the kernel's clock if that has told. */
static int64_t time_of(const struct dgram *p)
{
    return p->time_ns ? p->time_ns : wall_now().ns;
}

static void restore_tag(struct frame *f, uint16_t tci)
{
    f->ins_off = TAG_AT;
    f->ins_len = ETHER_TAG_LEN;
    st_u16(f->ins, ETHER_TYPE_8021Q);
    st_u16(f->ins + 2, tci);
    f->caplen += ETHER_TAG_LEN;
    f->origlen += ETHER_TAG_LEN;
}

static void take_frame(struct mirror_point *at, const struct dgram *p, const struct decap *d,
                       struct batch *b)
{
    struct ledger *l = &at->point.ledger;
    struct frame *f = &b->f[b->n++];
    *f = (struct frame){.data = d->frame,
                        .datalen = d->len,
                        .caplen = d->len,
                        .origlen = d->origlen,
                        .ts_ns = time_of(p),
                        .point = at->point.index,
                        .dir = d->dir};
    ledger_add(l, LEDGER_MIR_IN, 1);
    if (d->tag_gone) {
        restore_tag(f, d->tci);
        ledger_add(l, LEDGER_MIR_TAGGED, 1);
    }
    if (d->has_seq) {
        look_at_sequence(at, d->seq);
    }
    if (d->fcs) {
        ledger_add(l, LEDGER_MIR_FCS, 1);
    }
    if (d->origlen > d->len) {
        ledger_add(l, LEDGER_MIR_CUT, 1);
    }
    ledger_add(l, LEDGER_MIR_BYTES, f->caplen);
    ledger_add(l, LEDGER_MIR_OUT, 1);
}

/* A client that says less than before has begun anew. */
static void take_word(struct mirror_point *at, const struct dgram *p, const struct decap_word *word)
{
    struct mirror_word *w = &at->word;
    const uint64_t bytes = ledger_get(&at->point.ledger, LEDGER_MIR_BYTES);
    if (w->words == 0 || word->sent < w->sent) {
        at->sent_before = word->sent;
        at->bytes_before = bytes;
        w->missing_most = 0;
    }
    const uint64_t sent = word->sent - at->sent_before;
    const int64_t missing = (int64_t)(MIN(sent, LEDGER_MOST) - (bytes - at->bytes_before));
    w->state = word->state;
    w->at_ms = word->at_ms;
    w->latency_ms = time_of(p) / NSEC_PER_MSEC - (int64_t)MIN(word->at_ms, (uint64_t)INT64_MAX / 2);
    w->sent = word->sent;
    w->received = bytes - at->bytes_before;
    w->missing = missing;
    w->missing_most = MAX(w->missing_most, missing);
    w->words++;
}

static void take(struct mirror_source *m, enum mirror_kind kind, const struct dgram *p,
                 struct batch *b, struct mono now)
{
    static const enum ledger_id reasons[] = {
        [DECAP_SHORT] = LEDGER_MIR_SHORT,
        [DECAP_VERSION] = LEDGER_MIR_VERSION,
        [DECAP_NO_ETHERNET] = LEDGER_MIR_OTHER,
    };
    struct decap d;
    struct decap_word word;
    const enum decap_result r = decode(m, kind, p, &d, &word);
    if (r == DECAP_OTHER) {
        count(&m->other_gre);
        return;
    }
    if (!cidr_list_has(m->conf.from, p->from)) {
        drop(m, LEDGER_MIR_FROM);
        return;
    }
    if (r == DECAP_SILENT) {
        count(&m->keepalives);
        return;
    }
    if (r != DECAP_FRAME && r != DECAP_WORD) {
        drop(m, reasons[r]);
        return;
    }
    struct mirror_point *at = point_of(m, p, &d, now);
    if (!at) {
        drop(m, LEDGER_MIR_NO_ROOM);
    } else if (r == DECAP_WORD) {
        take_word(at, p, &word);
    } else {
        take_frame(at, p, &d, b);
    }
}

/* ---- the source ---- */

static int read_socket(struct mirror_source *m, const struct mirror_socket *s, struct batch_out *o,
                       struct mono now)
{
    const int n = dgram_read(s->fd, s->kind == MIRROR_GRE, m->packet, DGRAM_READ);
    for (int i = 0; i < n; i++) {
        take(m, s->kind, &m->packet[i], o->batch, now);
    }
    if (o->batch->n > 0) {
        o->push(o);
    }
    return n;
}

static int mirror_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct mirror_source *m = (struct mirror_source *)s;
    bool more = true;
    for (unsigned round = 0; more && round < batches; round++) {
        more = false;
        for (unsigned i = 0; i < m->conf.n_sockets; i++) {
            const int n = read_socket(m, &m->socket[i], o, now);
            if (n < 0) {
                m->error = n;
                return n;
            }
            more = more || n == DGRAM_READ;
        }
    }
    return more ? SOURCE_MORE : SOURCE_DRY;
}

static int mirror_fd(const struct source *s)
{
    return ((const struct mirror_source *)s)->epoll;
}

/* The kernel's count is one of 32 bits. */
static void mirror_count(struct source *s)
{
    struct mirror_source *m = (struct mirror_source *)s;
    for (unsigned i = 0; i < m->conf.n_sockets; i++) {
        uint32_t drops = m->drops[i];
        if (udp_drops(m->socket[i].fd, &drops) == 0) {
            const uint32_t more = drops - m->drops[i];
            ledger_add(&m->nobodys, LEDGER_MIR_IN, more);
            ledger_add(&m->nobodys, LEDGER_MIR_FULL, more);
            m->drops[i] = drops;
        }
    }
}

static int mirror_error(struct source *s)
{
    return ((struct mirror_source *)s)->error;
}

static void mirror_free(struct source *s)
{
    struct mirror_source *m = (struct mirror_source *)s;
    if (m) {
        closep(&m->epoll);
        mirror_points_free(m->points);
        free(m->room);
        free(m);
    }
}

static const struct source_ops ops = {
    .kind = "mirror",
    .counts = LEDGER_MIRROR,
    .run = mirror_run,
    .fd = mirror_fd,
    .free = mirror_free,
    .count = mirror_count,
    .error = mirror_error,
};

static int watch(struct mirror_source *m)
{
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = m->epoll < 0 ? -errno : 0;
    for (unsigned i = 0; r == 0 && i < m->conf.n_sockets; i++) {
        struct epoll_event e = {.events = EPOLLIN};
        r = epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->socket[i].fd, &e) < 0 ? -errno : 0;
    }
    return r;
}

static int begin(struct mirror_source *m)
{
    m->room = malloc((size_t)DGRAM_READ * DGRAM_MAX);
    if (!m->room) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < DGRAM_READ; i++) {
        m->packet[i].data = m->room + (size_t)i * DGRAM_MAX;
    }
    int r = mirror_points_new(&m->conf.points, &m->points);
    return r < 0 ? r : watch(m);
}

int mirror_source_new(const struct mirror_conf *conf, struct source **ret)
{
    struct mirror_source *m = calloc(1, sizeof(*m));
    if (!m) {
        return -ENOMEM;
    }
    m->source.ops = &ops;
    m->epoll = -1;
    m->conf = *conf;
    memcpy(m->socket, conf->socket, conf->n_sockets * sizeof(*conf->socket));
    int r = begin(m);
    if (r < 0) {
        mirror_free(&m->source);
        return r;
    }
    *ret = &m->source;
    return 0;
}

/* ---- any thread ---- */

const struct ledger *mirror_ledger(const struct source *s)
{
    return &((const struct mirror_source *)s)->nobodys;
}

void mirror_figures(const struct source *s, struct mirror_figures *ret)
{
    const struct mirror_source *m = (const struct mirror_source *)s;
    *ret = (struct mirror_figures){
        .keepalives = atomic_load_explicit(&m->keepalives, memory_order_relaxed),
        .other_gre = atomic_load_explicit(&m->other_gre, memory_order_relaxed),
    };
}

struct mirror_points *mirror_source_points(const struct source *s)
{
    return ((const struct mirror_source *)s)->points;
}
