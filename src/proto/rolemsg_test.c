/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of roles: bytes written by hand from the header's lists are the judge of the codec,
 * and random messages come back as they went.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/rolemsg.h"

static void by_hand(void **state)
{
    (void)state;
    static const uint8_t want[] = {'f',  's',  'r',  '1',  2, /* WANT */
                                   0,    0,    0,    0,    0,    0,   1, 2, 0,    3,    0,
                                   9, /* generation, place, number */
                                   1,    2,    3,    4,    5,    6,   7, 8, 9,    10,   11,
                                   12,   13,   14,   15,   16, /* id */
                                   1,    2,    2,    1,        /* packet, out, cancelled, a point */
                                   0,    0,    0,    96,   0,    0,   0, 0, /* snaplen, period */
                                   0,    0,    0,    0,    0,    0,   0, 7, 0x7f, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, /* start, stop */
                                   0,    0,    0,    0,    0,    0,   4, 0, 0,    0,    0,
                                   0,    0,    0,    0,    5, /* bytes, frames */
                                   0,    4,    'e',  't',  'h',  '0', 0, 3, 'u',  'd',  'p'};
    struct rolemsg m = {.type = ROLEMSG_HELLO};
    uint8_t out[WANTED_MESSAGE_MAX];
    assert_int_equal(rolemsg_get(want, sizeof(want), &m), 0);
    assert_int_equal(m.type, ROLEMSG_WANT);
    assert_int_equal(m.generation, 258);
    assert_int_equal(m.place, 3);
    assert_int_equal(m.n, 9);
    const struct wanted *v = &m.wanted;
    assert_int_equal(v->kind, WANTED_PACKET);
    assert_int_equal(v->dir, 2);
    assert_true(v->cancelled && !v->has_vlans);
    assert_int_equal(v->snaplen, 96);
    assert_int_equal(v->start_ns, 7);
    assert_true(v->stop_ns == INT64_MAX);
    assert_int_equal(v->most_bytes, 1024);
    assert_int_equal(v->most_frames, 5);
    assert_string_equal(v->point[0], "eth0");
    assert_string_equal(v->filter, "udp");
    assert_int_equal(rolemsg_put(out, sizeof(out), &m), sizeof(want));
    assert_memory_equal(out, want, sizeof(want));
    for (size_t n = 0; n < sizeof(want); n++) {
        assert_int_equal(rolemsg_get(want, n, &m), -EBADMSG);
        assert_int_equal(rolemsg_put(out, n, &m), -EMSGSIZE);
    }
}

static void others_by_hand(void **state)
{
    (void)state;
    static const uint8_t hello[] = {'f', 's', 'r', '1', 1, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3};
    static const uint8_t is[] = {
        'f', 's', 'r', '1', 5,                                            /* IS */
        0,   1,   2,   3,   4, 5,   6,   7, 8, 9, 10, 11, 12, 13, 14, 15, /* id */
        4,   3,   1,   0,   2, 'o', 'k', /* done, limit-frames, a point, words */
        0,   0,   0,   0,   0, 0,   0,   9, 0, 0, 0,  0,  0,  0,  0,  7, /* published, found */
        0,   0,   0,   0,   0, 0,   0,   8, 0, 0, 0,  0,  0,  0,  0,  4, /* offered, unwanted */
        0,   0,   0,   0,   0, 0,   0,   3, 0, 0, 0,  0,  0,  0,  0,  1, /* written, dropped */
        0,   0,   0,   0,   0, 0,   0,   5, 0, 0, 0,  0,  0,  0,  1,  0};
    static const uint8_t port[] = {'f', 's', 'r', '1', 6, 0, 0,    0,   7, /* PORT, round */
                                   0,   2,   'l', 'o', 0, 0, 0,    1,   0, 0, 5, 220, 1, /* up */
                                   2,   0,   0,   0,   0, 3,                             /* mac */
                                   0,   0,   0,   0,   0, 0, 0x27, 0x10};
    struct rolemsg m = {.type = ROLEMSG_WANT};
    uint8_t out[WANTED_MESSAGE_MAX];
    assert_int_equal(rolemsg_get(hello, sizeof(hello), &m), 0);
    assert_true(m.type == ROLEMSG_HELLO && m.version == ROLEMSG_VERSION && m.life == 515);
    assert_int_equal(rolemsg_put(out, sizeof(out), &m), sizeof(hello));
    assert_memory_equal(out, hello, sizeof(hello));
    assert_int_equal(rolemsg_get(is, sizeof(is), &m), 0);
    assert_true(m.type == ROLEMSG_IS && m.is.state == WANTED_DONE && m.is.id[15] == 15);
    assert_int_equal(m.is.reason, WANTED_LIMIT_FRAMES);
    assert_string_equal(m.is.words, "ok");
    assert_true(m.is.published == 9 && m.is.found == 7 && m.is.offered == 8 && m.is.unwanted == 4);
    assert_true(m.is.written == 3 && m.is.dropped == 1 && m.is.n_points == 1);
    assert_true(m.is.point[0].from_ns == 5 && m.is.point[0].until_ns == 256);
    assert_int_equal(rolemsg_put(out, sizeof(out), &m), sizeof(is));
    assert_memory_equal(out, is, sizeof(is));
    assert_int_equal(rolemsg_get(port, sizeof(port), &m), 0);
    assert_true(m.type == ROLEMSG_PORT && m.round == 7 && m.port.ifindex == 1);
    assert_string_equal(m.port.name, "lo");
    assert_true(m.port.mtu == 1500 && m.port.up && !m.port.carrier);
    assert_true(m.port.mac[0] == 2 && m.port.mac[5] == 3 && m.port.speed_bps == 10000);
    assert_int_equal(rolemsg_put(out, sizeof(out), &m), sizeof(port));
    assert_memory_equal(out, port, sizeof(port));
}

