/* SPDX-License-Identifier: Apache-2.0
 *
 * Packer and reassembler against each other over a simulated path that loses, doubles, delays and
 * reorders: every frame that was numbered is either received as it was, or lost, exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "data/link/receive/reasm.h"
#include "data/link/replay.h"
#include "data/link/send/packer.h"
#include "proto/link.h"

enum {
    POOL = 1 << 21,
    MAX_FRAMES = 60000,
};

struct sent {
    uint32_t off, caplen, origlen, more;
    int64_t ts;
    uint8_t dir;
    bool flows;
};

struct world {
    uint64_t seed;
    uint8_t *pool;
    struct sent *sent;
    uint32_t n_sent;
    struct packer *packer;
    struct aead *tx, *rx;
    struct reasm *reasm;
    struct reasm_room room;
    struct replay replay;
    struct ledger ledger;
    struct batch batch;
    struct batch_out out;
    struct mono now;
    bool weights;             /* of the key in use */
    unsigned loss, dup, swap; /* per thousand datagrams */
    uint8_t *delayed;         /* one that is overtaken */
    size_t delayed_len;
    uint64_t datagrams, lost_datagrams, replayed;
    uint32_t got, next_index, missing; /* missing: before the next frame */
    uint64_t got_lost_marks, got_flows;
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return (uint32_t)(w->seed >> 33) % n;
}

static void on_deliver(struct batch_out *o)
{
    struct world *w = CONTAINER_OF(o, struct world, out);
    for (uint32_t i = 0; i < w->batch.n; i++) {
        const struct frame *f = &w->batch.f[i];
        /* The frame's own number was written into its first bytes. */
        uint32_t index;
        assert_true(f->caplen >= 4);
        memcpy(&index, f->data, 4);
        assert_true(index >= w->next_index && index < w->n_sent); /* in order, each once */
        w->missing += index - w->next_index;
        assert_int_equal(f->lost, w->missing);
        const struct sent *s = &w->sent[index];
        assert_int_equal(f->flows, s->flows);
        assert_int_equal(f->caplen, s->caplen);
        assert_int_equal(f->origlen, s->origlen);
        assert_true(f->ts_ns == s->ts);
        assert_int_equal(f->dir, s->dir);
        assert_int_equal(f->more, s->more);
        assert_memory_equal(f->data + 4, w->pool + s->off + 4, s->caplen - 4);
        assert_int_equal(f->point, 5);
        w->next_index = index + 1;
        w->got++;
        w->got_flows += f->flows;
        w->got_lost_marks += f->flows ? 0 : f->lost;
        w->missing = f->flows ? w->missing : 0; /* a frame tells it */
    }
    w->batch.n = 0;
}

static void receive(struct world *w, const uint8_t *d, size_t len)
{
    uint8_t *copy = malloc(len), nonce[12];
    struct link_record rec;
    memcpy(copy, d, len);
    assert_int_equal(link_record_decode(copy, len, &rec), 0);
    assert_int_equal(rec.receiver, 0xabcd);
    link_record_nonce(&rec, nonce);
    size_t tag = aead_tag_len(w->rx), body = len - LINK_RECORD_HEADER - tag;
    assert_int_equal(aead_open(w->rx, nonce, copy, LINK_RECORD_HEADER, copy + LINK_RECORD_HEADER,
                               body, copy + len - tag),
                     0);
    if (replay_accept(&w->replay, rec.counter)) {
        reasm_segment(w->reasm, rec.counter, copy + LINK_RECORD_HEADER, body, w->now, &w->out);
    } else {
        w->replayed++;
    }
    on_deliver(&w->out);
    reasm_delivered(w->reasm);
    free(copy);
}

static void release_delayed(struct world *w)
{
    if (w->delayed) {
        receive(w, w->delayed, w->delayed_len);
        free(w->delayed);
        w->delayed = NULL;
    }
}

static unsigned on_send(void *user, const uint8_t *data, size_t len, uint32_t datagram)
{
    struct world *w = user;
    assert_true(len <= PACKER_BYTES);
    for (size_t at = 0; at < len; at += datagram) {
        size_t n = len - at < datagram ? len - at : datagram;
        w->datagrams++;
        w->now = mono_add_ms(w->now, 1);
        if (rnd(w, 1000) < w->loss) {
            w->lost_datagrams++;
            continue;
        }
        if (!w->delayed && rnd(w, 1000) < w->swap) {
            w->delayed = malloc(n);
            memcpy(w->delayed, data + at, n);
            w->delayed_len = n;
            continue;
        }
        receive(w, data + at, n);
        if (rnd(w, 1000) < w->dup) {
            receive(w, data + at, n);
        }
        if (rnd(w, 3) == 0) {
            release_delayed(w);
        }
    }
    return 0;
}

