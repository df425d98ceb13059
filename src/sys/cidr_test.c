/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges of addresses: those in them, those that are not, and nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/cidr.h"
#include "sys/udp.h"

static bool has(const char *ranges, const char *address)
{
    struct cidr_list l = {.n = 0};
    struct udp_addr a;
    uint8_t ip[16];
    assert_int_equal(cidr_list_add(&l, ranges, NULL), 0);
    assert_int_equal(udp_addr_parse(address, &a), 0);
    udp_addr_ip(&a, ip);
    return cidr_list_has(&l, ip);
}

static void addresses_in_a_range_are_told_from_others(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("192.0.2.128/25", "192.0.2.128"));
    assert_false(has("192.0.2.128/25", "192.0.2.127"));
    assert_true(has("192.0.2.1", "192.0.2.1"));
    assert_false(has("192.0.2.1", "192.0.2.0"));
    assert_true(has("0.0.0.0/0", "255.255.255.255"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::/0", "10.0.0.1"));
    assert_true(has("10.0.0.0/8,2001:db8::1", "2001:db8::1"));
    assert_true(has("10.0.0.0/8,2001:db8::1", "10.0.0.9"));
    struct cidr_list none = {.n = 0};
    const uint8_t ip[16] = {0};
    assert_false(cidr_list_has(&none, ip));
}

static void assert_refused(const char *text, const char *words)
{
    struct cidr_list l = {.n = 0};
    struct error err = {""};
    assert_int_equal(cidr_list_add(&l, text, &err), -EINVAL);
    assert_non_null(strstr(err.text, words));
}

static void nonsense_is_refused_with_what_would_be_right(void **state)
{
    (void)state;
    assert_refused("10.0.0.1/8", "10.0.0.0/8");
    assert_refused("2001:db8::1/32", "2001:db8::/32");
    assert_refused("10.0.0.0/33", "0 to 32");
    assert_refused("::/129", "0 to 128");
    assert_refused("10.0.0.0/", "0 to 32");
    assert_refused("10.0.0/8", "no address");
    assert_refused("host.example/8", "no address");
    assert_refused("", "a range");
    assert_refused("10.0.0.0/8,", "a range");
    assert_refused(",10.0.0.0/8", "a range");
}

static void a_list_has_an_end(void **state)
{
    (void)state;
    struct cidr_list *l = calloc(1, sizeof(*l));
    struct error err = {""};
    assert_non_null(l);
    for (unsigned i = 0; i < CIDR_MAX; i++) {
        assert_int_equal(cidr_list_add(l, "10.0.0.0/8", &err), 0);
    }
    assert_int_equal(cidr_list_add(l, "10.0.0.0/8", &err), -EINVAL);
    assert_non_null(strstr(err.text, "256"));
    free(l);
}

static void loopback(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } rows[] = {{"127.0.0.1", true},  {"127.255.0.9", true}, {"::1", true},
                {"128.0.0.1", false}, {"126.0.0.1", false},  {"::2", false},
                {"::", false},        {"fe80::1", false},    {"::127.0.0.1", false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct cidr_list l = {.n = 0};
        assert_int_equal(cidr_list_add(&l, rows[i].text, NULL), 0);
        assert_int_equal(cidr_is_loopback(l.at[0].net), rows[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback),
        cmocka_unit_test(addresses_in_a_range_are_told_from_others),
        cmocka_unit_test(nonsense_is_refused_with_what_would_be_right),
        cmocka_unit_test(a_list_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
