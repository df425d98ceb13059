/* SPDX-License-Identifier: Apache-2.0
 *
 * The routes that tell of the service itself.
 */
#include <string.h>

#include "control/captures.h"
#include "control/openapi.h"
#include "control/problem.h"
#include "control/v1_impl.h"

enum api_result v1_versions(struct api_turn *t)
{
    struct text body = {0};
    text_add(&body, "{\"versions\":[{\"id\":\"v1\",\"href\":\"/v1/capabilities\","
                    "\"document\":\"/v1/openapi.yaml\"}]}\n");
    return api_json(t, 200, &body);
}

enum api_result v1_healthz(struct api_turn *t)
{
    struct text body = {0}; /* the store's transaction has begun, or this was not called */
    text_add(&body, "{\"status\":\"ok\"}\n");
    return api_json(t, 200, &body);
}

enum api_result v1_openapi(struct api_turn *t)
{
    struct text body = {0};
    text_add_bytes(&body, (const char *)openapi_yaml, openapi_yaml_len);
    return api_text(t, 200, "application/yaml", &body);
}

enum api_result v1_problem(struct api_turn *t)
{
    const struct problem *p = problem_named(t->segment[0]);
    struct text body = {0};
    if (!p) {
        return api_problem(t, 404, NULL, "there is no problem of this name");
    }
    text_add(&body, "%s (%d)\n\n%s\n\n%s\n", p->name, p->status, p->title, p->page);
    return api_text(t, 200, "text/plain; charset=utf-8", &body);
}

enum api_result v1_capabilities(struct api_turn *t)
{
    struct text body = {0};
    text_add(&body,
             "{\"name\":\"farspan\",\"version\":\"%s\",\"types\":[\"packet\",\"netflow\","
             "\"ethernet\"],\"formats\":",
             FARSPAN_VERSION);
    v1_data_forms(&body);
    text_add(&body,
             ",\"limits\":{\"points\":%d,\"length_s\":%d,\"ahead_s\":%d,\"at_once_of_owner\":%d,"
             "\"at_once\":%d},\"who\":{\"name\":",
             CAPTURE_POINTS, (int)(CAPTURE_LENGTH_MAX_NS / NSEC_PER_SEC),
             (int)(CAPTURE_AHEAD_MAX_NS / NSEC_PER_SEC), CAPTURES_OF_OWNER, CAPTURES_AT_ONCE);
    text_add_json(&body, t->who.name);
    text_add(&body, ",\"role\":\"%s\",\"project\":", who_role_word(t->who.role));
    text_add_json(&body, t->who.project);
    text_add(&body, "}}\n");
    return api_json(t, 200, &body);
}
