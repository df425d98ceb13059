/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that ipfix.h writes, read again, and the parts of messages made by hand from RFC 7011:
 * templates, sets, lengths, ends. ipfix_read_values_test.c has the values of records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/ledger.h"
#include "proto/flowrec_testing.h"
#include "proto/ipfix_options.h"
#include "proto/ipfix_read_testing.h"

enum {
    RECORDS = 400,
    ALL = IPFIX_TUNNEL | IPFIX_BIFLOW | IPFIX_NS,
    SMALL = 12, /* bytes of the record of SMALL_FIELDS */
};

/* A template of IPv4 flows with little in it, and its records, which have that port. */
#define SMALL_FIELDS PAIR(8, 4), PAIR(12, 4), PAIR(2, 1), PAIR(4, 1), PAIR(7, 2)
#define SMALL_TEMPLATE(id) PAIR(id, 5), SMALL_FIELDS
#define SMALL_RECORD(port) 10, 0, 0, 1, 10, 0, 0, 2, 1, 17, U16(port)

static struct draft draft;
static struct seen seen;

static int reset(void **state)
{
    (void)state;
    draft.len = 0;
    draft_message(&draft, TESTING_DOMAIN);
    return 0;
}

/* The records are those of these ports, in that order. */
static void assert_ports(const uint16_t *port, unsigned n, int err)
{
    assert_int_equal(seen_draft(&seen, &draft), err);
    assert_int_equal(seen.n, n);
    assert_int_equal(seen.counts.records, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(seen.r[i].port[0], port[i]);
        assert_int_equal(seen.r[i].packets, 1);
    }
}

#define ASSERT_PORTS(err, ...)                                                                     \
    assert_ports((const uint16_t[]){__VA_ARGS__}, ARRAY_SIZE(((const uint16_t[]){__VA_ARGS__})),   \
                 err)

/* ---- written and read again ---- */

static uint64_t dice(uint64_t *state)
{
    uint64_t v = *state += UINT64_C(0x9e3779b97f4a7c15);
    v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
    return v ^ v >> 31;
}

static void fill(uint64_t *state, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (uint8_t)dice(state);
    }
}

/* Of any size from 1 up to the largest, and often the largest. */
static uint64_t count(uint64_t *state)
{
    const uint64_t bits = dice(state) % 61;
    return dice(state) % 16 == 0 ? LEDGER_MOST : 1 + (dice(state) & ((UINT64_C(1) << bits) - 1));
}

static void times(uint64_t *state, int64_t *first, int64_t *last)
{
    const uint64_t end = UINT64_C(4294967295) * 1000000000; /* NTP's form has no more */
    *first = (int64_t)(dice(state) % end);
    *last = *first + (int64_t)(dice(state) % (end - (uint64_t)*first));
    *last = dice(state) % 4 == 0 ? *first : *last;
}

static void any_reverse(uint64_t *state, struct flowrec *r)
{
    r->biflow = (enum flowrec_biflow)(dice(state) % 3);
    if (r->biflow == FLOWREC_INITIATOR && dice(state) % 4) {
        r->reverse.packets = count(state);
        r->reverse.bytes = count(state);
        times(state, &r->reverse.first_ns, &r->reverse.last_ns);
        r->reverse.tos = (uint8_t)dice(state);
        r->reverse.tcp_flags = (uint8_t)dice(state);
    }
}

