/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/document.h"
#include "cmd/report.h"
#include "cmd/tap.h"

/* Counts of which each is another, so that one in a wrong place is seen. */
static void fill(struct ledger *l)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(l, (enum ledger_id)i, UINT64_C(1) << i % 50);
    }
}

static int64_t at(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v)) {
        fail_msg("no figure \"%s\"", key);
    }
    return json_integer_value(v);
}

/* Every counter of the stage is in the document, where its kind belongs, and they balance. */
static void stages_balance(void **state)
{
    (void)state;
    struct ledger l = {0};
    fill(&l);
    for (unsigned st = 0; st < LEDGER_STAGES; st++) {
        json_t *o = report_stage(&l, (enum ledger_stage)st), *drops = json_object_get(o, "drops");
        int64_t rest = at(o, "in");
        size_t n_drops = 0;
        for (unsigned i = 0; i < LEDGER_COUNT; i++) {
            const struct ledger_info *info = ledger_info((enum ledger_id)i);
            if (info->stage != st) {
                continue;
            }
            bool drop = info->kind == LEDGER_DROP;
            int64_t v = at(drop ? drops : o, info->key);
            assert_int_equal(v, ledger_get(&l, (enum ledger_id)i));
            n_drops += drop;
            rest += info->kind == LEDGER_MADE ? v : info->kind == LEDGER_OUT || drop ? -v : 0;
        }
        assert_int_equal(json_object_size(drops), n_drops);
        assert_int_equal(at(o, "in_flight"), rest);
        json_decref(o);
    }
}

/* A stage that does not count what comes in takes it from the stage before. */
static void stages_follow_each_other(void **state)
{
    (void)state;
    struct ledger l = {0};
    fill(&l);
    json_t *before = NULL;
    for (unsigned st = LEDGER_RING; st <= LEDGER_LINK_TX; st++) {
        json_t *o = report_stage(&l, (enum ledger_stage)st);
        if (before) {
            assert_int_equal(at(o, "in"), at(before, "out"));
        }
        json_decref(before);
        before = o;
    }
    json_decref(before);
}

static void assert_prints(const char *json, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    assert_non_null(to);
    json_t *doc = json_loads(json, 0, NULL);
    assert_non_null(doc);
    report_print(doc, to);
    fclose(to);
    if (!strstr(text, want)) {
        fail_msg("\"%s\" is not in:\n%s", want, text);
    }
    json_decref(doc);
    free(text);
}

/* A report of another version, or with less in it than expected, is shown as far as it is
 * understood. */
static void prints_what_it_gets(void **state)
{
    (void)state;
    assert_prints("{}", "collector");
    assert_prints("{\"role\": \"tap\"}", "tap");
    assert_prints("{\"role\": \"tap\", \"name\": 7, \"interfaces\": 3}", "tap");
    assert_prints("{\"role\": \"collector\", \"name\": \"c\", \"link\": {\"forged\": 12}}",
                  "12 records that fail authentication");
    assert_prints("{\"role\": \"collector\", \"name\": \"c\", \"outputs\": "
                  "[{\"name\": \"n\", \"state\": \"no space\"}]}",
                  "output n: no space");
    assert_prints("{\"role\": \"collector\", \"taps\": [{\"interfaces\": [{\"outputs\": "
                  "[{\"name\": \"n\", \"late\": 4}]}]}]}",
                  "4 too late to be put in order");
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"stages\": {\"ring\": {\"in\": 5, \"out\": 2, \"drops\": {\"ring_full\": 3, "
                  "\"new_reason\": 1}}}}]}",
                  "3 dropped: dropped by kernel, ring full");
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"stages\": {\"ring\": {\"in\": 5, \"out\": 2, \"drops\": "
                  "{\"new_reason\": 1}}}}]}",
                  "1 dropped: new_reason");
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"stages\": {\"link_tx\": {\"in\": 5, \"out\": 5, \"unconfirmed\": 2}}}]}",
                  "2 sent, but not confirmed by the collector");
}

