/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's stages: how they are read and refused, and what each does to frames made by hand, in a
 * pipeline of either end, in the order given, with its one counter.
 */
#include "data/stage_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/pipeline.h"

enum {
    MOST = 20000, /* frames of a test */
    LEN = 100,
};

/* ---- a pipeline around the stages ---- */

struct giver {
    struct source source;
    const struct frame *frames;
    unsigned n;
};

struct keeper {
    struct sink sink;
    struct frame got[MOST];
    unsigned n;
};

struct bench {
    struct giver giver;
    struct keeper keeper;
    struct stage_list list;
    struct ledger ledger;
    struct pipeline pipeline;
};

static int giver_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct giver *g = (struct giver *)s;
    (void)batches;
    (void)now;
    while (g->n > 0) {
        o->batch->n = MIN(g->n, (unsigned)BATCH_MAX);
        memcpy(o->batch->f, g->frames, o->batch->n * sizeof(*g->frames));
        g->frames += o->batch->n;
        g->n -= o->batch->n;
        o->push(o);
    }
    return SOURCE_DRY;
}

static void nothing_free(struct source *s)
{
    (void)s;
}

static void keeper_write(struct sink *s, const struct batch *b)
{
    struct keeper *k = (struct keeper *)s;
    assert_true(k->n + b->n <= MOST);
    memcpy(k->got + k->n, b->f, b->n * sizeof(*b->f));
    k->n += b->n;
}

static void keeper_free(struct sink *s)
{
    (void)s;
}

static const struct source_ops from_link = {
    .kind = "giver", .counts = LEDGER_LINK_RX, .run = giver_run, .free = nothing_free};
static const struct source_ops from_ring = {
    .kind = "giver", .counts = LEDGER_RING, .run = giver_run, .free = nothing_free};
static const struct sink_ops to_output = {
    .kind = "keeper", .counts = LEDGER_SINK, .write = keeper_write, .free = keeper_free};
static const struct sink_ops to_link = {
    .kind = "keeper", .counts = LEDGER_LINK_TX, .write = keeper_write, .free = keeper_free};

static struct bench b;
static const uint16_t *linktypes; /* by point; NULL: Ethernet */

/* Has the frames pass the stages, which end with NULL. */
static void pass(enum stage_end end, const char *const *stages, const struct frame *frames,
                 unsigned n)
{
    const bool tap = end == STAGE_AT_TAP;
    struct error err = {""};
    memset(&b, 0, sizeof(b));
    b.giver = (struct giver){{tap ? &from_ring : &from_link}, frames, n};
    b.keeper.sink.ops = tap ? &to_link : &to_output;
    for (; *stages; stages++) {
        assert_int_equal(stage_list_add(&b.list, *stages, &err), 0);
    }
    b.pipeline.source = &b.giver.source;
    b.pipeline.sink = &b.keeper.sink;
    assert_int_equal(pipeline_init(&b.pipeline, end, &(struct stage_conf){.list = &b.list},
                                   &(struct pass){.common = &b.ledger, .linktype = linktypes}),
                     0);
    assert_int_equal(pipeline_run(&b.pipeline, 1, (struct mono){1}), SOURCE_DRY);
}

static uint64_t count(enum ledger_id id)
{
    return ledger_get(&b.ledger, id);
}

static void end(void)
{
    pipeline_done(&b.pipeline);
    stage_list_done(&b.list);
}

/* ---- reading ---- */