static struct flowrec any_record(uint64_t *state)
{
    static const uint8_t protos[] = {1, 6, 17, 58, 132};
    struct flowrec r = {.version = dice(state) % 2 ? 4 : 6};
    times(state, &r.first_ns, &r.last_ns);
    r.packets = count(state);
    r.bytes = count(state);
    for (unsigned i = 0; i < 2; i++) {
        fill(state, r.addr[i], r.version == 4 ? 4 : 16);
        fill(state, r.outer[i], 16);
        r.port[i] = (uint16_t)dice(state);
    }
    r.vlans = (uint8_t)(dice(state) % (FLOWREC_VLANS + 1));
    for (unsigned i = 0; i < r.vlans; i++) {
        r.vlan[i] = dice(state) % 4 ? dice(state) & 0x0fff : 0;
    }
    r.proto = protos[dice(state) % ARRAY_SIZE(protos)];
    r.tos = (uint8_t)dice(state);
    r.tcp_flags = (uint8_t)dice(state);
    r.end_reason = (uint8_t)dice(state);
    any_reverse(state, &r);
    r.tunnel = (enum tunnel_kind)(dice(state) % TUNNEL_KINDS);
    r.tunnel_id = (uint32_t)dice(state);
    r.outer_version = 4;
    r.has_mac = dice(state) % 2;
    fill(state, r.mac[0], r.has_mac ? sizeof(r.mac) : 0);
    r.has_label = dice(state) % 2;
    r.label = r.has_label && dice(state) % 4 ? dice(state) & 0xffffff : 0;
    r.interface = (uint32_t)dice(state);
    r.point = "eth0";
    return r;
}

static void write_all(const struct flowrec *list, unsigned n, unsigned with)
{
    static struct ipfix m;
    draft.len = 0;
    ipfix_init_with(&m, TESTING_DOMAIN, with);
    assert_true(ipfix_templates(&m));
    for (unsigned i = 0; i < n; i++) {
        if (!ipfix_add(&m, &list[i])) {
            draft_written(&draft, &m);
            assert_true(ipfix_add(&m, &list[i]));
        }
    }
    draft_written(&draft, &m);
}

static void written_records_are_the_same_again(void **state)
{
    (void)state;
    static struct flowrec list[RECORDS];
    uint64_t seed = 20260101;
    list[0] = (struct flowrec){TESTING_WEB};
    list[1] = (struct flowrec){TESTING_WEB_TAGGED};
    for (unsigned with = 0; with <= ALL; with++) {
        for (unsigned i = 2; i < RECORDS; i++) {
            list[i] = any_record(&seed);
        }
        write_all(list, RECORDS, with);
        assert_int_equal(seen_draft(&seen, &draft), 0);
        assert_int_equal(seen.n, RECORDS);
        assert_true(seen.counts.messages > 20);
        assert_int_equal(seen.counts.records, RECORDS);
        assert_int_equal(seen.counts.skipped, 0);
        for (unsigned i = 0; i < RECORDS; i++) {
            const struct flowrec want = testing_read_back(&list[i], with);
            assert_true(same_record(&seen.r[i], &want));
        }
    }
}

/* Names and totals are options of another domain, where numbers of templates may be the same. */
static void written_options_are_skipped(void **state)
{
    (void)state;
    static struct ipfix flows, options;
    const struct flowrec web = {TESTING_WEB_TAGGED};
    draft.len = 0;
    ipfix_init(&flows, TESTING_DOMAIN);
    ipfix_init(&options, 0);
    assert_true(ipfix_templates(&flows));
    assert_true(ipfix_name(&options, 9, "eth0"));
    assert_true(ipfix_name(&options, 10, ""));
    assert_true(ipfix_totals(&options, TESTING_DOMAIN, &(struct ipfix_totals){.messages = 3}));
    assert_true(ipfix_add(&flows, &web));
    draft_written(&draft, &flows);
    draft_written(&draft, &options);
    assert_true(ipfix_add(&flows, &web));
    draft_written(&draft, &flows);
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.counts.messages, 3);
    assert_int_equal(seen.counts.records, 2);
    assert_int_equal(seen.counts.skipped, 2 + 3);
}

/* ---- templates ---- */

static void fields_of_variable_length_are_skipped(void **state)
{
    (void)state;
    uint8_t body[4 + 3 + 300 + 9 + SMALL] = {'a', 'b', 'c'};
    struct wr w = wr_make(body, sizeof(body));
    SET(&draft, 2, PAIR(300, 7), PAIR(82, 65535), SMALL_FIELDS, PAIR(96, 65535));
    SET(&draft, 300, 3, 'a', 'b', 'c', SMALL_RECORD(1), 0, 0, SMALL_RECORD(2), 1, 'x');
    wr_u8(&w, 255); /* the longer form, with many bytes, … */
    wr_u16(&w, 300);
    wr_zero(&w, 300);
    wr_copy(&w, (const uint8_t[]){SMALL_RECORD(3)}, SMALL);
    wr_copy(&w, (const uint8_t[]){255, 0, 2, 'y', 'z'}, 5); /* … and with fewer than need it */
    draft_set(&draft, 300, body, wr_len(&w));
    ASSERT_PORTS(0, 1, 2, 3);
    SET(&draft, 300, 0, SMALL_RECORD(4), 0, 0, SMALL_RECORD(5), 3, 'x', 'y'); /* beyond the set */
    ASSERT_PORTS(-EBADMSG, 1, 2, 3, 4);
}

