/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole programs on a machine of the test's own: which flows match, what is counted in which row,
 * what is sent, and that the frame itself stays as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "proto/ebpf_machine_oracle.h"

enum { ROOM = 131072, MAP = 77, MARK = 0x1234, TO = 9 };

static struct bpf_insn code[ROOM];
static struct machine m;

static unsigned make(struct ebpf_taps *conf)
{
    struct error err = {""};
    unsigned n = 0;
    conf->mark = MARK;
    conf->to = TO;
    conf->map_fd = MAP;
    if (ebpf_taps_make(conf, code, ROOM, &n, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(machine_reaches_all(code, n));
    memset(m.rows, 0, sizeof(m.rows));
    m.rows_there = MACHINE_ROWS;
    m.copy_result = 0;
    return n;
}

/* Runs it: is there a copy? The frame's mark is what it was, and its copy's is MARK. */
static bool copied(struct buffer *b, unsigned n)
{
    uint32_t mark = b->skb.mark;
    assert_int_equal(machine_run(&m, b, code, n), EBPF_TAPS_NEXT);
    assert_int_equal(b->skb.mark, mark);
    assert_true(m.copies <= 1);
    if (m.copies) {
        assert_int_equal(m.copy_mark, MARK);
        assert_int_equal(m.copy_to, TO);
        assert_int_equal(m.copy_flags, 0);
    }
    return m.copies > 0;
}

static struct buffer plain(const uint8_t *data, uint32_t len)
{
    return (struct buffer){.data = data, .len = len, .linear = len};
}

static void a_copy_is_left_alone(void **state)
{
    (void)state;
    static const uint8_t frame[60];
    const struct ebpf_taps_flow all = {.counter = 5};
    unsigned n = make(&(struct ebpf_taps){.flows = &all, .n_flows = 1});
    struct buffer b = plain(frame, 60);
    b.skb.mark = MARK;
    assert_false(copied(&b, n));
    assert_int_equal(m.rows[5].frames, 0);
    b.skb.mark = MARK + 1;
    assert_true(copied(&b, n));
    assert_int_equal(m.rows[5].frames, 1);
    assert_int_equal(m.rows[5].bytes, 60);
    m.rows_there = 5; /* the map has no such row: nothing is counted, all else stays */
    assert_true(copied(&b, n));
}

/* Frames of the VLAN, beside, inside, in both, with any linear part, and too short for one. */
static void vlans(void **state)
{
    (void)state;
    static const uint16_t ids[] = {0, 1, 63, 64, 100, 127, 128, 2000, 4094, 4095};
    static const char *const lists[] = {
        "0", "100", "0-4094", "64-127", "1-63,128-2000,4094", "64-191,100"};
    uint64_t seed = 3;
    for (unsigned l = 0; l < ARRAY_SIZE(lists); l++) {
        struct vlan_set set;
        assert_int_equal(parse_vlan_list(lists[l], &set, NULL), 0);
        const struct ebpf_taps_flow flow = {.vlans = &set};
        unsigned n = make(&(struct ebpf_taps){.flows = &flow, .n_flows = 1});
        for (unsigned i = 0; i < 4000; i++) {
            uint8_t frame[64] = {0};
            uint16_t id = ids[dice(&seed, 10)], beside = ids[dice(&seed, 10)];
            static const uint16_t types[] = {0x8100, 0x88a8, 0x9100, 0x0800};
            struct wr w = wr_make(frame + 12, 4);
            uint32_t type = dice(&seed, 4);
            wr_u16(&w, types[type]);
            wr_u16(&w, (uint16_t)(dice(&seed, 8) << 13 | id));
            struct buffer b = plain(frame, dice(&seed, 5) ? 64 : 14 + dice(&seed, 4));
            b.linear = dice(&seed, 2) ? b.len : dice(&seed, b.len);
            unsigned want = type < 2 && b.len >= 16 ? id : 0;
            if (dice(&seed, 3) == 0) {
                b.skb.vlan_present = 1;
                b.skb.vlan_tci = dice(&seed, 8) << 13 | beside;
                want = beside;
            }
            assert_int_equal(copied(&b, n), vlan_set_has(&set, want));
        }
    }
}

/* Sixteen flows with filters of their own: each counts its matches, and one copy is sent. */
static void sixteen_flows(void **state)
{
    (void)state;
    struct sock_filter filters[16][4];
    struct ebpf_taps_flow flows[16];
    for (unsigned i = 0; i < 16; i++) { /* byte 20 + i is not zero */
        const struct sock_filter f[4] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 20 + i},
                                         {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0},
                                         {BPF_RET | BPF_K, 0, 0, 0},
                                         {BPF_RET | BPF_K, 0, 0, 262144}};
        memcpy(filters[i], f, sizeof(f));
        flows[i] = (struct ebpf_taps_flow){.filter = filters[i], .n_filter = 4, .counter = 15 - i};
    }
    unsigned n = make(&(struct ebpf_taps){.flows = flows, .n_flows = 16});
    uint64_t seed = 8, want[16] = {0};
    for (unsigned k = 0; k < 500; k++) {
        uint8_t frame[60] = {0};
        uint32_t bits = k % 5 ? dice(&seed, 1 << 16) : 0;
        for (unsigned i = 0; i < 16; i++) {
            frame[20 + i] = bits >> i & 1;
            want[i] += bits >> i & 1;
        }
        struct buffer b = plain(frame, 60);
        assert_int_equal(copied(&b, n), bits != 0);
    }
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(m.rows[15 - i].frames, want[i]);
        assert_int_equal(m.rows[15 - i].bytes, want[i] * 60);
    }
}

