/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage counts packets made by hand and gives their frames out. The judges of how packets are
 * cut are proto/gso_test.c and the network tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "data/stage.h"
#include "proto/gso.h"

enum {
    IP = 14,
    TCP = IP + 20,
    DATA = TCP + 20,
    SEGMENT = 100,
    UFO = 3,      /* VIRTIO_NET_HDR_GSO_UDP */
    PIECES = 400, /* of the largest packet here: more than a batch has room for */
};

struct bench {
    struct ledger ledger;
    struct stage *stage;
    struct batch in, out;
    unsigned given;  /* frames that came out, in all */
    unsigned rounds; /* calls that it took */
    bool users;      /* stages of the user's stand behind it */
    uint32_t caplen[2 * PIECES], origlen[2 * PIECES];
};

static void set_up_with(struct bench *b, const struct stage_conf *conf)
{
    memset(b, 0, sizeof(*b));
    assert_int_equal(cut_stage_new(conf, &b->stage), 0);
}

static void set_up(struct bench *b, bool cut, uint32_t snaplen)
{
    set_up_with(b, &(struct stage_conf){.keep_super = !cut, .snaplen = snaplen});
}

static void tear_down(struct bench *b)
{
    b->stage->ops->free(b->stage);
}

/* Drives what is in `in` through the stage, as a pipeline does. */
static void pass(struct bench *b)
{
    bool more = true;
    const struct pass p = {.common = &b->ledger, .plain = !b->users};
    b->given = b->rounds = 0;
    while (more) {
        b->out.n = 0;
        more = b->stage->ops->expand(b->stage, &b->in, &b->out, &p);
        assert_true(b->out.n > 0);
        b->rounds++;
        for (unsigned i = 0; i < b->out.n; i++) {
            assert_true(b->given < 2 * PIECES);
            b->caplen[b->given] = b->out.f[i].caplen;
            b->origlen[b->given++] = b->out.f[i].origlen;
        }
    }
    b->in.n = 0;
}

/* IPv4 and TCP without options before `payload` bytes. */
static void make(uint8_t *d, uint32_t payload)
{
    memset(d, 0, DATA + payload);
    st_u16(d + 12, 0x0800);
    d[IP] = 0x45;
    st_u16(d + IP + 2, (uint16_t)(DATA - IP + payload));
    st_u16(d + IP + 6, 0x4000);
    d[IP + 8] = 64;
    d[IP + 9] = 6;
    d[TCP + 12] = 0x50;
    for (uint32_t i = 0; i < payload; i++) {
        d[DATA + i] = (uint8_t)i;
    }
}

static struct frame *add(struct bench *b, const uint8_t *d, uint32_t len)
{
    struct frame *f = &b->in.f[b->in.n++];
    *f = (struct frame){.data = d, .datalen = len, .caplen = len, .origlen = len};
    return f;
}

static uint64_t count(const struct bench *b, enum ledger_id id)
{
    return ledger_get(&b->ledger, id);
}

static void plain_frames_pass(void **state)
{
    (void)state;
    static struct bench b;
    uint8_t d[DATA + SEGMENT];
    set_up(&b, true, 0);
    make(d, SEGMENT);
    add(&b, d, sizeof(d));
    add(&b, d, DATA);
    pass(&b);
    assert_int_equal(b.given, 2);
    assert_int_equal(b.caplen[0], sizeof(d));
    assert_int_equal(b.caplen[1], DATA);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), 2);
    for (enum ledger_id id = LEDGER_CUT_OUT + 1; id <= LEDGER_CUT_SLICED; id++) {
        assert_int_equal(count(&b, id), 0);
    }
    assert_int_equal(count(&b, LEDGER_CUT_MADE), 0);
    tear_down(&b);
}

static struct frame *add_super(struct bench *b, uint8_t *d, uint32_t payload)
{
    make(d, payload);
    struct frame *f = add(b, d, DATA + payload);
    f->gso_type = GSO_TCP4;
    f->gso_size = SEGMENT;
    return f;
}

static void a_packet_becomes_frames(void **state)
{
    (void)state;
    static struct bench b;
    static uint8_t d[2][DATA + 3 * SEGMENT];
    set_up(&b, true, 0);
    add_super(&b, d[0], 3 * SEGMENT - 30);
    add(&b, d[0], DATA);
    add_super(&b, d[1], 2 * SEGMENT);
    pass(&b);
    const uint32_t want[] = {DATA + SEGMENT, DATA + SEGMENT, DATA + SEGMENT - 30,
                             DATA,           DATA + SEGMENT, DATA + SEGMENT};
    assert_int_equal(b.given, ARRAY_SIZE(want));
    assert_memory_equal(b.caplen, want, sizeof(want));
    assert_memory_equal(b.origlen, want, sizeof(want));
    assert_int_equal(b.rounds, 1);
    assert_int_equal(count(&b, LEDGER_CUT_SUPER), 2);
    assert_int_equal(count(&b, LEDGER_CUT_MADE), 3);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), 6);
    assert_int_equal(count(&b, LEDGER_CUT_UNCUT), 0);
    tear_down(&b);
}