/* The message that these bytes are, each of which counts; the same bytes come of it again. */
static void read_by_hand(const uint8_t *bytes, size_t len, struct rolemsg *ret)
{
    uint8_t out[WANTED_MESSAGE_MAX];
    assert_int_equal(rolemsg_get(bytes, len, ret), 0);
    assert_int_equal(rolemsg_put(out, sizeof(out), ret), len);
    assert_memory_equal(out, bytes, len);
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(rolemsg_get(bytes, n, ret), -EBADMSG);
        assert_int_equal(rolemsg_put(out, n, ret), -EMSGSIZE);
    }
    memcpy(out, bytes, len);
    out[len] = 0; /* one too many */
    assert_int_equal(rolemsg_get(out, len + 1, ret), -EBADMSG);
}

static void flows_by_hand(void **state)
{
    (void)state;
    static const uint8_t tap[] = {
        'f', 's', 'r', '1', 9,                                                  /* TAP */
        0,   1,   2,   3,   4,   5,   6, 7, 8,   9,   10,  11,  12, 13, 14, 15, /* id */
        16,  1,   2,   3,   4,   5,   6, 7, 8,   9,   10,  11,  12, 13, 14, 31, /* service */
        2,   2,                                                                 /* out, super */
        0,   4,   'w', 'e', 'b', '0', 0, 4, 'm', 'o', 'n', '0',                 /* from, to */
        0,   3,   'u', 'd', 'p'};
    static const uint8_t is[] = {
        'f', 's', 'r', '1', 13,                                           /* TAP_IS */
        0,   1,   2,   3,   4,   5,   6, 7, 8, 9, 10, 11, 12, 13, 14, 15, /* id */
        3,   1,   0,   2,   'n', 'o',                                     /* failed, kernel */
        0,   0,   0,   0,   0,   0,   0, 9,                               /* life */
        0,   0,   0,   0,   0,   0,   1, 2, 0, 0, 0,  0,  0,  0,  3,  4,  /* frames, bytes */
        0,   0,   0,   0,   0,   0,   0, 5};
    struct rolemsg m = {.type = ROLEMSG_HELLO};
    read_by_hand(tap, sizeof(tap), &m);
    assert_int_equal(rolemsg_get(tap, sizeof(tap), &m), 0);
    assert_true(m.type == ROLEMSG_TAP && m.tap.id[15] == 15 && m.tap.service[0] == 16);
    assert_true(m.tap.dir == 2 && m.tap.super && !m.tap.has_vlans);
    assert_string_equal(m.tap.source, "web0");
    assert_string_equal(m.tap.destination, "mon0");
    assert_string_equal(m.tap.filter, "udp");
    read_by_hand(is, sizeof(is), &m);
    assert_int_equal(rolemsg_get(is, sizeof(is), &m), 0);
    assert_true(m.type == ROLEMSG_TAP_IS && m.tap_is.id[1] == 1);
    assert_true(m.tap_is.state == TAP_IS_FAILED && m.tap_is.way == TAP_WAY_KERNEL);
    assert_string_equal(m.tap_is.words, "no");
    assert_int_equal(m.tap_is.life, 9);
    assert_true(m.tap_is.frames == 258 && m.tap_is.bytes == 772 && m.tap_is.dropped == 5);
}