/* The sentence with which the words are refused. */
static const char *refusal(const char *words)
{
    static struct error err;
    struct stage_list list = {0};
    err.text[0] = '\0';
    assert_true(stage_list_add(&list, words, &err) < 0);
    assert_int_equal(list.n, 0);
    return err.text;
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *words, *sentence;
    } mistakes[] = {
        {"", "a stage is wanted, such as \"slice 128\""},
        {"  ", "a stage is wanted, such as \"slice 128\""},
        {"slize 3", "there is no stage \"slize\"; did you mean slice?"},
        {"cut 3", "there is no stage \"cut\", but: slice, sample, vlan, direction, filter, strip"},
        {"slice", "N: \"\" is not a whole number (slice N|headers)"},
        {"slice 0", "N: 0 is not between 1 and 1048576 (slice N|headers)"},
        {"sample 1/10", "a sample is of packet or flow, not \"1/10\" (sample packet|flow 1/N "
                        "[outer|inner] [seed S])"},
        {"sample flow 10", "the rate is 1/N, such as 1/10, not \"10\" (sample packet|flow 1/N "
                           "[outer|inner] [seed S])"},
        {"sample flow 1/0",
         "N: 0 is not between 1 and 1000000 (sample packet|flow 1/N [outer|inner] [seed S])"},
        {"sample flow 1/1000001",
         "N: 1000001 is not between 1 and 1000000 (sample packet|flow 1/N [outer|inner] [seed S])"},
        {"sample flow 1/2 outer seed",
         "S: \"\" is not a whole number (sample packet|flow 1/N [outer|inner] [seed S])"},
        {"sample packet 1/2 outer", "behind the rate stands seed S, not \"outer\" "
                                    "(sample packet|flow 1/N [outer|inner] [seed S])"},
        {"sample flow 1/2 x", "behind the rate stands outer, inner or seed S, not \"x\" "
                              "(sample packet|flow 1/N [outer|inner] [seed S])"},
        {"direction both", "the direction is in or out, not \"both\" (direction in|out)"},
        {"strip mpls", "vlan, vxlan, gre or erspan is taken off, not \"mpls\" "
                       "(strip vlan|vxlan|gre|erspan)"},
        {"filter", "an expression is wanted, as pcap-filter(7) describes it (filter EXPR)"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        assert_string_equal(refusal(mistakes[i].words), mistakes[i].sentence);
    }
    assert_non_null(strstr(refusal("vlan 5000"), "5000"));
    assert_non_null(strstr(refusal("filter no such thing"), "no such thing"));
    assert_non_null(strstr(refusal("filter inbound"), "filter \"inbound\""));
    char *many = malloc(STAGE_LEN_MAX + 2);
    memset(many, 'x', STAGE_LEN_MAX + 1);
    many[STAGE_LEN_MAX + 1] = '\0';
    assert_string_equal(refusal(many), "a stage of more than 512 characters");
    free(many);
}

static void a_list_has_an_end(void **state)
{
    (void)state;
    struct stage_list list = {0};
    struct error err = {""};
    for (unsigned i = 0; i < STAGE_LIST_MAX; i++) {
        assert_int_equal(stage_list_add(&list, " slice \t 64", &err), 0);
    }
    assert_int_equal(stage_list_add(&list, "slice 64", &err), -EINVAL);
    assert_string_equal(err.text, "at most 16 stages");
    assert_int_equal(list.n, STAGE_LIST_MAX);
    assert_string_equal(list.spec[15].text, " slice \t 64");
    stage_list_done(&list);
    assert_int_equal(list.n, 0);
}

/* ---- each stage ---- */

static uint8_t bytes[MOST][LEN];
static struct frame frames[MOST];

/* UDP from 10.0.0.1:port to 10.0.0.2:53, with a number behind. */
static void make_frame(unsigned i, uint16_t port)
{
    static const uint8_t head[] = {2,    0, 0,  0,  0, 2, 2, 0, 0,  0,  0, 1,  8,  0,
                                   0x45, 0, 0,  86, 0, 0, 0, 0, 64, 17, 0, 0,  10, 0,
                                   0,    1, 10, 0,  0, 2, 0, 0, 0,  53, 0, 66, 0,  0};
    memset(bytes[i], 0, LEN);
    memcpy(bytes[i], head, sizeof(head));
    bytes[i][34] = (uint8_t)(port >> 8);
    bytes[i][35] = (uint8_t)port;
    memcpy(bytes[i] + 42, &i, sizeof(i));
    frames[i] = (struct frame){.data = bytes[i], .datalen = LEN, .caplen = LEN, .origlen = LEN};
}