/* A packet of more frames than a batch has goes on in the next one. */
static void more_than_a_batch(void **state)
{
    (void)state;
    static struct bench b;
    static uint8_t d[DATA + PIECES * SEGMENT], small[DATA];
    set_up(&b, true, 0);
    add_super(&b, d, PIECES * SEGMENT);
    make(small, 0);
    add(&b, small, sizeof(small));
    pass(&b);
    assert_int_equal(b.given, PIECES + 1);
    assert_int_equal(b.rounds, 2);
    assert_int_equal(b.caplen[PIECES], DATA);
    assert_int_equal(count(&b, LEDGER_CUT_SUPER), 1);
    assert_int_equal(count(&b, LEDGER_CUT_MADE), PIECES - 1);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), PIECES + 1);
    add(&b, small, sizeof(small)); /* and the next batch begins anew */
    pass(&b);
    assert_int_equal(b.given, 1);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), PIECES + 2);
    tear_down(&b);
}

static void kept_whole(void **state)
{
    (void)state;
    static struct bench b;
    static uint8_t d[DATA + 2 * SEGMENT];
    set_up(&b, false, 0); /* as was asked for */
    add_super(&b, d, 2 * SEGMENT);
    pass(&b);
    assert_int_equal(b.given, 1);
    assert_int_equal(b.caplen[0], sizeof(d));
    assert_int_equal(count(&b, LEDGER_CUT_UNCUT), 1);
    assert_int_equal(count(&b, LEDGER_CUT_SUPER), 0);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), 1);
    tear_down(&b);
    set_up(&b, true, 0); /* as it is of a kind that cannot be */
    add_super(&b, d, 2 * SEGMENT)->gso_type = UFO;
    pass(&b);
    assert_int_equal(b.given, 1);
    assert_int_equal(count(&b, LEDGER_CUT_UNCUT), 1);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), 1);
    tear_down(&b);
}

/* After cutting: each of the frames is sliced; what is not longer is not. */
static void sliced(void **state)
{
    (void)state;
    static struct bench b;
    static uint8_t d[2][DATA + 3 * SEGMENT];
    set_up(&b, true, DATA + 50);
    add_super(&b, d[0], 2 * SEGMENT + 50);
    make(d[1], SEGMENT);
    add(&b, d[1], DATA + 51);
    add(&b, d[1], DATA + 50);
    pass(&b);
    const uint32_t cap[] = {DATA + 50, DATA + 50, DATA + 50, DATA + 50, DATA + 50};
    const uint32_t orig[] = {DATA + SEGMENT, DATA + SEGMENT, DATA + 50, DATA + 51, DATA + 50};
    assert_int_equal(b.given, ARRAY_SIZE(cap));
    assert_memory_equal(b.caplen, cap, sizeof(cap));
    assert_memory_equal(b.origlen, orig, sizeof(orig));
    assert_int_equal(count(&b, LEDGER_CUT_SLICED), 3);
    tear_down(&b);
}