static void reasons(void **state)
{
    (void)state;
    static const struct {
        int64_t result;
        uint32_t len, gso;
        size_t column;
    } cases[] = {
        {-ENETDOWN, 60, 0, offsetof(struct ebpf_taps_count, failed_down)},
        {2, 60, 0, offsetof(struct ebpf_taps_count, failed_down)},
        {-EINVAL, 60, 0, offsetof(struct ebpf_taps_count, failed_gone)},
        {-ENODEV, 60, 0, offsetof(struct ebpf_taps_count, failed_gone)},
        {-EMSGSIZE, 60, 0, offsetof(struct ebpf_taps_count, failed_big)},
        {-ENOMEM, 2000, 0, offsetof(struct ebpf_taps_count, failed_other)},
        {1, 1514, 0, offsetof(struct ebpf_taps_count, failed_full)},
        {1, 1515, 0, offsetof(struct ebpf_taps_count, failed_big)},
        {1, 1515, 1400, offsetof(struct ebpf_taps_count, failed_full)},
    };
    static const uint8_t frame[2048];
    const struct ebpf_taps_flow flows[2] = {{.counter = 1}, {.counter = 2}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned n = make(&(struct ebpf_taps){.flows = flows, .n_flows = 2, .longest = 1514});
        struct buffer b = plain(frame, cases[i].len);
        b.skb.gso_size = cases[i].gso;
        b.skb.gso_segs = cases[i].gso ? 2 : 0;
        m.copy_result = cases[i].result;
        assert_true(copied(&b, n));
        for (unsigned row = 1; row <= 2; row++) {
            struct ebpf_taps_count want = {.frames = cases[i].gso ? 2 : 1};
            want.bytes = m.rows[row].bytes;
            memcpy((uint8_t *)&want + cases[i].column, &want.frames, sizeof(want.frames));
            assert_memory_equal(&m.rows[row], &want, sizeof(want));
        }
    }
    unsigned n = make(&(struct ebpf_taps){.flows = flows, .n_flows = 1});
    struct buffer b = plain(frame, 2000);
    m.copy_result = 1;
    assert_true(copied(&b, n));
    assert_int_equal(m.rows[1].failed_full, 1); /* how long it may be is not known */
}

