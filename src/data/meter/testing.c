/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "proto/packet.h"

static void keep(struct exporter *e, const struct flowrec *r)
{
    struct testing_keeper *k = (struct testing_keeper *)e;
    k->r[MIN(k->n, (unsigned)TESTING_RECORDS - 1)] = *r;
    k->n++;
}

static void hear(struct exporter *e, const struct exporter_news *news)
{
    ((struct testing_keeper *)e)->news = *news;
}

static int keeper_finish(struct exporter *e, struct error *err)
{
    return error_set(err, EIO, "%s", e->name);
}

static void keeper_free(struct exporter *e)
{
    struct testing_keeper *k = (struct testing_keeper *)e;
    *k->ret_freed = true;
    free(k);
}

static const struct exporter_ops keeper_ops = {
    .kind = "test", .record = keep, .tick = hear, .finish = keeper_finish, .free = keeper_free};

static struct testing_keeper *keeper_new(bool *ret_freed)
{
    struct testing_keeper *k = calloc(1, sizeof(*k));
    assert_non_null(k);
    k->exporter = (struct exporter){.ops = &keeper_ops, .name = "kept"};
    k->ret_freed = ret_freed;
    return k;
}

void testing_begin(struct testing *w, struct meter_sink_conf conf)
{
    *w = (struct testing){.now_ns = 1000};
    w->k = keeper_new(&w->freed);
    w->both = keeper_new(&w->both_freed);
    w->both->exporter.biflows = true;
    conf.idle_ns = 15 * NSEC_PER_SEC;
    conf.active_ns = 60 * NSEC_PER_SEC;
    conf.exporter[conf.n_exporters++] = &w->k->exporter;
    conf.exporter[conf.n_exporters++] = &w->both->exporter;
    struct error err = {""};
    assert_int_equal(meter_sink_new(&conf, &w->s), 0);
    const struct point_offer points[] = {
        {.index = 0, .tap = "", .ifname = "eth0", .linktype = PACKET_ETHERNET},
        {.index = 5, .tap = "", .ifname = "tun0", .linktype = PACKET_RAW}};
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        assert_int_equal(w->s->ops->point_add(w->s, &points[i], &err), 0);
    }
}

void testing_end(struct testing *w)
{
    struct error err = {""};
    assert_int_equal(w->s->ops->finish(w->s, &err), -EIO);
    assert_string_equal(err.text, "kept");
}

void testing_done(struct testing *w)
{
    sink_free(w->s);
    assert_true(w->freed && w->both_freed);
}

void testing_udp(uint8_t d[TESTING_UDP], bool back, uint8_t proto, uint16_t frag)
{
    static const uint8_t packet[TESTING_UDP] = {
        2,    0, 0, 0,  0, 2, 2, 0, 0,  0, 0, 1, 8,  0,                    /* Ethernet */
        0x45, 8, 0, 28, 0, 7, 0, 0, 64, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, /* IPv4 */
        0,    0, 0, 0,  0, 8, 0, 0};
    memcpy(d, packet, sizeof(packet));
    st_u16(d + TESTING_ETHER + 6, frag);
    d[TESTING_ETHER + 9] = proto;
    d[TESTING_ETHER + 15] = back ? 2 : 1;
    d[TESTING_ETHER + 19] = back ? 1 : 2;
    st_u16(d + TESTING_ETHER + 20, back ? 53 : 4000);
    st_u16(d + TESTING_ETHER + 22, back ? 4000 : 53);
}

struct frame *testing_add(struct testing *w, const uint8_t *data, uint32_t len, uint32_t point)
{
    struct frame *f = &w->b.f[w->b.n++];
    *f = (struct frame){.data = data,
                        .datalen = len,
                        .caplen = len,
                        .origlen = len,
                        .point = point,
                        .ts_ns = w->now_ns++};
    return f;
}

void testing_pass(struct testing *w)
{
    w->s->ops->write(w->s, &w->b);
    w->s->ops->flush(w->s);
    w->b.n = 0;
}

uint64_t testing_count(const struct testing *w, uint32_t point, enum ledger_id id)
{
    return ledger_get(sink_ledger(w->s, point), id);
}