static void make_frames(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        make_frame(i, (uint16_t)(1000 + i % 1000));
    }
}

static void slicing(void **state)
{
    (void)state;
    make_frames(3);
    frames[1].caplen = 20;
    pass(STAGE_AT_TAP, (const char *const[]){"slice 50", NULL}, frames, 3);
    assert_int_equal(b.keeper.got[0].caplen, 50);
    assert_int_equal(b.keeper.got[0].origlen, LEN);
    assert_int_equal(b.keeper.got[1].caplen, 20);
    assert_int_equal(count(LEDGER_ST_SLICE), 2);
    assert_int_equal(count(LEDGER_ST_OUT), 3);
    const struct ledger_way way = {
        5, {LEDGER_RING, LEDGER_SELECT, LEDGER_CUT, LEDGER_STAGES, LEDGER_LINK_TX}};
    assert_memory_equal(&b.pipeline.way, &way, 1 + way.n);
    end();
    pass(STAGE_AT_COLLECTOR, (const char *const[]){"slice headers", NULL}, frames, 1);
    assert_int_equal(b.keeper.got[0].caplen, 42); /* Ethernet, IPv4, UDP */
    assert_int_equal(count(LEDGER_SR_SLICE), 1);
    assert_int_equal(count(LEDGER_SR_OUT), 1);
    assert_int_equal(count(LEDGER_ST_SLICE), 0);
    end();
}

static void one_packet_in_n(void **state)
{
    (void)state;
    bool other_place = false;
    make_frames(1000);
    pass(STAGE_AT_TAP, (const char *const[]){"sample packet 1/10", NULL}, frames, 1000);
    assert_int_equal(b.keeper.n, 100);
    for (unsigned i = 0; i < 100; i++) {
        unsigned number;
        memcpy(&number, b.keeper.got[i].data + 42, sizeof(number));
        assert_int_equal(number / 10, i); /* one of each ten, … */
        other_place |= number % 10 != 3;  /* … not always the same */
        assert_int_equal(b.keeper.got[i].more, 9);
    }
    assert_true(other_place);
    assert_int_equal(count(LEDGER_ST_SAMPLE), 900);
    end();
}

/* Flows are kept whole, about as many as wanted, those of 1/8 among those of 1/2, and weights
 * multiply. */
static void one_flow_in_n(void **state)
{
    (void)state;
    bool kept[1000] = {false};
    make_frames(10000);
    pass(STAGE_AT_TAP, (const char *const[]){"sample flow 1/2", "sample flow 1/4", NULL}, frames,
         10000);
    for (unsigned i = 0; i < b.keeper.n; i++) {
        kept[(b.keeper.got[i].data[34] << 8 | b.keeper.got[i].data[35]) - 1000] = true;
        assert_int_equal(b.keeper.got[i].more, 7);
    }
    unsigned flows = 0;
    for (unsigned i = 0; i < 1000; i++) {
        flows += kept[i];
    }
    assert_int_equal(b.keeper.n, flows * 10);
    assert_in_range(flows, 60, 190); /* 125 of 1000, by six deviations: the keys are two */
    assert_int_equal(count(LEDGER_ST_SAMPLE), 10000 - b.keeper.n);
    end();
    for (unsigned i = 0; i < 1000; i++) { /* answers: with the other end first */
        uint8_t *d = bytes[i];
        memcpy(d + 26, (const uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
        memcpy(d + 36, d + 34, 2);
        memcpy(d + 34, (const uint8_t[]){0, 53}, 2);
    }
    pass(STAGE_AT_TAP, (const char *const[]){"sample flow 1/3", NULL}, frames, 2000);
    unsigned balance[1000] = {0};
    for (unsigned i = 0; i < b.keeper.n; i++) {
        const uint8_t *d = b.keeper.got[i].data;
        bool back = d[35] == 53 && d[34] == 0;
        balance[(d[back ? 36 : 34] << 8 | d[back ? 37 : 35]) - 1000] += back ? 1 : 100;
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(balance[i] == 0 || balance[i] == 101);
    }
    end();
}

/* The frames that a sample keeps of the first n, a bit each. */
static void kept_of(const char *words, unsigned n, uint8_t ret[MOST])
{
    memset(ret, 0, MOST);
    pass(STAGE_AT_TAP, (const char *const[]){words, NULL}, frames, n);
    for (unsigned i = 0; i < b.keeper.n; i++) {
        unsigned number;
        memcpy(&number, b.keeper.got[i].data + b.keeper.got[i].caplen - 4, sizeof(number));
        ret[number] = 1;
    }
    end();
}

static void number_at_end(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        memcpy(bytes[i] + LEN - 4, &i, sizeof(i));
    }
}

/* A seed is a choice; without one it is another each time. */
static void the_same_sample_again(void **state)
{
    (void)state;
    static uint8_t first[MOST], again[MOST], other[MOST];
    static const char *const words[][3] = {
        {"sample packet 1/4 seed 7", "sample packet 1/4 seed 8", "sample packet 1/4"},
        {"sample flow 1/4 seed 7", "sample flow 1/4 seed 8", "sample flow 1/4"},
        {"sample flow 1/4 outer seed 7", "sample flow 1/4 seed 18446744073709551615 outer",
         "sample flow 1/4 outer"}};
    make_frames(1000);
    number_at_end(1000);
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        kept_of(words[i][0], 1000, first);
        kept_of(words[i][0], 1000, again);
        assert_memory_equal(first, again, MOST);
        kept_of(words[i][1], 1000, other);
        assert_memory_not_equal(first, other, MOST);
        kept_of(words[i][2], 1000, other);
        assert_memory_not_equal(first, other, MOST);
    }
    kept_of(words[1][0], 1000, first); /* what is in no tunnel has one header alone */
    kept_of(words[2][0], 1000, again);
    assert_memory_equal(first, again, MOST);
}