/* A super-packet: its headers, the payload, and the kernel's fields. */
struct super {
    const char *headers; /* hexadecimal, from the ethertype on */
    uint32_t header_len; /* of each frame, without the tag beside */
    uint32_t left_out;   /* bytes of headers that no frame has */
    uint32_t payload, size;
    bool told;  /* the kernel knows the number of frames */
    bool guess; /* at ingress the last frame is taken for a full one */
};

static void super_packets(void **state)
{
    (void)state;
#define V4(proto) "08004500000000000000ff" proto "00000a0000010a000002"
#define V6(next)                                                                                   \
    "86dd600000000000" next "ff"                                                                   \
    "fd000000000000000000000000000001"                                                             \
    "fd000000000000000000000000000002"
#define TCP(offset) "005000510000000000000000" offset "10ffff00000000"
    static const struct super cases[] = {
        {V4("06") TCP("50"), 54, 0, 14000, 1400, true, false},
        {V4("06") TCP("50"), 54, 0, 14000, 1400, false, false},
        {V4("06") TCP("50"), 54, 0, 14001, 1400, false, false},
        {V4("06") TCP("80") "0101080a0000000000000000", 66, 0, 2801, 1400, true, false},
        {"0800460000000000000000060000"
         "0a0000010a000002"
         "01010101" TCP("50"),
         58, 0, 3000, 1448, false, false},
        {V6("06") TCP("50"), 74, 0, 65000, 1440, true, false},
        {V6("00") "0600c20400011170" TCP("50"), 74, 8, 100000, 1440, true, false},
        {"8100e064" V4("06") TCP("50"), 58, 0, 9000, 1400, true, false},
        {"88a80064"
         "81000065" V6("06") TCP("50"),
         82, 0, 9000, 1400, false, false},
        {V4("11") "0035003500080000", 42, 0, 5000, 1000, true, false},
        {V6("11") "0035003500080000", 62, 0, 5500, 1000, true, false},
        {V4("11") "003512b500080000"
                  "0800000000000500"
                  "0200000000010200000000020800"
                  "4500000000000000ff0600000a0000010a000002" TCP("50"),
         104, 0, 7000, 1400, true, true},
        {V4("2f") "00000800"
                  "4500000000000000ff0600000a0000010a000002" TCP("50"),
         78, 0, 4200, 1400, true, true},
    };
    static uint8_t frame[120000];
    const struct ebpf_taps_flow flow = {.counter = 0};
    for (unsigned i = 0; i < 4 * ARRAY_SIZE(cases); i++) {
        const struct super *s = &cases[i / 4];
        bool egress = i & 1, tag = i & 2;
        uint32_t headers = 12 + (uint32_t)strlen(s->headers) / 2;
        for (uint32_t k = 12; k < headers; k++) {
            unsigned byte = 0;
            assert_int_equal(sscanf(s->headers + (k - 12) * 2, "%2x", &byte), 1);
            frame[k] = (uint8_t)byte;
        }
        assert_int_equal(headers, s->header_len + s->left_out);
        uint32_t frames = (s->payload + s->size - 1) / s->size;
        struct buffer b = plain(frame, headers + s->payload);
        b.linear = 20;
        b.skb.gso_size = s->size;
        b.skb.gso_segs = s->told ? frames : 0;
        b.skb.vlan_present = tag;
        b.skb.wire_len = egress ? b.len + (frames - 1) * headers : 7;
        unsigned n = make(&(struct ebpf_taps){.egress = egress, .flows = &flow, .n_flows = 1});
        assert_true(copied(&b, n));
        assert_int_equal(m.rows[0].frames, frames);
        assert_int_equal(m.rows[0].bytes, s->payload + frames * (s->header_len + (tag ? 4 : 0)));
    }
}

