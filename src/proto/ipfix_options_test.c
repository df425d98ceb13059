/* SPDX-License-Identifier: Apache-2.0
 *
 * Totals against bytes made by hand from RFC 7011; tests/net/test_export.py has them read by other
 * programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "proto/ipfix_options.h"

enum {
    HEADER = 16,
};

static const struct ipfix_totals totals = {.messages = 0x0102030405060708,
                                           .records = 3,
                                           .octets = 4,
                                           .unsent_records = 5,
                                           .unsent_packets = 6,
                                           .unsent_bytes = 7,
                                           .ignored = 8,
                                           .ignored_octets = 9};

/* Sections 4.1, 4.2, 4.3: a set with a template of options each, and one with its data. */
static const uint8_t want[] = {
    0, 3, 0, 26, 1, 3, 0, 4, 0, 1, 0, 149, 0, 4, 0, 41, 0, 8, 0, 42, 0, 8, 0, 40, 0, 8,
    /* data */
    1, 3, 0, 32, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4,
    /* section 4.2 */
    0, 3, 0, 22, 1, 4, 0, 3, 0, 1, 0, 149, 0, 4, 0, 164, 0, 8, 0, 165, 0, 8,
    /* data */
    1, 4, 0, 24, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9,
    /* section 4.3 */
    0, 3, 0, 26, 1, 5, 0, 4, 0, 1, 0, 144, 0, 4, 0, 166, 0, 8, 0, 167, 0, 8, 0, 168, 0, 8,
    /* data */
    1, 5, 0, 32, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
    7};

static void totals_have_their_form(void **state)
{
    (void)state;
    static struct ipfix m;
    ipfix_init(&m, 0);
    assert_true(ipfix_totals(&m, 9, &totals));
    assert_int_equal(ipfix_end(&m), HEADER + sizeof(want));
    assert_memory_equal(m.sets.bytes + HEADER, want, sizeof(want));
    assert_int_equal(m.sequence, 3);
}

static void a_sample_has_its_form(void **state)
{
    (void)state;
    static struct ipfix m;
    static const uint8_t sample[] = {0, 3,  0,  34, 1,  6,    0,    6, 0, 1, /* one is the scope */
                                     1, 46, 0,  8,  1,  48,   0,    2, 1, 49, 0, 4, 1,  50,   0,
                                     4, 1,  53, 0,  4,  1,    54,   0, 4, /* 302, … */
                                     1, 6,  0,  30, 0,  0,    0,    0, 0, 0,  0, 1, 0,  3,    0,
                                     0, 0,  1,  0,  15, 0x42, 0x3f, 0, 0, 0,  1, 0, 15, 0x42, 0x40};
    unsigned n = 1;
    ipfix_init(&m, 0);
    assert_true(ipfix_sampling(&m, &(struct sampling){1000000}));
    assert_int_equal(ipfix_end(&m), HEADER + sizeof(sample));
    assert_memory_equal(m.sets.bytes + HEADER, sample, sizeof(sample));
    while (ipfix_sampling(&m, &(struct sampling){2})) {
        n++;
    }
    assert_int_equal(n - 1, (IPFIX_MESSAGE - HEADER) / sizeof(sample));
    assert_int_equal(ipfix_end(&m), HEADER + (n - 1) * sizeof(sample));
    assert_int_equal(m.sequence, n);
}

static void a_message_has_an_end(void **state)
{
    (void)state;
    static struct ipfix m;
    unsigned n = 0;
    ipfix_init(&m, 0);
    while (ipfix_totals(&m, 9, &totals)) {
        n++;
    }
    assert_true(n > 5);
    assert_true(ipfix_end(&m) <= IPFIX_MESSAGE);
    assert_int_equal(m.sequence, 3 * n);
}

static void sets_of_others(void **state)
{
    (void)state;
    static struct ipfix m;
    static const uint8_t bytes[IPFIX_MESSAGE] = {1, 2, 3, 4};
    static const uint8_t sets[] = {1, 9, 0, 12, 1, 2, 3, 4, 1, 2, 3, 4, 1, 10, 0, 8, 1, 2, 3, 4};
    ipfix_init(&m, 0);
    assert_false(ipfix_put(&m, 265, bytes, sizeof(bytes) - HEADER - 3, 1));
    assert_true(ipfix_put(&m, 265, bytes, 4, 1));
    assert_true(ipfix_put(&m, 265, bytes, 4, 2));
    assert_true(ipfix_put(&m, 266, bytes, 4, 0));
    assert_int_equal(ipfix_end(&m), HEADER + sizeof(sets));
    assert_memory_equal(m.sets.bytes + HEADER, sets, sizeof(sets));
    assert_int_equal(m.sequence, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_have_their_form),
        cmocka_unit_test(a_sample_has_its_form),
        cmocka_unit_test(a_message_has_an_end),
        cmocka_unit_test(sets_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
