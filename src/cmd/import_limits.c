/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of an imported section that bounds a tap: its rate, and when it is idle. import_tap.c
 * calls it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "cmd/import_section.h"
#include "cmd/import_values.h"

static bool put_number(const struct section *s, enum ivtap_setting setting, const char *ours,
                       uint64_t n)
{
    char value[24];
    snprintf(value, sizeof(value), "%" PRIu64, n);
    return section_put(s, setting, ours, value, "");
}

/* The setting that ends a tap is only there together with the count of intervals. */
static void put_breaches(const struct section *s)
{
    uint64_t n = 0;
    if (section_number(s, IVTAP_BREACHES, "breach-intervals", 1, IVTAP_MAX, &n) &&
        put_number(s, IVTAP_BREACHES, "breach-intervals", n)) {
        section_put(s, IVTAP_BREACHES, "on-limit", "stop", ": then ivTAP ends, and sheds nothing");
    }
}

void section_limits(const struct section *s)
{
    uint64_t n = 0;
    if (section_number(s, IVTAP_SPEED, "rate", 1, IVTAP_MAX, &n)) {
        char value[32];
        parse_rate_words(n, value);
        section_put(s, IVTAP_SPEED, "rate", value, ", in bit/s");
    }
    if (section_number(s, IVTAP_INTERVAL, "check-interval", 1, IVTAP_MAX, &n)) {
        section_seconds(s, IVTAP_INTERVAL, "check-interval", n, ", in seconds");
    }
    put_breaches(s);
}

static void put_idle(const struct section *s)
{
    const char *interval = section_value(s, IVTAP_INTERVAL);
    uint64_t n = 0, seconds = 0;
    char how[96];
    if (!section_number(s, IVTAP_IDLE, "max-idle", 0, IVTAP_MAX, &n)) {
        return;
    }
    if (!interval || parse_u64(interval, "", 1, IVTAP_MAX, &seconds, NULL) < 0) {
        section_leave_out(s, IVTAP_IDLE, "max-idle", "it counts intervals of an unknown length");
        return;
    }
    snprintf(how, sizeof(how), ": one interval more, (%" PRIu64 " + 1) x %" PRIu64 " s", n,
             seconds);
    section_seconds(s, IVTAP_IDLE, "max-idle", (n + 1) * seconds, how);
}

static void put_days(const struct section *s)
{
    const char *value = section_value(s, IVTAP_DAYS), *name = ivtap_name(IVTAP_DAYS), *wrong = NULL;
    const unsigned line = s->t->of[IVTAP_DAYS].line;
    char days[IMPORT_DAYS];
    if (line == 0) {
        import_mistake(s->m, 0, "%s is missing: ivTAP takes 2,3,4,5,6, and so does business-hours",
                       name);
        import_comment("%s is missing: ivTAP takes 2,3,4,5,6, where 1 is Sunday", name);
        import_setting("business-hours", "mon-fri");
        return;
    }
    const int r = import_days(value ? value : "", days, &wrong);
    if (r == 0 && wrong) {
        import_mistake(s->m, line, "%s: \"%.*s\" is no day from 1, Sunday, to 7, Saturday", name,
                       (int)strcspn(wrong, ","), wrong);
    }
    if (r < 0) {
        section_leave_out(s, IVTAP_DAYS, "business-hours", "no day from 1, Sunday, to 7, Saturday");
    } else if (days[0] == '\0') {
        import_comment("%s = %s: always, as without business-hours", name, value);
    } else {
        section_put(s, IVTAP_DAYS, "business-hours", days, ", where 1 is Sunday");
    }
}

void section_idle(const struct section *s)
{
    uint64_t n = 0;
    put_idle(s);
    if (section_number(s, IVTAP_RESTARTS, "max-restarts", 0, IVTAP_MAX, &n)) {
        put_number(s, IVTAP_RESTARTS, "max-restarts", n);
    }
    put_days(s);
}