static void fields_of_enterprises_are_others(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 8), OF(7, 2, 6871), SMALL_FIELDS, OF(2, 4, 0), BACK(4, 1));
    SET(&draft, 300, 99, 99, SMALL_RECORD(1), 0, 0, 0, 9, 6);
    ASSERT_PORTS(0, 1);
    assert_int_equal(seen.r[0].proto, 17);
    assert_int_equal(seen.r[0].biflow, FLOWREC_ONE_WAY);
}

static void options_are_skipped_to_the_byte(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    SET(&draft, 3, PAIR(301, 6), U16(1), SMALL_FIELDS, PAIR(82, 65535), PAIR(302, 1), U16(1),
        PAIR(149, 4), 0, 0); /* with padding */
    SET(&draft, 301, SMALL_RECORD(9), 2, 'l', 'o', SMALL_RECORD(8), 0);
    SET(&draft, 302, 0, 0, 0, 7, 0, 0, 0, 8);
    SET(&draft, 300, SMALL_RECORD(1));
    ASSERT_PORTS(0, 1);
    assert_int_equal(seen.counts.skipped, 4);
}

static void a_template_may_be_defined_anew(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    SET(&draft, 300, SMALL_RECORD(1));
    SET(&draft, 2, PAIR(300, 6), PAIR(210, 3), SMALL_FIELDS);
    SET(&draft, 300, 0, 0, 0, SMALL_RECORD(2));
    SET(&draft, 3, PAIR(300, 5), U16(1), SMALL_FIELDS);
    SET(&draft, 300, SMALL_RECORD(3));
    ASSERT_PORTS(0, 1, 2);
    assert_int_equal(seen.counts.skipped, 1);
}

static void a_template_is_of_its_domain(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    draft_message(&draft, 8);
    SET(&draft, 2, PAIR(300, 6), PAIR(210, 3), SMALL_FIELDS);
    SET(&draft, 300, 0, 0, 0, SMALL_RECORD(2));
    draft_message(&draft, TESTING_DOMAIN);
    SET(&draft, 300, SMALL_RECORD(1));
    ASSERT_PORTS(0, 2, 1);
    draft_message(&draft, 9);
    SET(&draft, 300, SMALL_RECORD(3));
    ASSERT_PORTS(-EBADMSG, 2, 1);
}

static void a_template_may_be_withdrawn(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300), SMALL_TEMPLATE(301));
    SET(&draft, 2, PAIR(300, 0), PAIR(999, 0)); /* one of them is not known */
    draft_message(&draft, 8);
    SET(&draft, 2, PAIR(301, 0), PAIR(2, 0)); /* of another domain */
    draft_message(&draft, TESTING_DOMAIN);
    SET(&draft, 301, SMALL_RECORD(1));
    ASSERT_PORTS(0, 1);
    const size_t len = draft.len;
    SET(&draft, 300, SMALL_RECORD(2));
    ASSERT_PORTS(-EBADMSG, 1);
    draft.len = len;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    SET(&draft, 300, SMALL_RECORD(2));
    ASSERT_PORTS(0, 1, 2);
}

