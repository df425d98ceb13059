/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's document as people read it; cmd/print.c calls it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/parse.h"
#include "cmd/print_parts.h"

static void print_path(FILE *to, const json_t *s)
{
    const char *state = str(s, "path_mtu_state");
    if (strcmp(state, "too small") == 0) {
        fprintf(to, ", PATH MTU BELOW %" PRIu64, num(s, "path_mtu"));
    } else {
        fprintf(to, ", path MTU %" PRIu64 "%s", num(s, "path_mtu"),
                strcmp(state, "being found out") == 0 ? " or more" : "");
    }
}

static void print_limit(FILE *to, const json_t *o)
{
    char rate[32];
    const char *step = str(o, "step");
    if (o && step[0] && strcmp(step, "full") != 0) {
        fprintf(to, " limited to: %s\n", step);
    }
    if (!json_object_get(o, "rate_bps")) {
        return;
    }
    parse_rate_words(num(o, "rate_bps"), rate);
    fprintf(to, " rate %s: %.3f Mbit/s sent, %.3f wished", rate, (double)num(o, "sent_bps") / 1e6,
            (double)num(o, "wish_bps") / 1e6);
    if (num(o, "waiting_bytes") != 0) {
        fprintf(to, "; %.1f kB wait, the oldest for %" PRIu64 " ms",
                (double)num(o, "waiting_bytes") / 1e3, num(o, "oldest_ms"));
    }
    fputc('\n', to);
}

void print_tap(const json_t *doc, FILE *to)
{
    const json_t *s = json_object_get(doc, "session");
    size_t i;
    json_t *o;
    fprintf(to, "tap %s: %s", str(doc, "name"), str(s, "state"));
    if (strcmp(str(s, "state"), "up") == 0) {
        const char *cipher = str(s, "cipher");
        fprintf(to, " with %s for %" PRIu64 " s, %s", str(s, "collector"), num(s, "seconds"),
                strcmp(cipher, "none") == 0 ? "NOT ENCRYPTED" : cipher);
        print_path(to, s);
        print_clock(to, s);
    }
    fputc('\n', to);
    print_limit(to, json_object_get(doc, "limit"));
    json_array_foreach(json_object_get(doc, "interfaces"), i, o)
    {
        const json_t *stages = json_object_get(o, "stages");
        const json_t *sent = json_object_get(stages, "link_tx");
        bool up = strcmp(str(o, "state"), "up") == 0 || str(o, "state")[0] == '\0';
        fprintf(to, up ? " %s\n" : " %s: %s\n", str(o, "name"), str(o, "state"));
        print_tap_stages(to, stages);
        fprintf(to, "  %-22s %14" PRIu64 " received %8" PRIu64 " lost\n", "collector confirms",
                num(sent, "confirmed"), num(sent, "reported_lost"));
    }
    o = json_object_get(doc, "gone_interfaces");
    if (o) {
        fprintf(to, " interfaces that are gone: %" PRIu64 "\n", num(o, "count"));
        print_tap_stages(to, json_object_get(o, "stages"));
    }
    print_history(doc, to);
}
