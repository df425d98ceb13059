/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap as a whole, as its collector sees it, for people; print_collector.c calls it.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cmd/print_parts.h"

static double ms(const json_t *o, const char *key)
{
    return (double)signed_num(o, key) / 1e6;
}

static void print_seen(FILE *to, const json_t *tap)
{
    static const char *const words[][2] = {
        {"stopped-by-limit", ", stopped by its limit"},
        {"stopped-by-idle", ", stopped as nothing came to it"},
        {"revoked", ", revoked"},
        {"ended", ", ended in order"},
    };
    const time_t seen = (time_t)(signed_num(tap, "last_seen_ns") / NSEC_PER_SEC);
    char when[32] = "";
    struct tm tm;
    const char *how = "";
    if (localtime_r(&seen, &tm)) {
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        how = strcmp(str(tap, "condition"), words[i][0]) == 0 ? words[i][1] : how;
    }
    fprintf(to, "  last heard %s%s\n", when, how);
}

static void print_traffic(FILE *to, const json_t *tap, const char *what)
{
    char sent[32], received[32], missing[32], most[40];
    snprintf(sent, sizeof(sent), "%s_sent", what);
    snprintf(received, sizeof(received), "%s_received", what);
    snprintf(missing, sizeof(missing), "%s_missing", what);
    snprintf(most, sizeof(most), "%s_missing_most", what);
    fprintf(to, "  %-22s %14" PRIu64 " sent %12" PRIu64 " received", what, num(tap, sent),
            num(tap, received));
    if (json_object_get(tap, missing)) {
        fprintf(to, "  %" PRIu64 " missing, %" PRIu64 " at most", num(tap, missing),
                num(tap, most));
    }
    fputc('\n', to);
}

static void print_its_clock(FILE *to, const json_t *tap)
{
    if (json_object_get(tap, "clock_bound_ns")) {
        fprintf(to, "  clock %+.3f ms, wrong by %.3f ms at most", ms(tap, "clock_offset_ns"),
                ms(tap, "clock_bound_ns"));
        if (json_object_get(tap, "clock_drift_ppm")) {
            fprintf(to, ", gains %.3f ppm, wrong by %.3f",
                    json_number_value(json_object_get(tap, "clock_drift_ppm")),
                    json_number_value(json_object_get(tap, "clock_drift_bound_ppm")));
        }
        fputc('\n', to);
    }
    if (num(tap, "clock_jumps") != 0) {
        fprintf(to, "  its clock jumped %" PRIu64 " times\n", num(tap, "clock_jumps"));
    }
}

void print_tap_view(FILE *to, const json_t *tap)
{
    if (!json_object_get(tap, "last_seen_ns")) {
        return;
    }
    if (json_object_get(tap, "description")) {
        fprintf(to, "  %s\n", str(tap, "description"));
    }
    print_seen(to, tap);
    print_traffic(to, tap, "frames");
    print_traffic(to, tap, "bytes");
    print_its_clock(to, tap);
    if (json_object_get(tap, "rung")) {
        fprintf(to, "  limited to: %s\n", str(tap, "rung"));
    }
    if (num(tap, "breaches") != 0) {
        fprintf(to, "  %" PRIu64 " intervals reached its rate\n", num(tap, "breaches"));
    }
    if (num(tap, "restarts") != 0) {
        fprintf(to, "  %" PRIu64 " captures were opened anew, as nothing came\n",
                num(tap, "restarts"));
    }
}