/* The outermost header of what is in a tunnel is that of one flow. */
static void the_outer_flow(void **state)
{
    (void)state;
    static const uint8_t around[] = {0x45, 0, 0, 86, 0, 0, 0, 0, 64, 4,
                                     0,    0, 1, 1,  1, 1, 1, 1, 1,  2};
    static uint8_t kept[MOST];
    make_frames(1000);
    for (unsigned i = 0; i < 1000; i++) {
        memmove(bytes[i] + 34, bytes[i] + 14, LEN - 34);
        memcpy(bytes[i] + 14, around, sizeof(around));
        bytes[i][14 + 19] = (uint8_t)(i % 2 ? 2 : 3); /* two tunnels */
    }
    number_at_end(1000);
    kept_of("sample flow 1/2 outer", 1000, kept);
    for (unsigned i = 2; i < 1000; i++) {
        assert_int_equal(kept[i], kept[i % 2]);
    }
    static const char *const inside[] = {"sample flow 1/2", "sample flow 1/2 inner"};
    for (unsigned k = 0; k < ARRAY_SIZE(inside); k++) {
        unsigned n = 0;
        kept_of(inside[k], 1000, kept);
        for (unsigned i = 0; i < 1000; i++) {
            n += kept[i];
        }
        assert_in_range(n, 400, 600);
    }
}

/* Packets without an Ethernet header are of the same flows. */
static void flows_of_another_link_type(void **state)
{
    (void)state;
    static const uint16_t raw[] = {101};
    static uint8_t ether[MOST], bare[MOST];
    make_frames(1000);
    number_at_end(1000);
    kept_of("sample flow 1/3 seed 1", 1000, ether);
    for (unsigned i = 0; i < 1000; i++) {
        frames[i].data += 14;
        frames[i].datalen = frames[i].caplen = frames[i].origlen = LEN - 14;
    }
    linktypes = raw;
    kept_of("sample flow 1/3 seed 1", 1000, bare);
    assert_memory_equal(ether, bare, MOST);
    kept_of("sample flow 1/3 outer seed 1", 1000, bare);
    assert_memory_equal(ether, bare, MOST);
    kept_of("sample flow 1/3 inner seed 1", 1000, bare);
    assert_memory_equal(ether, bare, MOST);
    linktypes = NULL;
}