/* Headers that make no sense, cut anywhere: at least one frame, at least all bytes that are there.
 */
static void nonsense(void **state)
{
    (void)state;
    uint64_t seed = 4;
    const struct ebpf_taps_flow flow = {.counter = 0};
    for (unsigned i = 0; i < 20000; i++) {
        static unsigned n;
        static const uint8_t starts[][2] = {{8, 0}, {0x86, 0xdd}, {0x81, 0}, {0x12, 0x34}};
        uint8_t frame[200];
        if (i % 1000 == 0) {
            n = make(&(struct ebpf_taps){.egress = i & 1000, .flows = &flow, .n_flows = 1});
        }
        memset(m.rows, 0, sizeof(m.rows));
        for (unsigned k = 0; k < sizeof(frame); k++) {
            frame[k] = (uint8_t)(dice(&seed, 3) ? dice(&seed, 256) : 6);
        }
        memcpy(frame + 12, starts[dice(&seed, 4)], 2);
        struct buffer b = plain(frame, 14 + dice(&seed, 186));
        b.linear = dice(&seed, b.len + 1);
        b.skb.gso_size = 1 + dice(&seed, 100);
        b.skb.gso_segs = dice(&seed, 2) ? dice(&seed, 20) : 0;
        b.skb.wire_len = b.len;
        assert_true(copied(&b, n));
        assert_true(m.rows[0].frames >= 1 && m.rows[0].frames <= 200);
        assert_true(m.rows[0].bytes + 8 >= b.len && m.rows[0].bytes < 200 * 200);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct vlan_set none;
    static struct sock_filter longest[4096];
    struct ebpf_taps_flow flows[17] = {{.counter = 0}};
    struct error err = {""};
    unsigned n = 0;
    struct ebpf_taps conf = {.mark = 1, .flows = flows};
    assert_int_equal(ebpf_taps_make(&conf, code, ROOM, &n, &err), -EINVAL);
    assert_string_equal(err.text, "a program has 1 to 16 flows, not 0");
    conf.n_flows = 17;
    assert_int_equal(ebpf_taps_make(&conf, code, ROOM, &n, &err), -EINVAL);
    conf.n_flows = 2;
    conf.mark = 0;
    assert_int_equal(ebpf_taps_make(&conf, code, ROOM, &n, &err), -EINVAL);
    assert_non_null(strstr(err.text, "a mark that is not 0"));
    conf.mark = 1;
    flows[1].vlans = &none;
    assert_int_equal(ebpf_taps_make(&conf, code, ROOM, &n, &err), -EINVAL);
    assert_string_equal(err.text, "flow 1 has a list of VLANs with no VLAN in it");
    flows[1].vlans = NULL;
    flows[1].filter = longest;
    assert_int_equal(ebpf_taps_make(&conf, code, ROOM, &n, &err), -EINVAL);
    assert_string_equal(err.text, "flow 1: a filter has 1 to 4096 instructions, not 0");

    for (unsigned i = 0; i < 4096; i++) { /* one that is all loads that are computed */
        longest[i] = i < 4095 ? (struct sock_filter){BPF_LD | BPF_W | BPF_IND, 0, 0, i % 1500}
                              : (struct sock_filter){BPF_RET | BPF_A, 0, 0, 0};
    }
    flows[1].n_filter = 4096;
    assert_int_equal(ebpf_taps_make(&conf, code, ROOM, &n, &err), -E2BIG);
    assert_non_null(strstr(err.text, "the filter of flow 1 is too long"));
    assert_int_equal(ebpf_taps_make(&conf, code, 1000, &n, &err), -E2BIG);
    assert_non_null(strstr(err.text, "of the first 2 flows together"));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_left_alone),
        cmocka_unit_test(vlans),
        cmocka_unit_test(sixteen_flows),
        cmocka_unit_test(reasons),
        cmocka_unit_test(super_packets),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
