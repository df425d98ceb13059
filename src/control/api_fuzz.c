/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole request out of any bytes, against the bare API with all routes and a few objects: the
 * first three bytes choose method, peer and how the rest of the service behaves; then come the
 * target, headers and an empty line, and the body. Each request has one answer with a status, a
 * refusal has a document and changes nothing, and what is changed is in the audit.
 */
#include "control/opentap.h"
#include "control/taas.h"
#include "control/test_api.h"

enum {
    CHOICES = 3,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A service, a flow to it, and a claim that waits. */
static void fill_taps(struct world *w)
{
    struct object o;
    world_object(&o, &kind_tap_service, 32, "local", "bob");
    (void)object_set_text(&o, TAP_SERVICE_F_PORT, "00000000-0000-7000-8000-000000000001");
    world_put(w, &o);
    object_done(&o);
    world_object(&o, &kind_tap_flow, 33, "local", "bob");
    (void)object_set_text(&o, TAP_FLOW_F_SOURCE, "00000000-0000-7000-8000-000000000002");
    (void)object_set_text(&o, TAP_FLOW_F_SERVICE, "00000000-0000-7000-8000-000000000020");
    world_put(w, &o);
    object_done(&o);
    world_object(&o, &kind_port, 34, "local", "bob");
    (void)object_set_text(&o, PORT_F_NAME, "tap00000000-00");
    (void)object_set_text(&o, PORT_F_CLAIM, "00000000-0000-7000-8000-000000000022");
    (void)object_set_text(&o, PORT_F_CLAIM_WORDS, "{\"name\":\"vm\"}");
    world_put(w, &o);
    object_done(&o);
}

static void fill(struct world *w)
{
    static const char *const states[] = {"scheduled", "running", "done"};
    struct object o;
    world_port(w, 1, "eth0", "uplink", true);
    world_port(w, 2, "eth1", NULL, true);
    for (unsigned i = 0; i < 6; i++) {
        world_object(&o, &kind_capture, 16 + i, i % 2 ? "local" : "red", "bob");
        (void)object_set_text(&o, CAPTURE_F_TYPE, i % 3 == 1 ? "netflow" : "packet");
        (void)object_set_text(&o, CAPTURE_F_POINTS, "[\"eth0\"]");
        (void)object_set_text(&o, CAPTURE_F_STATE, states[i % ARRAY_SIZE(states)]);
        object_set_int(&o, CAPTURE_F_START, WORLD_NOW);
        object_set_int(&o, CAPTURE_F_LIMIT_FRAMES, 9);
        object_set_int(&o, CAPTURE_F_BYTES, 10);
        world_put(w, &o);
        object_done(&o);
    }
    w->file = "0123456789";
    w->second = "flows";
    fill_taps(w);
}

/* Target and headers, a line each; what is left is the body. The texts are in `text`, a copy. */
static void parse(char *text, size_t len, struct http_request *r)
{
    char *end = text + len, *line = text;
    r->target = "";
    for (unsigned n = 0; line < end; n++) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next) {
            next = end;
        }
        *next = '\0';
        char *value = strstr(line, ": ");
        if (n == 0) {
            r->target = line;
        } else if (!*line) {
            line = next < end ? next + 1 : end;
            break;
        } else if (value && r->n_headers < HTTP_HEADERS) {
            *value = '\0';
            r->header[r->n_headers++] = (struct http_header){line, value + 2};
        }
        line = next < end ? next + 1 : end;
    }
    r->body = (const uint8_t *)line;
    r->len = MIN((size_t)(end - line), (size_t)HTTP_BODY_MAX);
}

static bool begins(const struct world *w, const char *text)
{
    return w->answer.len >= strlen(text) && memcmp(w->answer.bytes, text, strlen(text)) == 0;
}

static void check(struct world *w, bool injected)
{
    assert(w->answers == 1);
    assert(w->answer.status >= 200 && w->answer.status < 600);
    if (w->answer.status >= 400) {
        assert(begins(w, "{\"type\":\"/v1/problems/") ||
               begins(w, "{\"NeutronError\":{\"type\":\""));
        assert(injected || w->counted.changes == 0);
        assert(w->changed == 0 && w->deleted == 0);
    }
    if (body_has(w, "{\"status\":\"error\",")) { /* of OpenTap's routes, at 200 */
        assert(injected || w->counted.changes == 0);
        assert(w->changed == 0);
    }
    uint64_t oldest = 0, last = 0;
    int r = w->counted.real->ops->event_range(w->counted.real, &oldest, &last, NULL);
    assert(r == 0 && (w->counted.changes == 0 || last > 0 || injected));
    (void)r;
    if (w->answer.body.read) {
        uint8_t buf[64];
        ssize_t n = w->answer.body.read(w->answer.body.user, buf, sizeof(buf));
        assert(n >= 0 || n == -EAGAIN || n == -EIO || n == -EBADMSG);
        (void)n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct opentap_conf opentap = {.alias = {{"eth1", "db"}}, .n_aliases = 1};
    static const struct opentap_settings settings = {&opentap, NULL};
    const struct api_route *const table[] = {opentap_routes, v1_routes, taas_routes};
    const size_t rows[] = {opentap_n_routes, v1_n_routes, taas_n_routes};
    const struct http_peer *const peers[] = {&peer_root, &peer_user, &peer_loopback, &peer_far};
    static const int results[] = {0, -EAGAIN, -EINVAL, -EIO};
    static struct world w;
    if (size < CHOICES) {
        return 0;
    }
    char *text = malloc(size - CHOICES + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data + CHOICES, size - CHOICES);
    text[size - CHOICES] = '\0';
    struct http_request r = {.method = (enum http_method)(data[0] % (HTTP_OTHER + 1)),
                             .peer = *peers[data[1] % ARRAY_SIZE(peers)]};
    parse(text, size - CHOICES, &r);
    const struct api_conf conf = {.routes = {table, rows, ARRAY_SIZE(table)},
                                  .anonymous = (enum api_role)(data[1] / 4 % 3),
                                  .opentap_settings = &settings,
                                  .put_versions = taas_put_versions};
    world_start(&w, kinds, KINDS, &conf);
    fill(&w);
    w.filter = w.open = w.snapshot = results[data[2] % ARRAY_SIZE(results)];
    w.counted.fail_commit = data[2] & 4 ? -EIO : 0;
    w.counted.fail_put = data[2] & 8 ? -ENOSPC : 0;
    w.counted.fail_event = data[2] & 16 ? -EIO : 0;
    api_request(w.api, &r, world_reply, &w);
    api_commit(w.api);
    for (unsigned i = 0; w.answers == 0 && i < 4; i++) {
        w.filter = w.open = w.snapshot = 0;
        api_wake(w.api, w.waiter);
        api_commit(w.api);
    }
    check(&w, data[2] & (4 | 8 | 16));
    world_done(&w);
    free(text);
    return 0;
}
