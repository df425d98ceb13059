/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of messages in each form: a record counts, with both its directions, in the message that
 * it ends in, and one that has no room in none.
 */
#include "data/meter/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/flowrec_testing.h"

static const struct flowrec both = {TESTING_WEB_BOTH};

static void a_message_counts_what_ends_in_it(void **state)
{
    (void)state;
    static struct encode s;
    for (unsigned form = 0; form < ENCODE_FORMS; form++) {
        uint32_t n = 0;
        size_t len = 0;
        encode_init(&s, (enum encode_form)form, 1, IPFIX_BIFLOW);
        assert_null(encode_end(&s, &len));
        assert_int_equal(encode_parts(&s, &both), 1);
        assert_true(encode_templates(&s));
        while (encode_part(&s, &both, 1, 0)) {
            n++;
            assert_int_equal(s.records, n);
            assert_int_equal(s.packets, 8 * n);
            assert_int_equal(s.bytes, 1100 * n);
        }
        assert_int_equal(s.records, n); /* the last one had no room */
        assert_in_range(n, 5, 30);
        assert_non_null(encode_end(&s, &len));
        assert_in_range(len, 1000, 1400);
        assert_true(s.records == 0 && s.packets == 0 && s.bytes == 0);
    }
}

/* Of a flow that has more than one of NetFlow 5 can tell, the last part counts. */
static void a_record_in_parts_counts_once(void **state)
{
    (void)state;
    static struct encode s;
    struct flowrec large = both;
    large.reverse = (struct flowrec_reverse){0};
    large.bytes = UINT64_C(3) << 32;
    encode_init(&s, ENCODE_NETFLOW5, 1, 0);
    const unsigned n = encode_parts(&s, &large);
    assert_in_range(n, 3, 4);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(s.records, 0);
        assert_true(encode_part(&s, &large, n, i));
    }
    assert_int_equal(s.records, 1);
    assert_int_equal(s.packets, 5);
    assert_true(s.bytes == large.bytes);
}

/* The time of a message is that of its newest record, also before that is in it. */
static void a_message_has_a_time(void **state)
{
    (void)state;
    static struct encode s;
    encode_init(&s, ENCODE_IPFIX, 1, 0);
    encode_time(&s, &both);
    assert_int_equal(s.ipfix.time_s, 1794489284);
    struct flowrec earlier = both;
    earlier.last_ns = 1000000000;
    encode_time(&s, &earlier);
    assert_int_equal(s.ipfix.time_s, 1794489284);
    encode_init(&s, ENCODE_NETFLOW5, 1, 0);
    encode_time(&s, &both); /* each of its records has its own */
    assert_true(encode_interface(&s, 1, "eth0"));
    size_t len = 0;
    assert_null(encode_end(&s, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_counts_what_ends_in_it),
        cmocka_unit_test(a_record_in_parts_counts_once),
        cmocka_unit_test(a_message_has_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