static void begin_stream(struct world *w)
{
    w->room = (struct reasm_room){.max = 64 << 20, .all = &w->room};
    w->reasm = reasm_new(5, &w->ledger, &w->room, w->now);
}

static void world_init(struct world *w, uint64_t seed, enum aead_alg alg)
{
    static const uint8_t key[AEAD_KEY_LEN] = {7};
    memset(w, 0, sizeof(*w));
    w->seed = seed * 0x9e3779b97f4a7c15 + 1;
    w->now.ns = NSEC_PER_SEC;
    w->pool = malloc(POOL);
    w->sent = calloc(MAX_FRAMES, sizeof(*w->sent));
    for (uint32_t i = 0; i < POOL; i++) {
        w->pool[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    assert_int_equal(aead_new(alg, key, &w->tx, NULL), 0);
    assert_int_equal(aead_new(alg, key, &w->rx, NULL), 0);
    w->out = (struct batch_out){&w->batch, on_deliver};
    w->packer = packer_new(3, &(struct packer_out){on_send, w});
    packer_reset(w->packer, &(struct packer_key){w->tx, 0xabcd, true});
    w->weights = true;
    begin_stream(w);
}

static void world_done(struct world *w)
{
    packer_free(w->packer);
    reasm_free(w->reasm);
    assert_int_equal(w->room.used, 0);
    aead_free(w->tx);
    aead_free(w->rx);
    free(w->pool);
    free(w->sent);
    free(w->delayed);
}

static void send_frame(struct world *w, uint32_t caplen)
{
    struct sent *s = &w->sent[w->n_sent];
    s->off = rnd(w, POOL - caplen);
    s->caplen = caplen;
    s->origlen = caplen + (rnd(w, 4) == 0 ? rnd(w, 1000) : 0);
    s->ts = (int64_t)w->now.ns + (int64_t)rnd(w, 1000000) - 500000;
    if (rnd(w, 500) == 0) {
        s->ts += 10 * NSEC_PER_SEC; /* a clock that steps */
    }
    s->dir = (uint8_t)rnd(w, 3);
    s->flows = rnd(w, 30) == 0;
    uint32_t more = rnd(w, 8) == 0 ? rnd(w, UINT32_MAX) : 0;
    s->more = w->weights ? more : 0;
    static uint8_t whole[FRAME_LEN_MAX];
    memcpy(whole, w->pool + s->off, caplen);
    memcpy(whole, &w->n_sent, 4);
    struct frame f = {.data = whole,
                      .datalen = caplen,
                      .caplen = caplen,
                      .origlen = s->origlen,
                      .ts_ns = s->ts,
                      .more = more,
                      .dir = s->dir,
                      .flows = s->flows};
    if (caplen > 24 && rnd(w, 5) == 0) { /* bytes that lie beside the frame */
        f.ins_off = 12;
        f.ins_len = 4;
        memcpy(f.ins, whole + 12, 4);
        memmove(whole + 12, whole + 16, caplen - 16);
        f.datalen = caplen - 4;
    }
    w->n_sent++;
    packer_frame(w->packer, &f);
}

static uint32_t some_length(struct world *w)
{
    switch (rnd(w, 8)) {
    case 0:
        return 1514;
    case 1:
        return 9000 + rnd(w, 20);
    case 2:
        return rnd(w, 200) == 0 ? 66000 + rnd(w, 400000) : 300;
    default:
        return 60 + rnd(w, 600);
    }
}

/* The tap's last word. */
static void finish(struct world *w)
{
    struct packer_stats st = packer_stats(w->packer);
    reasm_report(w->reasm, st.frames, st.datagrams, w->now);
    reasm_finish(w->reasm, &w->out);
}

static void run(struct world *w, uint32_t frames, uint32_t datagram)
{
    packer_set_size(w->packer, datagram);
    for (uint32_t i = 0; i < frames; i++) {
        send_frame(w, some_length(w));
        if (rnd(w, 20) == 0) {
            packer_flush(w->packer);
        }
        if (rnd(w, 50) == 0) {
            w->now = mono_add_ms(w->now, 15);
            reasm_tick(w->reasm, w->now, &w->out);
            on_deliver(&w->out);
            reasm_delivered(w->reasm);
        }
    }
    packer_flush(w->packer);
    release_delayed(w);
    finish(w);
    on_deliver(&w->out);
    reasm_delivered(w->reasm);
}

static void check_balance(struct world *w)
{
    uint64_t lost = ledger_get(&w->ledger, LEDGER_RX_LOST);
    assert_int_equal(ledger_get(&w->ledger, LEDGER_RX_IN), w->n_sent);
    assert_int_equal(ledger_get(&w->ledger, LEDGER_RX_OUT), w->got - w->got_flows);
    assert_int_equal(ledger_get(&w->ledger, LEDGER_RX_MESSAGES), w->got_flows);
    assert_int_equal(w->got + lost, w->n_sent);
    assert_int_equal(ledger_get(&w->ledger, LEDGER_RX_MALFORMED), 0);
    assert_int_equal(ledger_sum(&w->ledger, NULL, LEDGER_LINK_RX).in_flight, 0);
    assert_int_equal(packer_stats(w->packer).datagrams, w->datagrams);
    assert_int_equal(reasm_lost(w->reasm), lost);
}

static void clean_path(void **state)
{
    (void)state;
    const uint32_t sizes[] = {548, 576, 1232, 1472, 8972, 65000};
    const enum aead_alg algs[] = {AEAD_NULL, AEAD_AES256GCM, AEAD_CHACHA20POLY1305};
    for (unsigned i = 0; i < 18; i++) {
        struct world w;
        world_init(&w, i + 1, algs[i % 3]);
        run(&w, 4000, sizes[i / 3]);
        assert_int_equal(w.got, w.n_sent);
        check_balance(&w);
        world_done(&w);
    }
}

static void bad_path(void **state)
{
    (void)state;
    const unsigned rates[][3] = {{10, 0, 0},  {300, 0, 0},   {0, 200, 0},
                                 {0, 0, 300}, {50, 50, 200}, {900, 50, 50}};
    for (unsigned i = 0; i < 30; i++) {
        struct world w;
        world_init(&w, i + 100, AEAD_AES256GCM);
        w.loss = rates[i % 6][0];
        w.dup = rates[i % 6][1];
        w.swap = rates[i % 6][2];
        run(&w, 4000, i & 1 ? 1472 : 600);
        check_balance(&w);
        if (w.loss == 0 && w.swap == 0) {
            assert_int_equal(w.got, w.n_sent);
        }
        if (w.dup > 0) {
            assert_true(w.replayed > 0);
        }
        if (w.loss > 0) {
            assert_true(w.got < w.n_sent && w.got > 0);
        }
        world_done(&w);
    }
}

/* A neighbour that is overtaken by a few is put back in order and costs nothing. */
static void reordering_is_mended(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 5, AEAD_AES256GCM);
    w.swap = 300;
    packer_set_size(w.packer, 1472);
    for (uint32_t i = 0; i < 4000; i++) {
        send_frame(&w, 60 + rnd(&w, 3000));
    }
    packer_flush(w.packer);
    release_delayed(&w);
    finish(&w);
    on_deliver(&w.out);
    check_balance(&w);
    assert_int_equal(w.got, w.n_sent);
    world_done(&w);
}

static void rekeying_loses_nothing(void **state)
{
    (void)state;
    static const uint8_t key2[AEAD_KEY_LEN] = {9};
    struct world w;
    world_init(&w, 6, AEAD_AES256GCM);
    packer_set_size(w.packer, 1472);
    for (uint32_t i = 0; i < 1000; i++) {
        send_frame(&w, 700);
    }
    struct aead *tx2 = NULL, *rx2 = NULL;
    assert_int_equal(aead_new(AEAD_CHACHA20POLY1305, key2, &tx2, NULL), 0);
    assert_int_equal(aead_new(AEAD_CHACHA20POLY1305, key2, &rx2, NULL), 0);
    packer_rekey(w.packer, &(struct packer_key){tx2, 0xabcd, false});
    w.weights = false;
    aead_free(w.tx);
    aead_free(w.rx);
    w.tx = tx2;
    w.rx = rx2;
    run(&w, 1000, 1472);
    check_balance(&w);
    assert_int_equal(w.got, 2000);
    world_done(&w);
}

/* Segments that were packed under the session before are not sent in the next. */
static void a_new_session_forgets(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 7, AEAD_AES256GCM);
    packer_set_size(w.packer, 1472);
    for (uint32_t i = 0; i < 5; i++) {
        send_frame(&w, 1400); /* some segments are sealed, and wait for more */
    }
    assert_int_equal(w.datagrams, 0);
    assert_true(packer_full(w.packer) > 0);
    packer_reset(w.packer, &(struct packer_key){w.tx, 0xabcd, true});
    assert_int_equal(packer_full(w.packer), 0);
    w.n_sent = 0;
    run(&w, 100, 1472);
    check_balance(&w);
    assert_int_equal(w.got, 100);
    world_done(&w);
}

