/* SPDX-License-Identifier: Apache-2.0 */
#include "control/opentap.h"

#include "control/opentap_impl.h"

/* {"status":"error","msg":"…"}, at 200. */
static void refuse(struct http_answer *a, int status, const char *words)
{
    struct text t = {0};
    (void)status;
    a->status = 200;
    text_add(&t, "{\"status\":\"error\",\"msg\":");
    text_add_json(&t, words);
    text_add(&t, "}\n");
    http_answer_header(a, "Content-Type", "application/json");
    if (t.failed) {
        text_free(&t);
        return;
    }
    a->len = t.len;
    a->bytes = (uint8_t *)TAKE_PTR(t.p);
}

static const struct api_manner manner = {.refuse = refuse};
/* Clients of other APIs look for theirs at "/", and show their tokens in their way. */
static const struct who_header token = {"X-Auth-Token", "notused"};
static const struct api_manner root = {.refuse = refuse, .token = &token};

static const char *const capture_parameters[] = {
    "start", "stop", "observationpt", "observationPt", "id", "period", NULL};
static const char *const retrieve_parameters[] = {"id", NULL};

/* `GET /` leads browsers, which take text/html, to /ui/ once that is there. */
const struct api_route opentap_routes[] = {
    {HTTP_GET, "/", API_READ, NULL, opentap_root, API_NEGOTIATES, NULL, &root},
    {HTTP_GET, "/capabilities", API_READ, NULL, opentap_capabilities, 0, NULL, &manner},
    /* The role of one that captures is looked at when there is a start or stop. */
    {HTTP_GET, "/capture", API_READ, NULL, opentap_capture, 0, capture_parameters, &manner},
    {HTTP_GET, "/capture/{type}", API_READ, NULL, opentap_capture, 0, capture_parameters, &manner},
    {HTTP_GET, "/retrieve", API_READ, NULL, opentap_retrieve, API_NEGOTIATES, retrieve_parameters,
     &manner},
};
const size_t opentap_n_routes = ARRAY_SIZE(opentap_routes);