/* The VLANs' words stand between the destination and the filter, lowest ids first. */
static void a_flow_with_vlans_by_hand(void **state)
{
    (void)state;
    uint8_t tap[5 + 34 + 3 + 3 + 512 + 2] = {'f', 's', 'r', '1', 9};
    struct rolemsg m = {.type = ROLEMSG_HELLO};
    tap[38] = 1; /* VLANs */
    memcpy(tap + 39, "\0\1a\0\1b", 6);
    tap[45 + 7] = 3;        /* 0 and 1 */
    tap[45 + 8 + 7] = 0x10; /* 68 */
    tap[45 + 504] = 0x80;   /* 4095 */
    read_by_hand(tap, sizeof(tap), &m);
    assert_int_equal(rolemsg_get(tap, sizeof(tap), &m), 0);
    for (unsigned id = 0; id < 4096; id++) {
        assert_int_equal(vlan_set_has(&m.tap.vlans, id), id < 2 || id == 68 || id == 4095);
    }
}

static void sets_of_flows_by_hand(void **state)
{
    (void)state;
    static const uint8_t untap[] = {'f', 's', 'r', '1', 10, 0,  1,  2,  3,  4, 5,
                                    6,   7,   8,   9,   10, 11, 12, 13, 14, 15};
    static const uint8_t taps[] = {'f', 's', 'r', '1', 11, 0, 0,    0,   0,
                                   0,   0,   1,   2,   0,  0, 0x27, 0x10};
    static const uint8_t tapped[] = {'f', 's', 'r', '1', 12, 0, 0, 0, 0, 0, 0, 2, 1};
    uint8_t more[sizeof(taps)];
    struct rolemsg m = {.type = ROLEMSG_HELLO};
    read_by_hand(untap, sizeof(untap), &m);
    assert_int_equal(rolemsg_get(untap, sizeof(untap), &m), 0);
    assert_true(m.type == ROLEMSG_UNTAP && m.id[15] == 15);
    read_by_hand(taps, sizeof(taps), &m);
    assert_int_equal(rolemsg_get(taps, sizeof(taps), &m), 0);
    assert_true(m.type == ROLEMSG_TAPS && m.generation == 258 && m.taps == TAPWANT_MAX);
    memcpy(more, taps, sizeof(more));
    more[16]++; /* more than there may be */
    assert_int_equal(rolemsg_get(more, sizeof(more), &m), -EBADMSG);
    memset(more + 13, 0xff, 4);
    assert_int_equal(rolemsg_get(more, sizeof(more), &m), -EBADMSG);
    read_by_hand(tapped, sizeof(tapped), &m);
    assert_int_equal(rolemsg_get(tapped, sizeof(tapped), &m), 0);
    assert_true(m.type == ROLEMSG_TAPPED && m.generation == 513);
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void fill_text(uint64_t *seed, char *to, size_t most)
{
    const size_t len = 1 + next(seed) % most;
    for (size_t i = 0; i < len; i++) {
        to[i] = (char)('!' + next(seed) % 90);
    }
    to[len] = '\0';
}

static void fill_wanted(uint64_t *seed, struct wanted *v)
{
    v->kind = (enum wanted_kind)(1 + next(seed) % 3);
    v->n_points = (uint8_t)(1 + next(seed) % WANTED_POINTS);
    for (unsigned i = 0; i < v->n_points; i++) {
        fill_text(seed, v->point[i], WANTED_NAME - 1);
    }
    v->dir = (uint8_t)(next(seed) % 3);
    v->has_vlans = next(seed) % 2;
    for (size_t i = 0; v->has_vlans && i < ARRAY_SIZE(v->vlans.bits); i++) {
        v->vlans.bits[i] = next(seed);
    }
    v->snaplen = (uint32_t)next(seed);
    v->period_ms = 10 + (uint32_t)(next(seed) % 3599991);
    v->start_ns = (int64_t)(next(seed) >> 1);
    v->stop_ns = (int64_t)(next(seed) >> 1);
    v->most_bytes = next(seed);
    v->most_frames = next(seed);
    v->cancelled = next(seed) % 2;
    if (next(seed) % 2) {
        fill_text(seed, v->filter, WANTED_FILTER - 1);
    }
}

static void fill_is(uint64_t *seed, struct wanted_is *v)
{
    v->state = (enum wanted_state)(1 + next(seed) % 5);
    v->reason = (enum wanted_reason)(next(seed) % WANTED_REASONS);
    v->n_points = (uint8_t)(next(seed) % (WANTED_POINTS + 1));
    v->published = next(seed);
    v->found = next(seed);
    v->offered = next(seed);
    v->unwanted = next(seed);
    v->written = next(seed);
    v->dropped = next(seed);
    for (unsigned i = 0; i < v->n_points; i++) {
        v->point[i].from_ns = (int64_t)(next(seed) >> 2);
        v->point[i].until_ns = v->point[i].from_ns + (int64_t)(next(seed) >> 2);
    }
    if (next(seed) % 2) {
        fill_text(seed, v->words, WANTED_WORDS - 1);
    }
}

static void fill_tap(uint64_t *seed, struct tap_want *v)
{
    v->id[3] = (uint8_t)next(seed);
    v->service[7] = (uint8_t)next(seed);
    fill_text(seed, v->source, WANTED_NAME - 1);
    fill_text(seed, v->destination, WANTED_NAME - 1);
    v->dir = (uint8_t)(next(seed) % 3);
    v->super = next(seed) % 2;
    v->has_vlans = next(seed) % 2;
    for (size_t i = 0; v->has_vlans && i < ARRAY_SIZE(v->vlans.bits); i++) {
        v->vlans.bits[i] = next(seed);
    }
    if (next(seed) % 2) {
        fill_text(seed, v->filter, WANTED_FILTER - 1);
    }
}

static void fill_tap_is(uint64_t *seed, struct tap_is *v)
{
    v->id[3] = (uint8_t)next(seed);
    v->state = (enum tap_state)(1 + next(seed) % 3);
    v->way = (enum tap_way)(next(seed) % 3);
    v->frames = next(seed);
    v->bytes = next(seed);
    v->dropped = next(seed);
    if (next(seed) % 2) {
        fill_text(seed, v->words, WANTED_WORDS - 1);
    }
}

/* A message about tap flows, but UNTAP. */
static void fill_flows(uint64_t *seed, struct rolemsg *m)
{
    if (m->type == ROLEMSG_TAP) {
        fill_tap(seed, &m->tap);
    } else if (m->type == ROLEMSG_TAP_IS) {
        fill_tap_is(seed, &m->tap_is);
    } else {
        m->generation = next(seed);
        m->taps = m->type == ROLEMSG_TAPS ? (uint32_t)(next(seed) % (TAPWANT_MAX + 1)) : 0;
    }
}

/* Every type, thousands of each; all of a structure that its type does not carry stays zero. */
static void what_goes_comes_back(void **state)
{
    (void)state;
    static struct rolemsg m, again;
    static uint8_t out[WANTED_MESSAGE_MAX];
    uint64_t seed = 88172645463325252u;
    for (unsigned k = 0; k < 13000; k++) {
        memset(&m, 0, sizeof(m));
        m.type = (enum rolemsg_type)(1 + k % 13);
        if (m.type == ROLEMSG_HELLO) {
            m.version = (uint16_t)next(&seed);
            m.life = next(&seed);
        } else if (m.type == ROLEMSG_WANT) {
            m.generation = next(&seed);
            m.n = (uint16_t)(next(&seed) % (WANTED_MAX + 1));
            m.place = (uint16_t)(m.n ? next(&seed) % m.n : 0);
            if (m.n) {
                fill_wanted(&seed, &m.wanted);
            }
        } else if (m.type == ROLEMSG_APPLIED) {
            m.generation = next(&seed);
        } else if (m.type == ROLEMSG_IS) {
            fill_is(&seed, &m.is);
        } else if (m.type == ROLEMSG_PORT) {
            m.round = (uint32_t)next(&seed);
            fill_text(&seed, m.port.name, WANTED_NAME - 1);
            m.port.mtu = (uint32_t)next(&seed);
            m.port.up = next(&seed) % 2;
            m.port.carrier = next(&seed) % 2;
            m.port.mac[3] = (uint8_t)next(&seed);
            m.port.speed_bps = next(&seed);
        } else if (m.type == ROLEMSG_PORTS) {
            m.round = (uint32_t)next(&seed);
            m.ports = (uint32_t)next(&seed);
        } else if (m.type >= ROLEMSG_TAP && m.type != ROLEMSG_UNTAP) {
            fill_flows(&seed, &m);
        } else {
            m.id[5] = (uint8_t)next(&seed);
            m.code = m.type == ROLEMSG_SNAPPED ? (uint32_t)next(&seed) : 0;
        }
        const int n = rolemsg_put(out, sizeof(out), &m);
        assert_true(n > 0);
        assert_int_equal(rolemsg_get(out, (size_t)n, &again), 0);
        assert_memory_equal(&again, &m, sizeof(m));
        assert_int_equal(rolemsg_get(out, (size_t)n - 1, &again), -EBADMSG);
    }
}

/* A message, one byte of which is another: what must be refused there. */
static void what_is_out_of_bounds_is_refused(void **state)
{
    (void)state;
    static struct rolemsg m = {.type = ROLEMSG_WANT,
                               .generation = 1,
                               .place = 0,
                               .n = 1,
                               .wanted = {.kind = WANTED_ETHERNET,
                                          .n_points = 1,
                                          .point = {"eth0"},
                                          .period_ms = 1000,
                                          .stop_ns = 5}};
    static const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {
        {0, 'F'},   /* magic */
        {4, 0},     /* type */
        {4, 14},    /* type */
        {13, 255},  /* place beyond the number */
        {15, 255},  /* number beyond WANTED_MAX */
        {33, 0},    /* kind */
        {33, 4},    /* kind */
        {34, 3},    /* direction */
        {35, 4},    /* flag */
        {36, 0},    /* no point */
        {36, 17},   /* too many */
        {43, 0},    /* a period of 232 ms in place of 1000 is fine; see below */
        {45, 0x80}, /* a start before 1970 */
        {53, 0x80}, /* a stop before 1970 */
        {80, '\n'}, /* a name that is not clean */
        {80, 0},    /* a name with a 0 in it */
    };
    uint8_t out[WANTED_MESSAGE_MAX], bad[WANTED_MESSAGE_MAX];
    struct rolemsg again;
    const int n = rolemsg_put(out, sizeof(out), &m);
    assert_true(n > 0);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        memcpy(bad, out, (size_t)n);
        bad[wrong[i].at] = wrong[i].byte;
        const int r = rolemsg_get(bad, (size_t)n, &again);
        if (wrong[i].at == 43) {
            assert_int_equal(r, 0);
        } else {
            assert_int_equal(r, -EBADMSG);
        }
    }
    m.wanted.period_ms = 9;
    assert_int_equal(rolemsg_get(out, (size_t)rolemsg_put(out, sizeof(out), &m), &again), -EBADMSG);
}