/* Counters that somebody made large are large, and not below 0. */
static void prints_large_numbers(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    struct ledger l = {0};
    ledger_set(&l, LEDGER_RING_IN, UINT64_MAX);
    ledger_set(&l, LEDGER_RING_FULL, UINT64_MAX - 5);
    json_t *ring = report_stage(&l, LEDGER_RING);
    json_t *doc = json_pack("{s:s, s:s, s:[{s:s, s:{s:o}}]}", "role", "tap", "name", "t",
                            "interfaces", "name", "eth0", "stages", "ring", ring);
    char *json = document_text(doc, JSON_COMPACT);
    assert_non_null(strstr(json, "\"in\":18446744073709551615"));
    assert_non_null(strstr(json, "\"ring_full\":18446744073709551610"));
    FILE *to = open_memstream(&text, &len);
    report_print(doc, to);
    fclose(to);
    assert_non_null(strstr(text, "18446744073709551615 in"));
    assert_non_null(strstr(text, "18446744073709551610 dropped: dropped by kernel, ring full"));
    json_decref(doc);
    free(json);
    free(text);
}

/* The broker's answer about an interface is decoded where it is whole, also with more behind it,
 * and refused where it is cut. */
static void decodes_what_was_opened(void **state)
{
    (void)state;
    static const uint8_t d[] = {0, 0, 1, 2, 0, 0,  16, 3, 0, 0, 5, 220,
                                0, 1, 0, 0, 0, 32, 0,  0, 2, 1, 9, 9};
    for (size_t len = 0; len <= sizeof(d); len++) {
        struct tap_opened o = {.index = 7};
        uint8_t *data = malloc(len + 1);
        memcpy(data + 1, d, len);
        assert_int_equal(tap_opened_decode(data + 1, len, &o), len < 22 ? -EBADMSG : 0);
        assert_int_equal(o.index, len < 22 ? 7 : 258);
        if (len >= 22) {
            assert_int_equal(o.flags, 0x1003);
            assert_int_equal(o.mtu, 1500);
            assert_int_equal(o.longest, 65536);
            assert_int_equal(o.ring_bytes, 2 << 20);
            assert_int_equal(o.arphrd, 513);
        }
        free(data);
    }
}

/* Which argument of -i an interface's name belongs to: the broker opens no other. */
static void words_match(void **state)
{
    (void)state;
    struct tap_conf c = {
        .word = {{"veth*", "veth*", false}, {"eth0", NULL, false}, {"*[0-9]", "*[0-9]", false}},
        .n_words = 3};
    assert_ptr_equal(tap_word_for(&c, "eth0"), &c.word[1]);
    assert_ptr_equal(tap_word_for(&c, "veth7"), &c.word[0]);
    assert_ptr_equal(tap_word_for(&c, "wg3"), &c.word[2]);
    assert_null(tap_word_for(&c, "lo"));
    assert_null(tap_word_for(&c, ""));
    c.word[c.n_words++] = (struct tap_word){"any", "*", true};
    assert_ptr_equal(tap_word_for(&c, "lo"), &c.word[3]);
    assert_ptr_equal(tap_word_for(&c, "eth0"), &c.word[1]);
}

/* The memory for patterns is shared; few interfaces get no more than a named one has. */
static void rings_share_the_memory(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= TAP_INTERFACES; n++) {
        uint32_t share = tap_ring_share(n);
        assert_in_range(share, TAP_PATTERN_RING_MIN, RING_BYTES_DEFAULT);
        assert_true(share == TAP_PATTERN_RING_MIN ||
                    (uint64_t)share * n <= (uint64_t)TAP_PATTERN_RINGS);
    }
    assert_int_equal(tap_ring_share(1), RING_BYTES_DEFAULT);
    assert_int_equal(tap_ring_share(16), TAP_PATTERN_RINGS / 16);
    assert_int_equal(tap_ring_share(TAP_INTERFACES), TAP_PATTERN_RING_MIN);
}

static void prints_the_history(void **state)
{
    (void)state;
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"state\": \"gone\"}], \"history\": [{\"time_ns\": 0, \"subject\": \"eth0\", "
                  "\"words\": \"is gone\"}]}",
                  "eth0: is gone");
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"state\": \"gone\"}]}",
                  " eth0: gone\n");
    assert_prints("{\"role\": \"collector\", \"name\": \"c\", \"history\": [4, {\"subject\": 3}]}",
                  "collector");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_balance),          cmocka_unit_test(stages_follow_each_other),
        cmocka_unit_test(prints_large_numbers),    cmocka_unit_test(prints_what_it_gets),
        cmocka_unit_test(decodes_what_was_opened), cmocka_unit_test(words_match),
        cmocka_unit_test(rings_share_the_memory),  cmocka_unit_test(prints_the_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
