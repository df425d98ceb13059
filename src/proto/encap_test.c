/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers before a frame in a tunnel, against bytes made by hand from the documents, and
 * against the walk that farspan itself does (proto/inner.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/encap.h"
#include "proto/inner.h"

struct example {
    struct encap tunnel;
    struct encap_frame frame;
    size_t len;
    uint8_t bytes[ENCAP_HEAD_MAX];
};

static const struct example examples[] = {
    /* RFC 7348, section 5: UDP with source port, port, length, no checksum; flags, VNI. */
    {{.kind = ENCAP_VXLAN, .id = 0x123456, .port = 4789},
     {.len = 60, .flow = 5},
     16,
     {0xc0, 5, 0x12, 0xb5, 0, 76, 0, 0, 8, 0, 0, 0, 0x12, 0x34, 0x56, 0}},
    {{.kind = ENCAP_VXLAN, .id = ENCAP_VNI_MAX, .port = 8472},
     {.len = 1500, .flow = 0xffff},
     16,
     {0xff, 0xff, 0x21, 0x18, 5, 0xec, 0, 0, 8, 0, 0, 0, 0xff, 0xff, 0xff, 0}},
    /* RFC 2784, section 2, and RFC 2890, section 2. */
    {{.kind = ENCAP_GRE}, {.len = 60}, 4, {0, 0, 0x65, 0x58}},
    {{.kind = ENCAP_GRE, .has_key = true, .id = 0x01020304},
     {.len = 60},
     8,
     {0x20, 0, 0x65, 0x58, 1, 2, 3, 4}},
    {{.kind = ENCAP_GRE, .has_key = true, .id = 0}, {.len = 60}, 8, {0x20, 0, 0x65, 0x58}},
    /* draft-foschiano-erspan-03, section 4.2: version 1, VLAN, class, En, T, session, index. */
    {{.kind = ENCAP_ERSPAN, .id = 12},
     {.len = 60, .seq = 7, .port = 0x12345},
     16,
     {0x10, 0, 0x88, 0xbe, 0, 0, 0, 7, 0x10, 0, 0, 12, 0, 1, 0x23, 0x45}},
    {{.kind = ENCAP_ERSPAN, .id = 1023},
     {.len = 60, .cut = true, .tagged = true, .tci = 0xa123, .port = 0xfff00001},
     16,
     {0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x11, 0x23, 0xbf, 0xff, 0, 0, 0, 1}},
    {{.kind = ENCAP_ERSPAN, .id = 1},
     {.len = 60, .tci = 0xffff},
     16,
     {0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 0}},
    /* Section 4.3: version 2, VLAN, class, BSO, T, session, timestamp, SGT, then P, FT, Hw ID, D,
     * Gra, O. */
    {{.kind = ENCAP_ERSPAN3, .id = 12},
     {.len = 60, .seq = 7, .port = 0x12345, .ts_ns = INT64_C(0x102030405) * 100 + 99},
     20,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 7, 0x20, 0, 0, 12, 2, 3, 4, 5, 0, 0, 0x80, 2}},
    {{.kind = ENCAP_ERSPAN3, .id = 1023},
     {.len = 60, .cut = true, .tagged = true, .tci = 0xa123, .out = true, .ts_ns = 429496729600},
     20,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 0, 0x21, 0x23, 0xa7, 0xff, 0, 0, 0, 0, 0, 0, 0x80, 10}},
};

static void bytes_are_those_of_the_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];
        uint8_t got[ENCAP_HEAD_MAX];
        encap_write(&e->tunnel, &e->frame, got);
        assert_int_equal(encap_len(&e->tunnel), e->len);
        assert_memory_equal(got, e->bytes, e->len);
    }
    assert_int_equal(encap_protocol(ENCAP_VXLAN), IPPROTO_UDP);
    assert_int_equal(encap_protocol(ENCAP_GRE), IPPROTO_GRE);
    assert_int_equal(encap_protocol(ENCAP_ERSPAN), IPPROTO_GRE);
    assert_int_equal(encap_protocol(ENCAP_ERSPAN3), IPPROTO_GRE);
}

/* A packet with that head, whose frame is found again. */
static void frames_are_found_in_it(void **state)
{
    (void)state;
    static const enum inner_tunnel kinds[] = {[ENCAP_VXLAN] = INNER_VXLAN,
                                              [ENCAP_GRE] = INNER_GRE,
                                              [ENCAP_ERSPAN] = INNER_ERSPAN,
                                              [ENCAP_ERSPAN3] = INNER_ERSPAN};
    enum { INNER = 60, OUTER = 34 };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct encap *t = &examples[i].tunnel;
        struct encap_frame f = examples[i].frame;
        uint8_t packet[OUTER + ENCAP_HEAD_MAX + INNER] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8};
        const size_t len = OUTER + encap_len(t) + INNER;
        struct inner_strip s;
        memcpy(packet + 14, "\x45\0\0\0\0\0\0\0\x40\0\0\0\x0a\0\0\1\x0a\0\0\2", 20);
        packet[17] = (uint8_t)(len - 14);
        packet[23] = encap_protocol(t->kind);
        f.len = INNER;
        encap_write(t, &f, packet + OUTER);
        memcpy(packet + len - INNER, "\2\0\0\0\0\4\2\0\0\0\0\3\x88\xb5", 14);
        assert_int_equal(inner_strip(packet, len, kinds[t->kind], &s), 0);
        assert_int_equal(s.off, len - INNER);
        assert_int_equal(s.end, len);
        assert_int_equal(s.ins_len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_documents),
        cmocka_unit_test(frames_are_found_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