static void vlans_and_directions(void **state)
{
    (void)state;
    make_frames(6);
    for (unsigned i = 0; i < 3; i++) { /* a tag beside the frame, as a ring has it: 9, 10, 11 */
        const uint8_t tag[4] = {0x81, 0, 0x20, (uint8_t)(9 + i)};
        memcpy(frames[i].ins, tag, sizeof(tag));
        frames[i].ins_len = 4;
        frames[i].ins_off = 12;
        frames[i].caplen += 4;
        frames[i].origlen += 4;
        frames[i].dir = FRAME_DIR_OUT;
    }
    frames[3].dir = FRAME_DIR_IN;
    memcpy(bytes[4] + 12, (const uint8_t[]){0x81, 0, 0, 10}, 4); /* one within it */
    pass(STAGE_AT_COLLECTOR, (const char *const[]){"vlan 10-20", NULL}, frames, 6);
    assert_int_equal(b.keeper.n, 3);
    assert_ptr_equal(b.keeper.got[2].data, bytes[4]);
    assert_int_equal(count(LEDGER_SR_VLAN), 3);
    end();
    pass(STAGE_AT_COLLECTOR, (const char *const[]){"direction out", NULL}, frames, 6);
    assert_int_equal(b.keeper.n, 3);
    assert_int_equal(count(LEDGER_SR_DIRECTION), 3);
    end();
    pass(STAGE_AT_COLLECTOR, (const char *const[]){"direction in", NULL}, frames, 6);
    assert_int_equal(b.keeper.n, 1);
    assert_ptr_equal(b.keeper.got[0].data, bytes[3]);
    end();
    pass(STAGE_AT_COLLECTOR, (const char *const[]){"filter vlan 11 and udp", NULL}, frames, 6);
    assert_int_equal(b.keeper.n, 1);
    assert_ptr_equal(b.keeper.got[0].data, bytes[2]);
    assert_int_equal(count(LEDGER_SR_FILTER), 5);
    end();
}

static void filters_see_the_length_on_the_wire(void **state)
{
    (void)state;
    make_frames(4);
    frames[1].origlen = 1500;
    pass(STAGE_AT_TAP, (const char *const[]){"filter udp port 53 and greater 1000", NULL}, frames,
         4);
    assert_int_equal(b.keeper.n, 1);
    assert_ptr_equal(b.keeper.got[0].data, bytes[1]);
    end();
    frames[2].caplen = 30; /* the ports are not there any more */
    pass(STAGE_AT_TAP, (const char *const[]){"filter udp port 53", NULL}, frames, 4);
    assert_int_equal(b.keeper.n, 3);
    end();
}

/* VXLAN (RFC 7348) with a frame of the same kind inside: the order of the stages decides. */
static void a_tunnel_is_taken_off_in_its_turn(void **state)
{
    (void)state;
    uint8_t outer[50 + LEN], back[LEN];
    static const uint8_t head[] = {4,   0,    0, 0, 0,   2,  4, 0, 0,    0,  0,    1,    8,
                                   0,   0x45, 0, 0, 136, 0,  0, 0, 0,    64, 17,   0,    0,
                                   172, 16,   0, 1, 172, 16, 0, 2, 0xc0, 0,  0x12, 0xb5, 0,
                                   116, 0,    0, 8, 0,   0,  0, 0, 0,    7,  0};
    make_frames(1);
    memcpy(outer, head, sizeof(head));
    memcpy(outer + 50, bytes[0], LEN);
    const struct frame f = {
        .data = outer, .datalen = sizeof(outer), .caplen = 90, .origlen = sizeof(outer)};
    pass(STAGE_AT_TAP, (const char *const[]){"strip vxlan", "filter host 10.0.0.1", NULL}, &f, 1);
    assert_int_equal(b.keeper.n, 1);
    assert_int_equal(b.keeper.got[0].caplen, 40);
    assert_int_equal(b.keeper.got[0].origlen, LEN);
    frame_copy(&b.keeper.got[0], 0, back, 40);
    assert_memory_equal(back, bytes[0], 40);
    assert_int_equal(count(LEDGER_ST_STRIP), 1);
    end();
    pass(STAGE_AT_TAP, (const char *const[]){"filter host 10.0.0.1", "strip vxlan", NULL}, &f, 1);
    assert_int_equal(b.keeper.n, 0);
    assert_int_equal(count(LEDGER_ST_FILTER), 1);
    assert_int_equal(count(LEDGER_ST_OUT), 0);
    end();
    pass(STAGE_AT_TAP, (const char *const[]){"strip gre", NULL}, &f, 1);
    assert_int_equal(b.keeper.got[0].caplen, 90);
    assert_int_equal(count(LEDGER_ST_STRIP), 0);
    end();
}