static void replay_window(void **state)
{
    (void)state;
    struct replay r = {0};
    assert_true(replay_accept(&r, 0));
    assert_false(replay_accept(&r, 0));
    assert_true(replay_accept(&r, 5));
    assert_true(replay_accept(&r, 3));
    assert_false(replay_accept(&r, 3));
    assert_true(replay_accept(&r, 5 + REPLAY_WINDOW));
    assert_true(replay_accept(&r, 6));
    assert_false(replay_accept(&r, 4));
    assert_false(replay_accept(&r, 5));
    assert_true(replay_accept(&r, UINT64_C(1) << 40));
    assert_false(replay_accept(&r, UINT64_C(1) << 40));
    assert_true(replay_accept(&r, (UINT64_C(1) << 40) - REPLAY_WINDOW + 1));
    assert_false(replay_accept(&r, 7));
    assert_false(replay_accept(&r, UINT64_MAX));
    /* Against a plain model. */
    struct replay m = {0};
    static uint8_t seen[20000];
    uint64_t top = 0;
    struct world w = {.seed = 77};
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t base = top > 3000 ? top - 3000 : 0;
        uint64_t c = base + rnd(&w, 3100);
        if (c >= sizeof(seen)) {
            break;
        }
        bool want = !seen[c] && c + REPLAY_WINDOW >= top;
        assert_int_equal(replay_accept(&m, c), want);
        seen[c] |= want;
        top = c + 1 > top ? c + 1 : top;
    }
}

