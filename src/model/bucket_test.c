/* SPDX-License-Identifier: Apache-2.0
 *
 * The bucket (bucket.h) fills with time, up to its limit, and gives no more than it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/bucket.h"

static const struct mono t0 = {1000 * NSEC_PER_SEC};

static void buckets(void **state)
{
    (void)state;
    struct bucket b;
    unsigned taken = 0;
    bucket_init(&b, 5, t0);
    for (unsigned i = 0; i < 10; i++) {
        taken += bucket_take(&b, 3, 5, t0);
    }
    assert_int_equal(taken, 5);
    taken = 0;
    for (unsigned i = 0; i < 1000; i++) { /* 10 s in steps that are no whole milliseconds */
        taken += bucket_take(&b, 3, 5, (struct mono){t0.ns + (int64_t)i * 10000001});
    }
    assert_in_range(taken, 29, 30);
    assert_true(bucket_take(&b, 3, 5, mono_add_ms(t0, 400000000000)));
    assert_true(b.milli <= 5000);
    assert_true(bucket_take(&b, 3, 5, t0)); /* a time that goes back gives nothing */
    assert_true(b.milli <= 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
