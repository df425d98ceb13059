/* SPDX-License-Identifier: Apache-2.0 */
#include "control/taas.h"

#include "control/taas_impl.h"

static const struct who_header token = {"X-Auth-Token", "notused"};
static const struct api_manner manner = {
    .refuse = taas_refuse, .prefix = "v2.0", .suffix = ".json", .token = &token, .open = true};

#define ROW(method, path, role, kind, handler, flags)                                              \
    {                                                                                              \
        HTTP_##method, "/v2.0" path, API_##role, kind, handler, flags, NULL, &manner               \
    }

const struct api_route taas_routes[] = {
    ROW(GET, "", READ, NULL, taas_root, 0),
    ROW(GET, "/extensions", READ, NULL, taas_extensions, 0),
    ROW(GET, "/extensions/{alias}", READ, NULL, taas_extension, 0),

    ROW(GET, "/taas/tap_services", READ, &kind_tap_service, taas_taps_list, 0),
    ROW(POST, "/taas/tap_services", CAPTURE, &kind_tap_service, taas_taps_create, API_CHANGES),
    ROW(GET, "/taas/tap_services/{id}", READ, &kind_tap_service, taas_taps_show, 0),
    ROW(PUT, "/taas/tap_services/{id}", CAPTURE, &kind_tap_service, taas_taps_update, API_CHANGES),
    ROW(DELETE, "/taas/tap_services/{id}", CAPTURE, &kind_tap_service, taas_taps_delete,
        API_CHANGES),

    ROW(GET, "/taas/tap_flows", READ, &kind_tap_flow, taas_taps_list, 0),
    ROW(POST, "/taas/tap_flows", CAPTURE, &kind_tap_flow, taas_taps_create, API_CHANGES),
    ROW(GET, "/taas/tap_flows/{id}", READ, &kind_tap_flow, taas_taps_show, 0),
    ROW(PUT, "/taas/tap_flows/{id}", CAPTURE, &kind_tap_flow, taas_taps_update, API_CHANGES),
    ROW(DELETE, "/taas/tap_flows/{id}", CAPTURE, &kind_tap_flow, taas_taps_delete, API_CHANGES),

    ROW(GET, "/ports", READ, &kind_port, taas_ports_list, 0),
    ROW(POST, "/ports", ADMIN, &kind_port, taas_ports_create, API_CHANGES),
    ROW(GET, "/ports/{id}", READ, &kind_port, taas_ports_show, 0),
    ROW(PUT, "/ports/{id}", ADMIN, &kind_port, taas_ports_update, API_CHANGES),
    ROW(DELETE, "/ports/{id}", ADMIN, &kind_port, taas_ports_delete, API_CHANGES),

    ROW(GET, "/networks", READ, NULL, taas_networks_list, 0),
    ROW(GET, "/networks/{id}", READ, NULL, taas_networks_show, 0),

    ROW(GET, "/quotas", READ, NULL, taas_quotas, 0),
    ROW(GET, "/quotas/{project}", READ, NULL, taas_quota, 0),
    ROW(GET, "/quotas/{project}/default", READ, NULL, taas_quota, 0),
    ROW(GET, "/quotas/{project}/details", READ, NULL, taas_quota_use, 0),
};
const size_t taas_n_routes = ARRAY_SIZE(taas_routes);

void taas_put_versions(struct text *to, const struct http_request *r)
{
    struct text href = {0};
    char origin[300];
    taas_origin(r, origin, sizeof(origin));
    text_add(&href, "%s/v2.0/", origin);
    text_add(to, "\"versions\":[{\"id\":\"v2.0\",\"status\":\"CURRENT\",\"links\":[{\"rel\":"
                 "\"self\",\"href\":");
    text_add_json(to, href.failed ? "" : href.p);
    text_add(to, "}]}]");
    text_free(&href);
}
