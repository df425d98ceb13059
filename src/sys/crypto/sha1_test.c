/* SPDX-License-Identifier: Apache-2.0
 *
 * The examples of FIPS 180-2, appendix A, in base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/crypto/sha1.h"

static void examples(void **state)
{
    (void)state;
    char text[SHA1_BASE64_LEN + 1];
    assert_int_equal(sha1_base64("abc", 3, text), 0);
    assert_string_equal(text, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
    assert_int_equal(
        sha1_base64("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text), 0);
    assert_string_equal(text, "hJg+RBw70m66rkqh+VEp5eVGcPE=");
    assert_int_equal(sha1_base64("", 0, text), 0);
    assert_string_equal(text, "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