/* Flows, a byte or two of which are others, of a form that means nothing. */
static void flows_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const struct rolemsg good[] = {
        {.type = ROLEMSG_TAP, .tap = {.source = "web0", .destination = "mon0", .filter = "udp"}},
        {.type = ROLEMSG_TAP_IS, .tap_is = {.state = TAP_IS_FLOWING, .words = "words"}}};
    static const struct {
        unsigned of;
        size_t at;
        uint8_t byte;
    } wrong[] = {
        {0, 37, 3},    /* direction */
        {0, 37, 255},  /* direction */
        {0, 38, 1},    /* VLANs that are not there */
        {0, 38, 4},    /* flag */
        {0, 38, 128},  /* flag */
        {0, 39, 1},    /* a source of 260 bytes */
        {0, 40, 64},   /* … of 64 */
        {0, 40, 5},    /* … which takes a byte of the next length */
        {0, 41, 0},    /* a name with a 0 in it */
        {0, 42, '\n'}, /* a name that is not clean */
        {0, 43, 0x7f}, /* a name that is not clean */
        {0, 44, 0xc3}, /* half a letter */
        {0, 47, '\r'}, /* a destination that is not clean */
        {0, 52, 2},    /* a filter that ends before the message */
        {0, 52, 4},    /* … and behind it */
        {0, 51, 16},   /* … longer than any */
        {0, 53, 0x1b}, /* a filter that is not clean */
        {1, 21, 0},    /* state */
        {1, 21, 4},    /* state */
        {1, 22, 3},    /* way */
        {1, 24, 4},    /* words that end before the message */
        {1, 23, 1},    /* … longer than any */
        {1, 25, 7},    /* words that are not clean */
    };
    uint8_t bad[WANTED_MESSAGE_MAX];
    struct rolemsg again;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const int n = rolemsg_put(bad, sizeof(bad), &good[wrong[i].of]);
        assert_true(n > 0 && (size_t)n > wrong[i].at);
        assert_int_equal(rolemsg_get(bad, (size_t)n, &again), 0);
        bad[wrong[i].at] = wrong[i].byte;
        if (rolemsg_get(bad, (size_t)n, &again) != -EBADMSG) {
            fail_msg("a byte %u at %zu", wrong[i].byte, wrong[i].at);
        }
    }
    /* Flows from nowhere, and to nowhere. */
    static const struct rolemsg nowhere[] = {{.type = ROLEMSG_TAP, .tap = {.source = "web0"}},
                                             {.type = ROLEMSG_TAP, .tap = {.destination = "mon0"}}};
    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
        const int n = rolemsg_put(bad, sizeof(bad), &nowhere[i]);
        assert_int_equal(rolemsg_get(bad, (size_t)n, &again), -EBADMSG);
    }
}