/* A tap that sends nonsense inside its own session: nothing breaks, and the books are kept. */
static void nonsense_is_accounted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 9, AEAD_NULL);
    for (unsigned i = 0; i < 50000; i++) {
        uint8_t plain[200];
        for (unsigned k = 0; k < sizeof(plain); k++) {
            plain[k] = (uint8_t)rnd(&w, 256);
        }
        struct link_segment s = {.first = rnd(&w, 3) ? (uint16_t)rnd(&w, 150) : LINK_NO_FRAME,
                                 .frame_no = i * 3 + rnd(&w, 10)};
        link_segment_encode(&s, plain);
        plain[18 + (s.first < 150 ? s.first : 0)] &= 0x3f;
        reasm_segment(w.reasm, i + (i > 100 ? rnd(&w, 3) : 0), plain, 20 + rnd(&w, 180), w.now,
                      &w.out);
        w.batch.n = 0;
        reasm_delivered(w.reasm);
    }
    reasm_finish(w.reasm, &w.out);
    assert_int_equal(ledger_sum(&w.ledger, NULL, LEDGER_LINK_RX).in_flight, 0);
    assert_true(ledger_get(&w.ledger, LEDGER_RX_MALFORMED) > 0);
    world_done(&w);
}

static void count_frames(struct batch_out *o)
{
    struct world *w = CONTAINER_OF(o, struct world, out);
    w->got += w->batch.n;
    w->batch.n = 0;
}

/* Segments that always come a little out of order, never by as much as may be waited: the store is
 * never empty, and nothing is given up. */