/* Between two runs others take the stages' place, none too; frames count as passed all the time. */
static void stages_are_replaced(void **state)
{
    (void)state;
    static const char *const first[] = {"slice 50", "direction in", NULL};
    struct stage_list other = {0}, none = {0}, many = {0};
    struct error err = {""};
    for (int tap = 0; tap < 2; tap++) {
        const enum stage_end at = tap ? STAGE_AT_TAP : STAGE_AT_COLLECTOR;
        make_frames(30);
        for (unsigned i = 0; i < 10; i++) {
            frames[i].dir = FRAME_DIR_IN;
        }
        pass(at, first, frames, 10);
        assert_int_equal(stage_list_add(&other, "slice 60", &err), 0);
        assert_int_equal(pipeline_restage(&b.pipeline, at, &other), 0);
        b.giver.frames = frames + 10;
        b.giver.n = 10;
        assert_int_equal(pipeline_run(&b.pipeline, 1, (struct mono){2}), SOURCE_DRY);
        assert_int_equal(pipeline_restage(&b.pipeline, at, &none), 0);
        b.giver.frames = frames + 20;
        b.giver.n = 10;
        assert_int_equal(pipeline_run(&b.pipeline, 1, (struct mono){3}), SOURCE_DRY);
        assert_int_equal(b.keeper.n, 30);
        assert_int_equal(b.keeper.got[9].caplen, 50);
        assert_int_equal(b.keeper.got[19].caplen, 60);
        assert_int_equal(b.keeper.got[29].caplen, LEN);
        assert_int_equal(count(tap ? LEDGER_ST_OUT : LEDGER_SR_OUT), 30);
        assert_int_equal(count(tap ? LEDGER_ST_SLICE : LEDGER_SR_SLICE), 20);
        for (unsigned i = 0; i < STAGE_LIST_MAX && many.n < STAGE_LIST_MAX; i++) {
            assert_int_equal(stage_list_add(&many, "slice 64", &err), 0);
        }
        assert_int_equal(pipeline_restage(&b.pipeline, at, &many), 0);
        assert_non_null(pipeline_stage(&b.pipeline, STAGE_SLICE));
        end();
        stage_list_done(&other);
    }
    stage_list_done(&many);
}

static void weights_end_where_the_link_does(void **state)
{
    (void)state;
    struct frame f = {.more = 0};
    frame_multiply(&f, 1);
    assert_int_equal(f.more, 0);
    frame_multiply(&f, 1000000);
    frame_multiply(&f, 4000);
    assert_int_equal(f.more, 3999999999);
    frame_multiply(&f, 2);
    assert_int_equal(f.more, UINT32_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_list_has_an_end),
        cmocka_unit_test(slicing),
        cmocka_unit_test(one_packet_in_n),
        cmocka_unit_test(one_flow_in_n),
        cmocka_unit_test(the_same_sample_again),
        cmocka_unit_test(the_outer_flow),
        cmocka_unit_test(flows_of_another_link_type),
        cmocka_unit_test(vlans_and_directions),
        cmocka_unit_test(filters_see_the_length_on_the_wire),
        cmocka_unit_test(a_tunnel_is_taken_off_in_its_turn),
        cmocka_unit_test(stages_are_replaced),
        cmocka_unit_test(weights_end_where_the_link_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