/* The sum of the pseudo-header is there, the rest was left to the card. */
static void checksums(void **state)
{
    (void)state;
    static struct bench b;
    static uint8_t d[3][DATA + SEGMENT];
    const uint16_t start = TCP, offset = 16;
    set_up(&b, true, 0);
    for (unsigned i = 0; i < 3; i++) {
        make(d[i], SEGMENT);
        st_u16(d[i] + TCP + offset, 6 + 20 + SEGMENT);
        struct frame *f = add(&b, d[i], sizeof(d[i]));
        f->vnet_flags = GSO_NEEDS_CSUM;
        f->csum_start = start;
        f->csum_offset = offset;
    }
    b.in.f[1].caplen--;    /* the kernel has cut it: its last byte is not here */
    b.in.f[2].ins_len = 4; /* a tag to be put in, which stands before the header */
    b.in.f[2].ins_off = 12;
    b.in.f[2].csum_start += 4;
    b.in.f[2].caplen += 4;
    b.in.f[2].origlen += 4;
    pass(&b);
    assert_int_equal(count(&b, LEDGER_CUT_SUMMED), 2);
    assert_int_equal(count(&b, LEDGER_CUT_NOSUM), 1);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t pseudo[] = {0, 6, 0, 20 + SEGMENT}; /* addresses are zero */
        uint16_t sum = gso_fold(gso_sum(d[i] + TCP, 20 + SEGMENT, gso_sum(pseudo, 4, 0)));
        assert_int_equal(sum == 0xffff, i != 1);
    }
    make(d[0], SEGMENT);
    struct frame *f = add(&b, d[0], sizeof(d[0])); /* where no checksum can be */
    f->vnet_flags = GSO_NEEDS_CSUM;
    f->csum_start = sizeof(d[0]) - 1;
    f->csum_offset = offset;
    f = add(&b, d[0], sizeof(d[0]));
    f->vnet_flags = GSO_NEEDS_CSUM; /* within the tag that is to be put in */
    f->csum_start = 3;
    f->ins_len = 4;
    f->caplen += 4;
    f->origlen += 4;
    pass(&b);
    assert_int_equal(count(&b, LEDGER_CUT_SUMMED), 2);
    assert_int_equal(count(&b, LEDGER_CUT_NOSUM), 3);
    assert_int_equal(count(&b, LEDGER_CUT_OUT), 5);
    tear_down(&b);
}

/* One packet of two frames comes by; the first of them, and what was cut short in all. */
static const struct frame *come(struct bench *b, uint64_t *ret_sliced)
{
    enum { LONG = 1000 };
    static uint8_t d[DATA + 2 * LONG];
    add_super(b, d, 2 * LONG)->gso_size = LONG;
    pass(b);
    assert_int_equal(b->given, 2);
    assert_int_equal(b->out.f[0].origlen, DATA + LONG);
    *ret_sliced = count(b, LEDGER_CUT_SLICED);
    return &b->out.f[0];
}

/* Where the tap's limit leaves the headers only, payload is not copied, unless somebody looks at it
 * before. */
static void headers_are_made_alone(void **state)
{
    (void)state;
    static struct bench b;
    static struct limit_plan plan;
    struct limit_view view = {.plan = &plan};
    static const struct filter_prog keep = {0};
    const uint32_t all = DATA + 1000;
    uint64_t sliced = 0;
    set_up_with(&b, &(struct stage_conf){.limit = &view});
    assert_int_equal(come(&b, &sliced)->full, 0); /* not on the ladder */
    plan.ladder = true;
    assert_int_equal(come(&b, &sliced)->full, 0); /* nothing is given up */
    plan.step = LIMIT_HEADERS | 3;
    const struct frame *f = come(&b, &sliced);
    assert_int_equal(f->full, all);
    assert_int_equal(f->caplen, GSO_HEADERS_MAX);
    assert_int_equal(f->datalen, GSO_HEADERS_MAX);
    plan.step = 3;
    assert_int_equal(come(&b, &sliced)->full, 0);
    plan.step = LIMIT_HEADERS;
    b.users = true;
    assert_int_equal(come(&b, &sliced)->full, 0);
    b.users = false;
    plan.keep = &keep;
    f = come(&b, &sliced);
    assert_int_equal(f->full, 0);
    assert_int_equal(f->caplen, all);
    assert_int_equal(sliced, 0);
    tear_down(&b);
}

/* The length that would have been is within the snaplen, and counts as cut short once. */
static void headers_and_a_snaplen(void **state)
{
    (void)state;
    static struct bench b;
    static struct limit_plan plan = {.ladder = true, .step = LIMIT_HEADERS};
    struct limit_view view = {.plan = &plan};
    const uint32_t snaplens[] = {600, 300};
    for (unsigned k = 0; k < ARRAY_SIZE(snaplens); k++) {
        uint64_t sliced = 0;
        set_up_with(&b, &(struct stage_conf){.limit = &view, .snaplen = snaplens[k]});
        const struct frame *f = come(&b, &sliced);
        assert_int_equal(f->full, k == 0 ? 600 : 0);
        assert_int_equal(f->caplen, k == 0 ? GSO_HEADERS_MAX : 300);
        assert_int_equal(sliced, 2);
        tear_down(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_frames_pass),
        cmocka_unit_test(a_packet_becomes_frames),
        cmocka_unit_test(more_than_a_batch),
        cmocka_unit_test(kept_whole),
        cmocka_unit_test(sliced),
        cmocka_unit_test(checksums),
        cmocka_unit_test(headers_are_made_alone),
        cmocka_unit_test(headers_and_a_snaplen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
