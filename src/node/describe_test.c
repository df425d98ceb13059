/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptions of taps: by name, by address however it is written, and those that are refused.
 */
#include "node/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void add(struct describe_list *l, const char *name, const char *text)
{
    struct error err = {""};
    assert_int_equal(describe_add(l, name, text, &err), 0);
}

static void refuse(struct describe_list *l, const char *name, const char *text, int error,
                   const char *why)
{
    struct error err = {""};
    assert_int_equal(describe_add(l, name, text, &err), -error);
    assert_non_null(strstr(err.text, why));
}

static void they_are_found(void **state)
{
    (void)state;
    struct describe_list l = {0};
    assert_null(describe_find(&l, "web1", "192.0.2.7:1"));
    add(&l, "web2", "second");
    add(&l, "web1", "\"the \"first\" = rack 4\"");
    add(&l, "192.0.2.7", "an address");
    add(&l, "2001:db8:0:0::1", "a long one");
    add(&l, "a", "\"");
    assert_string_equal(describe_find(&l, "web1", "192.0.2.7:1"), "the \"first\" = rack 4");
    assert_string_equal(describe_find(&l, "web2", ""), "second");
    assert_string_equal(describe_find(&l, "web3", "192.0.2.7:1"), "an address");
    assert_string_equal(describe_find(&l, "web3", "[2001:db8::1]:99"), "a long one");
    assert_string_equal(describe_find(&l, "a", "192.0.2.8:1"), "\"");
    assert_null(describe_find(&l, "web3", "192.0.2.77:1"));
    refuse(&l, "web1", "again", EEXIST, "web1 is described a second time");
    refuse(&l, "2001:db8::1", "again", EEXIST, "second time");
    refuse(&l, "two words", "x", EINVAL, "neither a tap's name");
    refuse(&l, "", "x", EINVAL, "neither a tap's name");
    refuse(&l, "web4", "\"\"", EINVAL, "web4: a description has 1 to 128 bytes");
    describe_done(&l);
}

static void they_are_bounded(void **state)
{
    (void)state;
    struct describe_list l = {0};
    char name[16], text[DESCRIBE_TEXT + 2];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    refuse(&l, "web1", text, EINVAL, "128");
    text[DESCRIBE_TEXT] = '\0';
    for (unsigned i = 0; i < DESCRIBE_MAX; i++) {
        snprintf(name, sizeof(name), "t%u", i * 7919 % DESCRIBE_MAX);
        add(&l, name, text);
    }
    refuse(&l, "one-more", "x", ENOSPC, "4096");
    for (unsigned i = 0; i < DESCRIBE_MAX; i++) {
        snprintf(name, sizeof(name), "t%u", i);
        assert_string_equal(describe_find(&l, name, ""), text);
    }
    describe_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_found),
        cmocka_unit_test(they_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