static void all_templates_may_be_withdrawn(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300), SMALL_TEMPLATE(301));
    SET(&draft, 3, PAIR(302, 1), U16(1), PAIR(149, 4));
    SET(&draft, 3, PAIR(3, 0)); /* all options */
    SET(&draft, 300, SMALL_RECORD(1));
    ASSERT_PORTS(0, 1);
    size_t len = draft.len;
    SET(&draft, 302, 0, 0, 0, 1);
    ASSERT_PORTS(-EBADMSG, 1);
    draft.len = len;
    SET(&draft, 3, PAIR(302, 1), U16(1), PAIR(149, 4));
    SET(&draft, 2, PAIR(2, 0)); /* all others */
    SET(&draft, 302, 0, 0, 0, 1);
    ASSERT_PORTS(0, 1);
    assert_int_equal(seen.counts.skipped, 1);
    len = draft.len;
    for (uint16_t id = 300; id <= 301; id++) {
        draft.len = len;
        SET(&draft, id, SMALL_RECORD(2));
        ASSERT_PORTS(-EBADMSG, 1);
    }
}

static void templates_have_a_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < IPFIX_READ_TEMPLATES; i++) {
        SET(&draft, 2, SMALL_TEMPLATE(300 + i));
    }
    SET(&draft, 2, SMALL_TEMPLATE(300)); /* again */
    SET(&draft, 300 + IPFIX_READ_TEMPLATES - 1, SMALL_RECORD(1));
    ASSERT_PORTS(0, 1);
    const size_t len = draft.len;
    SET(&draft, 2, SMALL_TEMPLATE(400));
    ASSERT_PORTS(-EBADMSG, 1);
    draft.len = len;
    SET(&draft, 2, PAIR(305, 0), SMALL_TEMPLATE(400)); /* there is room again */
    SET(&draft, 400, SMALL_RECORD(2));
    ASSERT_PORTS(0, 1, 2);
}

static void fields_have_a_limit(void **state)
{
    (void)state;
    for (unsigned n = IPFIX_READ_FIELDS; n <= IPFIX_READ_FIELDS + 1; n++) {
        uint8_t body[4 * (2 + IPFIX_READ_FIELDS)] = {PAIR(300, n), SMALL_FIELDS};
        const size_t others = n - 5;
        for (size_t i = 0; i < others; i++) {
            memcpy(body + 24 + 4 * i, (const uint8_t[]){PAIR(210, 0)}, 4);
        }
        draft.len = 0;
        draft_message(&draft, TESTING_DOMAIN);
        draft_set(&draft, 2, body, 4 * (1 + (size_t)n));
        SET(&draft, 300, SMALL_RECORD(1));
        assert_int_equal(seen_draft(&seen, &draft), n > IPFIX_READ_FIELDS ? -EBADMSG : 0);
        assert_int_equal(seen.n, n > IPFIX_READ_FIELDS ? 0 : 1);
    }
}

static void templates_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const size_t len = draft.len;
    SET(&draft, 2, PAIR(300, 2), PAIR(7, 0), PAIR(8, 0)); /* records without a byte */
    SET(&draft, 300, 0, 0, 0, 0);
    ASSERT_PORTS(-EBADMSG);
    draft.len = len;
    SET(&draft, 2, SMALL_TEMPLATE(255)); /* the number of a set that is none of data */
    ASSERT_PORTS(-EBADMSG);
    draft.len = len;
    SET(&draft, 2, PAIR(300, 6), SMALL_FIELDS); /* more fields than there are */
    ASSERT_PORTS(-EBADMSG);
    draft.len = len;
    SET(&draft, 2, PAIR(300, 5), SMALL_FIELDS, PAIR(0, 0)); /* a withdrawal of none: padding */
    SET(&draft, 300, SMALL_RECORD(1));
    ASSERT_PORTS(0, 1);
}

/* ---- sets and messages ---- */

static void padding_is_shorter_than_a_record(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300), U16(300), 0); /* not the start of a withdrawal */
    SET(&draft, 300, SMALL_RECORD(1), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    SET(&draft, 300, SMALL_RECORD(2), 0);
    ASSERT_PORTS(0, 1, 2);
    assert_int_equal(seen.counts.skipped, 0);
    SET(&draft, 300, 0, 0, 0, 0); /* padding alone: the template is another's */
    SET(&draft, 300, SMALL_RECORD(3));
    ASSERT_PORTS(-EBADMSG, 1, 2);
}