static void constant_disorder(void **state)
{
    (void)state;
    enum { N = 400, LATE = 3 };
    struct world w = {.now = {NSEC_PER_SEC}};
    w.out = (struct batch_out){&w.batch, count_frames};
    begin_stream(&w);
    for (uint64_t i = 0; i < N + 2 * LATE; i++) {
        /* even ones come at once, odd ones LATE steps after their turn */
        uint64_t c = i % 2 == 0 ? i : i - 2 * LATE;
        uint8_t plain[LINK_SEGMENT_HEADER + LINK_FRAME_HEADER_MAX + 60] = {0};
        const struct link_segment seg = {.first = 0, .frame_no = c, .base_ts = 1};
        const struct link_frame f = {.caplen = 60, .origlen = 60, .ts_ns = 1};
        w.now = mono_add_ms(w.now, 1);
        if (c < N) {
            link_segment_encode(&seg, plain);
            unsigned head = link_frame_encode(&f, 1, plain + LINK_SEGMENT_HEADER);
            reasm_segment(w.reasm, c, plain, LINK_SEGMENT_HEADER + head + 60, w.now, &w.out);
        }
        reasm_tick(w.reasm, w.now, &w.out);
        count_frames(&w.out);
        reasm_delivered(w.reasm);
    }
    assert_int_equal(w.got, N);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_RX_LOST), 0);
    reasm_free(w.reasm);
}

static void forget(struct batch_out *o)
{
    o->batch->n = 0;
}

/* A segment with one frame, whose number is the record's. */
static void one_frame(struct reasm *r, struct batch *b, uint64_t counter, uint32_t len, int ms)
{
    uint8_t d[LINK_SEGMENT_HEADER + LINK_FRAME_HEADER_MAX + 2048] = {0};
    const struct link_segment s = {.frame_no = counter};
    const struct link_frame f = {.caplen = len, .origlen = len};
    link_segment_encode(&s, d);
    unsigned n = link_frame_encode(&f, s.base_ts, d + LINK_SEGMENT_HEADER);
    struct mono now = mono_add_ms((struct mono){NSEC_PER_SEC}, ms);
    struct batch_out out = {b, forget};
    reasm_segment(r, counter, d, LINK_SEGMENT_HEADER + n + len, now, &out);
    forget(&out);
    reasm_delivered(r);
    (void)reasm_tick(r, now, &out);
    forget(&out);
    reasm_delivered(r);
}

static void each_counter_is_exact(void **state)
{
    (void)state;
    static const struct {
        uint64_t counter;
        int ms;
    } come[] = {{0, 0},    {1, 0},   {2, 0},
                {5, 1},    {6, 2},     /* 3 and 4 are missing, and given up … */
                {7, 50},               /* … here */
                {3, 51},               /* too late */
                {100, 52}, {50, 53},   /* so far ahead that nothing is waited for; too late */
                {102, 54}, {101, 55}}; /* in time */
    static struct batch b;
    static struct ledger l;
    static struct reasm_room room;
    const struct mono now = {NSEC_PER_SEC};
    room = (struct reasm_room){.max = 64 << 20, .all = &room};
    struct reasm *r = reasm_new(5, &l, &room, now);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(come); i++) {
        one_frame(r, &b, come[i].counter, 60 + i, come[i].ms);
        bytes += come[i].counter == 3 || come[i].counter == 50 ? 0 : 60 + i;
    }
    struct batch_out out = {&b, forget};
    reasm_report(r, 110, 110, mono_add_ms(now, 60));
    assert_int_equal(ledger_sum(&l, NULL, LEDGER_LINK_RX).in_flight, 7);
    reasm_finish(r, &out);
    assert_int_equal(ledger_get(&l, LEDGER_RX_IN), 110);
    assert_int_equal(ledger_get(&l, LEDGER_RX_OUT), 9);
    assert_int_equal(ledger_get(&l, LEDGER_RX_LOST), 101);
    assert_int_equal(ledger_get(&l, LEDGER_RX_MALFORMED), 0);
    assert_int_equal(ledger_get(&l, LEDGER_RX_BYTES), bytes);
    assert_int_equal(ledger_get(&l, LEDGER_RX_DATAGRAMS), ARRAY_SIZE(come));
    assert_int_equal(ledger_get(&l, LEDGER_RX_GAP_DATAGRAMS), 2 + 92);
    assert_int_equal(ledger_get(&l, LEDGER_RX_LATE_DATAGRAMS), 2);
    reasm_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_disorder),
        cmocka_unit_test(each_counter_is_exact),
        cmocka_unit_test(clean_path),
        cmocka_unit_test(bad_path),
        cmocka_unit_test(reordering_is_mended),
        cmocka_unit_test(rekeying_loses_nothing),
        cmocka_unit_test(a_new_session_forgets),
        cmocka_unit_test(replay_window),
        cmocka_unit_test(nonsense_is_accounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