static void the_longest_fits(void **state)
{
    (void)state;
    static struct rolemsg m, again;
    static uint8_t out[WANTED_MESSAGE_MAX];
    m = (struct rolemsg){.type = ROLEMSG_WANT, .n = 1, .wanted.kind = WANTED_PACKET};
    m.wanted.n_points = WANTED_POINTS;
    m.wanted.has_vlans = true;
    for (unsigned i = 0; i < WANTED_POINTS; i++) {
        memset(m.wanted.point[i], 'x', WANTED_NAME - 1);
    }
    memset(m.wanted.filter, 'y', WANTED_FILTER - 1);
    int n = rolemsg_put(out, sizeof(out), &m);
    assert_true(n > 0);
    assert_int_equal(rolemsg_get(out, (size_t)n, &again), 0);
    assert_memory_equal(&again, &m, sizeof(m));
    m = (struct rolemsg){.type = ROLEMSG_TAP, .tap.has_vlans = true};
    memset(m.tap.source, 'x', WANTED_NAME - 1);
    memset(m.tap.destination, 'y', WANTED_NAME - 1);
    memset(m.tap.filter, 'z', WANTED_FILTER - 1);
    n = rolemsg_put(out, sizeof(out), &m);
    assert_true(n > 0);
    assert_int_equal(rolemsg_get(out, (size_t)n, &again), 0);
    assert_memory_equal(&again, &m, sizeof(m));
}