static void sets_may_be_empty_or_of_unknown_kinds(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    SET(&draft, 4, 1, 2, 3);
    SET(&draft, 255, SMALL_RECORD(9));
    draft_set(&draft, 300, NULL, 0);
    draft_set(&draft, 2, NULL, 0);
    draft_message(&draft, TESTING_DOMAIN);
    draft_message(&draft, TESTING_DOMAIN);
    SET(&draft, 300, SMALL_RECORD(1));
    ASSERT_PORTS(0, 1);
    assert_int_equal(seen.counts.messages, 3);
    assert_int_equal(seen.counts.skipped, 0);
    SET(&draft, 301, SMALL_RECORD(2)); /* without a template */
    SET(&draft, 300, SMALL_RECORD(3));
    ASSERT_PORTS(-EBADMSG, 1);
    assert_int_equal(seen.counts.messages, 2);
}

static void lengths_below_a_header_are_refused(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    SET(&draft, 300, SMALL_RECORD(1));
    const size_t at = draft.len;
    SET(&draft, 300, SMALL_RECORD(2));
    for (uint16_t len = 0; len < 4; len++) {
        st_u16(draft.bytes + at + 2, len);
        ASSERT_PORTS(-EBADMSG, 1);
    }
    draft.len = at;
    st_u16(draft.bytes + 2, (uint16_t)at);
    ASSERT_PORTS(0, 1);
    for (unsigned len = 0; len < TESTING_HEADER; len++) {
        st_u16(draft.bytes + 2, (uint16_t)len);
        ASSERT_PORTS(-EBADMSG);
    }
    st_u16(draft.bytes + 2, (uint16_t)at);
    draft.bytes[1] = 9; /* NetFlow's version */
    ASSERT_PORTS(-EBADMSG);
}

/* Of records that are whole none is lost, wherever the bytes end. */
static void cut_bytes_are_read_up_to_there(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    const size_t first = draft.len + 4;
    SET(&draft, 300, SMALL_RECORD(1), SMALL_RECORD(2), 0, 0);
    const size_t second = draft.len;
    draft_message(&draft, TESTING_DOMAIN);
    SET(&draft, 300, SMALL_RECORD(3));
    const size_t third = draft.len;
    for (size_t len = 0; len <= draft.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1); /* so that a read past the end is seen */
        assert_non_null(exact);
        memcpy(exact, draft.bytes, len);
        const int err = seen_read(&seen, exact, len);
        free(exact);
        const bool whole = len == 0 || len == second || len == third;
        assert_int_equal(err, whole ? 0 : -EBADMSG);
        assert_int_equal(seen.n,
                         (len >= first + SMALL) + (len >= first + 2 * SMALL) + (len == third));
        assert_int_equal(seen.counts.messages, (len >= second) + (len == third));
    }
    assert_int_equal(seen_read(&seen, NULL, 0), 0);
}

/* The same of a set that goes beyond its message. */
static void a_set_ends_within_its_message(void **state)
{
    (void)state;
    SET(&draft, 2, SMALL_TEMPLATE(300));
    const size_t at = draft.len;
    SET(&draft, 300, SMALL_RECORD(1), SMALL_RECORD(2));
    st_u16(draft.bytes + at + 2, 4 + 3 * SMALL);
    draft_message(&draft, TESTING_DOMAIN);
    SET(&draft, 300, SMALL_RECORD(3));
    ASSERT_PORTS(-EBADMSG, 1, 2);
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(written_records_are_the_same_again),
        TEST(written_options_are_skipped),
        TEST(fields_of_variable_length_are_skipped),
        TEST(fields_of_enterprises_are_others),
        TEST(options_are_skipped_to_the_byte),
        TEST(a_template_may_be_defined_anew),
        TEST(a_template_is_of_its_domain),
        TEST(a_template_may_be_withdrawn),
        TEST(all_templates_may_be_withdrawn),
        TEST(templates_have_a_limit),
        TEST(fields_have_a_limit),
        TEST(templates_that_make_no_sense_are_refused),
        TEST(padding_is_shorter_than_a_record),
        TEST(sets_may_be_empty_or_of_unknown_kinds),
        TEST(lengths_below_a_header_are_refused),
        TEST(cut_bytes_are_read_up_to_there),
        TEST(a_set_ends_within_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
