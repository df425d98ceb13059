/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as people read them, also those of another version or with less than expected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/print.h"
#include "node/document.h"
#include "node/report.h"

static void assert_prints(const char *json, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    assert_non_null(to);
    json_t *doc = json_loads(json, 0, NULL);
    assert_non_null(doc);
    print_report(doc, to);
    fclose(to);
    if (!strstr(text, want)) {
        fail_msg("\"%s\" is not in:\n%s", want, text);
    }
    json_decref(doc);
    free(text);
}

/* A document of another version, or one with less than expected, is shown as far as it is known. */
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
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"stages\": {\"link_tx\": {\"in\": 5, \"out\": 5, \"backlogged\": 3, "
                  "\"backlog_bytes\": 1500000}}}]}",
                  "3 had to wait, 1.5 MB wait now\n");
}

static void prints_what_is_wrong_with_a_session(void **state)
{
    (void)state;
    static const char tap[] =
        "{\"role\": \"tap\", \"name\": \"t\", \"session\": {\"state\": \"up\", "
        "\"collector\": \"[::1]:5\", \"seconds\": 3, \"cipher\": \"none\", "
        "\"path_mtu\": 1280, \"path_mtu_state\": \"%s\"}}";
    char doc[512];
    (void)snprintf(doc, sizeof(doc), tap, "too small");
    assert_prints(doc, "tap t: up with [::1]:5 for 3 s, NOT ENCRYPTED, PATH MTU BELOW 1280\n");
    (void)snprintf(doc, sizeof(doc), tap, "known");
    assert_prints(doc, "NOT ENCRYPTED, path MTU 1280\n");
}

static void prints_the_rate(void **state)
{
    (void)state;
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"limit\": {\"rate_bps\": 4800000, "
                  "\"sent_bps\": 4700000, \"wish_bps\": 11400000, \"waiting_bytes\": 120000, "
                  "\"oldest_ms\": 180}}",
                  " rate 4800kbit: 4.700 Mbit/s sent, 11.400 wished; 120.0 kB wait, the oldest for "
                  "180 ms\n");
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"limit\": {\"rate_bps\": 10000000}}",
                  " rate 10mbit: 0.000 Mbit/s sent, 0.000 wished\n");
}

/* A stage ends its line, whatever it has to say besides. */
static void prints_a_line_a_stage(void **state)
{
    (void)state;
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"stages\": {\"ring\": {\"in\": 5, \"out\": 2}}}]}",
                  " 5 in              2 out\n");
    assert_prints("{\"role\": \"tap\", \"name\": \"t\", \"interfaces\": [{\"name\": \"eth0\", "
                  "\"stages\": {\"ring\": {\"in\": 5, \"out\": 2, \"in_flight\": 3}}}]}",
                  " 2 out  3 in flight\n");
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
    json_t *ring = report_stage(&l, NULL, LEDGER_RING);
    json_t *doc = json_pack("{s:s, s:s, s:[{s:s, s:{s:o}}]}", "role", "tap", "name", "t",
                            "interfaces", "name", "eth0", "stages", "ring", ring);
    char *json = document_text(doc, JSON_COMPACT);
    assert_non_null(strstr(json, "\"in\":18446744073709551615"));
    assert_non_null(strstr(json, "\"ring_full\":18446744073709551610"));
    FILE *to = open_memstream(&text, &len);
    print_report(doc, to);
    fclose(to);
    assert_non_null(strstr(text, "18446744073709551615 in"));
    assert_non_null(strstr(text, "18446744073709551610 dropped: dropped by kernel, ring full"));
    json_decref(doc);
    free(json);
    free(text);
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
    assert_prints("{\"role\": \"collector\", \"name\": \"c\", \"history\": [{\"time_ns\": 0, "
                  "\"subject\": \"oslo\", \"words\": \"is not on the list\"}]}",
                  "  oslo: is not on the list\n");
}

static void prints_a_tap_as_a_whole(void **state)
{
    (void)state;
    static const char tap[] =
        "{\"role\": \"collector\", \"taps\": [{\"name\": \"web1\", \"last_seen_ns\": 5, "
        "\"condition\": \"stopped-by-limit\", \"description\": \"rack 4\", \"rung\": "
        "\"headers\", \"restarts\": 2, \"frames_sent\": 12, \"frames_received\": 11, "
        "\"frames_missing\": 1, \"frames_missing_most\": 7, \"clock_offset_ns\": -1500000, "
        "\"clock_bound_ns\": 250000, \"clock_drift_ppm\": 12.5, \"clock_drift_bound_ppm\": 0.5, "
        "\"clock_jumps\": 3}]}";
    assert_prints(tap, "  rack 4\n");
    assert_prints(tap, ", stopped by its limit\n");
    assert_prints(tap, "12 sent           11 received  1 missing, 7 at most\n");
    assert_prints(tap, "0 sent            0 received\n");
    assert_prints(tap, "  clock -1.500 ms, wrong by 0.250 ms at most, gains 12.500 ppm, wrong by "
                       "0.500\n");
    assert_prints(tap, "  its clock jumped 3 times\n");
    assert_prints(tap, "  limited to: headers\n  2 captures were opened anew, as nothing came\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_it_gets),
        cmocka_unit_test(prints_what_is_wrong_with_a_session),
        cmocka_unit_test(prints_a_line_a_stage),
        cmocka_unit_test(prints_large_numbers),
        cmocka_unit_test(prints_the_rate),
        cmocka_unit_test(prints_the_history),
        cmocka_unit_test(prints_a_tap_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
