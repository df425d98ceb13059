/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector's document as people read it; cmd/print.c calls it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/print_parts.h"

static void print_point(FILE *to, const json_t *o)
{
    size_t i;
    json_t *out;
    print_tap_stages(to, json_object_get(o, "tap_stages"));
    print_stages(to, json_object_get(o, "stages"));
    json_array_foreach(json_object_get(o, "outputs"), i, out)
    {
        print_output(to, out);
    }
}

static void print_link(FILE *to, const json_t *link)
{
    static const char *const keys[][2] = {
        {"cookies_sent", "handshakes answered by a cookie, as there were many"},
        {"handshakes_put_off", "handshakes left undone, as there were too many"},
        {"unanswered", "answers not given, as others did not leave the host"},
        {"revoked", "sessions closed as the list of taps changed"},
        {"wrong_passphrase", "handshakes with a wrong passphrase"},
        {"wrong_key", "handshakes with a key that is not allowed"},
        {"wrong_method", "handshakes by another method"},
        {"wrong_version", "handshakes of another version"},
        {"slowed_down", "handshakes put off after failures"},
        {"malformed", "datagrams that are no farspan link's"},
        {"too_many_handshakes", "handshake messages of addresses that sent too many"},
        {"unknown_session", "records of sessions that do not exist"},
        {"forged", "records that fail authentication"},
        {"replayed", "records that came before"},
        {"unexpected", "records of streams that were not announced"},
        {"control_queue_full", "control messages dropped"},
        {"socket_buffers_dropped", "receive buffers dropped by the kernel"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (num(link, keys[i][0]) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " %s\n", "", num(link, keys[i][0]), keys[i][1]);
        }
    }
}

static void print_device(FILE *to, const json_t *tap)
{
    const char *state = str(tap, "device_state");
    if (json_object_get(tap, "device")) {
        fprintf(to, ", on %s%s%s", str(tap, "device"),
                json_is_true(json_object_get(tap, "device_name_cut")) ? " (its name was cut)" : "",
                strcmp(state, "down") == 0 ? ", WHICH IS DOWN"
                : strcmp(state, "ok") != 0 ? ", WHICH WAS REMOVED"
                                           : "");
    }
}

static void print_output_state(FILE *to, const json_t *o)
{
    const uint64_t readers = num(o, "readers"), refused = num(o, "readers_refused");
    if (strcmp(str(o, "state"), "ok") != 0) {
        fprintf(to, "  output %s: %s\n", str(o, "name"), str(o, "state"));
    }
    if (json_object_get(o, "readers")) {
        fprintf(to, "  output %s: %" PRIu64 " reader%s", str(o, "name"), readers,
                readers == 1 ? "" : "s");
        if (refused > 0) {
            fprintf(to, ", %" PRIu64 " turned away as there were 8", refused);
        }
        fputc('\n', to);
    }
}

void print_collector(const json_t *doc, FILE *to)
{
    size_t i, k;
    json_t *tap, *o;
    const json_t *taps = json_object_get(doc, "taps");
    fprintf(to, "collector %s: %zu tap%s\n", str(doc, "name"), json_array_size(taps),
            json_array_size(taps) == 1 ? "" : "s");
    print_link(to, json_object_get(doc, "link"));
    json_array_foreach(json_object_get(doc, "outputs"), i, o)
    {
        print_output_state(to, o);
    }
    print_records(json_object_get(doc, "meter"), to);
    json_array_foreach(taps, i, tap)
    {
        fprintf(to, "tap %s: %s, %s", str(tap, "name"), str(tap, "state"), str(tap, "peer"));
        print_clock(to, tap);
        print_device(to, tap);
        fputc('\n', to);
        print_tap_view(to, tap);
        if (num(tap, "sessions_without_close") != 0) {
            fprintf(to,
                    "  %" PRIu64
                    " of its sessions ended without its last word: frames lost after its "
                    "last report are in no count\n",
                    num(tap, "sessions_without_close"));
        }
        if (num(tap, "interfaces_refused") != 0) {
            fprintf(to, "  %" PRId64 " of its interfaces are not taken: there are too many\n",
                    num(tap, "interfaces_refused"));
        }
        json_array_foreach(json_object_get(tap, "interfaces"), k, o)
        {
            fprintf(to, " %s\n", str(o, "name"));
            print_point(to, o);
        }
        o = json_object_get(tap, "gone_interfaces");
        if (o) {
            fprintf(to, " interfaces that are gone: %" PRIu64 "\n", num(o, "count"));
            print_point(to, o);
        }
        print_history(tap, to);
    }
    o = json_object_get(doc, "mirrored");
    if (o) {
        print_mirrored(o, to);
    }
    o = json_object_get(doc, "forgotten");
    if (o) {
        fprintf(to, "taps that are not remembered one by one, %" PRIu64 " in all\n",
                num(o, "taps"));
        print_point(to, o);
    }
    if (json_array_size(json_object_get(doc, "history")) > 0) {
        fprintf(to, "sessions of taps\n");
        print_history(doc, to);
    }
}
