/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of interfaces against the words of a selection, what those that are named have to be, and
 * the memory for their rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node/interfaces.h"

/* Which argument of -i an interface's name belongs to: the broker opens no other. */
static void words_match(void **state)
{
    (void)state;
    struct selection c = {
        .word = {{"veth*", "veth*", false}, {"eth0", NULL, false}, {"*[0-9]", "*[0-9]", false}},
        .n_words = 3};
    assert_ptr_equal(selection_word_for(&c, "eth0"), &c.word[1]);
    assert_ptr_equal(selection_word_for(&c, "veth7"), &c.word[0]);
    assert_ptr_equal(selection_word_for(&c, "wg3"), &c.word[2]);
    assert_null(selection_word_for(&c, "lo"));
    assert_null(selection_word_for(&c, ""));
    c.word[c.n_words++] = (struct selection_word){"any", "*", true};
    assert_ptr_equal(selection_word_for(&c, "lo"), &c.word[3]);
    assert_ptr_equal(selection_word_for(&c, "eth0"), &c.word[1]);
}

/* The memory for patterns is shared; few interfaces get no more than a named one has. */
static void rings_share_the_memory(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= INTERFACES_MAX; n++) {
        uint32_t share = selection_ring_share(n);
        assert_in_range(share, SELECTION_PATTERN_RING_MIN, RING_BYTES_DEFAULT);
        assert_true(share == SELECTION_PATTERN_RING_MIN ||
                    (uint64_t)share * n <= (uint64_t)SELECTION_PATTERN_RINGS);
    }
    assert_int_equal(selection_ring_share(1), RING_BYTES_DEFAULT);
    assert_int_equal(selection_ring_share(16), SELECTION_PATTERN_RINGS / 16);
    assert_int_equal(selection_ring_share(INTERFACES_MAX), SELECTION_PATTERN_RING_MIN);
}

/* Interfaces that are named have to be there, and to carry what is asked for; patterns wait. */
static void named_interfaces_are_looked_at(void **state)
{
    (void)state;
    struct error err = {""};
    struct selection c = {.word = {{"none*", "none*", false}, {"lo", NULL, false}}, .n_words = 2};
    assert_int_equal(selection_check(&c, &err), 0);
    (void)error_set(&c.program_error[NETIF_RAW_IP], EINVAL, "of other interfaces");
    assert_int_equal(selection_check(&c, &err), 0);
    (void)error_set(&c.program_error[NETIF_ETHERNET], EINVAL, "no such filter");
    assert_int_equal(selection_check(&c, &err), -EINVAL);
    assert_string_equal(err.text, "lo: no such filter");
    c.word[1] = (struct selection_word){"no-such-0", NULL, false};
    assert_int_equal(selection_check(&c, &err), -ENODEV);
    assert_non_null(strstr(err.text, "no-such-0"));
}

/* A filter has to fit frames with an Ethernet header, or those without one. */
static void filters_that_fit(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        bool ethernet, raw_ip;
    } cases[] = {
        {"tcp port 80", true, true}, {"vlan 5", true, false}, {"tcp prot 80", false, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = {""};
        struct selection c = {.filter = strdup(cases[i].filter)};
        const bool fits = cases[i].ethernet || cases[i].raw_ip;
        assert_int_equal(selection_compile(&c, &err), fits ? 0 : -EINVAL);
        assert_int_equal(c.program[NETIF_ETHERNET].n > 0, cases[i].ethernet);
        assert_int_equal(c.program[NETIF_RAW_IP].n > 0, cases[i].raw_ip);
        assert_int_equal(c.program_error[NETIF_RAW_IP].text[0] == 0, cases[i].raw_ip);
        assert_string_equal(err.text, fits ? "" : c.program_error[NETIF_ETHERNET].text);
        assert_int_equal(err.text[0] == 0, fits);
        selection_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_match),
        cmocka_unit_test(rings_share_the_memory),
        cmocka_unit_test(filters_that_fit),
        cmocka_unit_test(named_interfaces_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
