/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/flow_wait.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

enum {
    LOOK_MS = 20, /* between two looks of who waits, … */
    WATCH_MS = 1000,
    NAME = 300,
};

static const char *service_port(const struct tap_client_lists *l, const char *id)
{
    size_t i;
    const json_t *o;
    json_array_foreach(l->services, i, o)
    {
        if (strcmp(client_text(o, "id"), id) == 0) {
            return client_text(o, "port");
        }
    }
    return "";
}

void flow_print(const struct tap_client_lists *l, const json_t *flow)
{
    char from[NAME], to[NAME], line[4 * NAME], clean[4 * sizeof(line)];
    const char *way = client_text(flow, "datapath"), *why = client_text(flow, "status_reason"),
               *name = client_text(flow, "name");
    tap_client_port_name(l, client_text(flow, "source"), from, sizeof(from));
    tap_client_port_name(l, service_port(l, client_text(flow, "service")), to, sizeof(to));
    (void)snprintf(line, sizeof(line),
                   "%.255s  %.20s  %s → %s  %.10s%s%.20s  %" PRId64 " frames%s%.255s",
                   name[0] ? name : client_text(flow, "id"), client_text(flow, "status"), from, to,
                   client_text(flow, "direction"), way[0] ? "  in the " : "", way,
                   client_int(flow, "matched_frames"), why[0] ? "  " : "", why);
    text_line(clean, sizeof(clean), line);
    printf("%s", clean);
    if (client_int(flow, "dropped") > 0) {
        printf("  %" PRId64 " dropped", client_int(flow, "dropped"));
    }
    printf("\n");
    (void)fflush(stdout);
}

static int get(struct client *c, const char *id, json_t **ret, struct error *err)
{
    char path[80];
    json_t *o = NULL;
    (void)snprintf(path, sizeof(path), "/v1/tap_flows/%.40s", id);
    const int r = client_ask(c, "GET", path, NULL, &o, err);
    if (r == 0) {
        json_decref(*ret);
        *ret = o;
    }
    return r;
}

/* -EINTR: a signal came. */
static int pause_ms(const struct client *c, int64_t ms)
{
    const struct timespec t = {ms / 1000, (ms % 1000) * NSEC_PER_MSEC};
    (void)nanosleep(&t, NULL);
    return *c->stop ? -EINTR : 0;
}

int flow_wait(struct client *c, int64_t ns, json_t **flow, struct error *err)
{
    const int64_t until = mono_now().ns + ns;
    while (strcmp(client_text(*flow, "status"), "ACTIVE") != 0) {
        char id[64];
        if (mono_now().ns >= until) {
            const char *why = client_text(*flow, "status_reason");
            return error_set(err, ETIMEDOUT, "the flow is %.20s%s%.255s",
                             client_text(*flow, "status"), why[0] ? ": " : "", why);
        }
        (void)snprintf(id, sizeof(id), "%.40s", client_text(*flow, "id"));
        int r = pause_ms(c, LOOK_MS);
        r = r < 0 ? r : get(c, id, flow, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int flow_watch(struct client *c, const struct tap_client_lists *l, const char *id,
               struct error *err)
{
    json_t *flow = NULL;
    int r = 0;
    while (r == 0) {
        r = get(c, id, &flow, err);
        if (r == 0) {
            flow_print(l, flow);
            r = pause_ms(c, WATCH_MS);
        }
    }
    json_decref(flow);
    return r == -EINTR ? 0 : r;
}