/* Seeds for the fuzz target, where a folder is named for them. */
static void seeds(void **state)
{
    (void)state;
    const char *folder = getenv("FARSPAN_SEEDS");
    static uint8_t out[WANTED_MESSAGE_MAX];
    for (unsigned t = 1; folder && t <= 13; t++) {
        struct rolemsg m = {.type = (enum rolemsg_type)t, .version = 1, .n = 1};
        char path[512];
        m.wanted = (struct wanted){
            .kind = WANTED_PACKET, .n_points = 1, .point = {"eth0"}, .filter = "udp port 53"};
        m.is = (struct wanted_is){.state = WANTED_RUNS, .n_points = 1};
        m.port = (struct wanted_port){.name = "eth0", .mtu = 1500};
        m.tap = (struct tap_want){
            .source = "web0", .destination = "mon0", .has_vlans = true, .filter = "udp port 53"};
        m.tap_is = (struct tap_is){.state = TAP_IS_FAILED, .words = "the interface is down"};
        const int n = rolemsg_put(out, sizeof(out), &m);
        (void)snprintf(path, sizeof(path), "%s/%u", folder, t);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(out, 1, (size_t)n, f), (size_t)n);
        assert_int_equal(fclose(f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(others_by_hand),
        cmocka_unit_test(flows_by_hand),
        cmocka_unit_test(a_flow_with_vlans_by_hand),
        cmocka_unit_test(sets_of_flows_by_hand),
        cmocka_unit_test(what_goes_comes_back),
        cmocka_unit_test(what_is_out_of_bounds_is_refused),
        cmocka_unit_test(flows_out_of_bounds_are_refused),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
