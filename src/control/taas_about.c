/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's own story: resources, extensions, the one network, and quotas.
 */
#include <inttypes.h>
#include <string.h>

#include "control/taas_impl.h"
#include "control/taps.h"

/* ---- resources ---- */

enum api_result taas_root(struct api_turn *t)
{
    static const struct {
        const char *name, *collection, *path;
    } resources[] = {
        {"tap_service", "tap_services", "taas/tap_services"},
        {"tap_flow", "tap_flows", "taas/tap_flows"},
        {"port", "ports", "ports"},
        {"network", "networks", "networks"},
        {"quota", "quotas", "quotas"},
        {"extension", "extensions", "extensions"},
    };
    char origin[300], href[400];
    json_t *list = json_array();
    taas_origin(t->request, origin, sizeof(origin));
    for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
        (void)snprintf(href, sizeof(href), "%s/v2.0/%s", origin, resources[i].path);
        (void)json_array_append_new(list, json_pack("{s:[{s:s, s:s}], s:s, s:s}", "links", "rel",
                                                    "self", "href", href, "name", resources[i].name,
                                                    "collection", resources[i].collection));
    }
    return taas_answer(t, 200, list ? json_pack("{s:o}", "resources", list) : NULL);
}

/* ---- extensions ---- */

static const struct {
    const char *alias, *name, *description, *updated;
} extensions[] = {
    {"taas", "Neutron Tap as a Service", "Neutron Tap as a Service Extension.",
     "2015-01-14T10:00:00-00:00"},
    {"taas-vlan-filter", "VLAN filtering for Neutron Tap as a Service",
     "Neutron Tap as a Service Extension for filtering VLANs.", "2018-01-14T10:00:00-00:00"},
    {"farspan-tap", "farspan's own attributes of taps",
     "Filters, reasons, ways and counts, where fields names them.", "2026-11-28T10:00:00-00:00"},
    {"quotas", "Quota management support", "Quotas, which farspan has and nobody changes.",
     "2012-07-29T10:00:00-00:00"},
    {"binding", "Port Binding", "The interface that a port is, for those who manage ports.",
     "2014-02-03T10:00:00-00:00"},
};

static json_t *extension_at(size_t i)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:[]}", "name", extensions[i].name, "alias",
                     extensions[i].alias, "description", extensions[i].description, "updated",
                     extensions[i].updated, "links");
}

enum api_result taas_extensions(struct api_turn *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        (void)json_array_append_new(list, extension_at(i));
    }
    return taas_answer(t, 200, list ? json_pack("{s:o}", "extensions", list) : NULL);
}

enum api_result taas_extension(struct api_turn *t)
{
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (strcmp(extensions[i].alias, t->segment[0]) == 0) {
            json_t *e = extension_at(i);
            return taas_answer(t, 200, e ? json_pack("{s:o}", "extension", e) : NULL);
        }
    }
    return taas_error(t, 404, "HTTPNotFound", "Extension with alias %.100s does not exist",
                      t->segment[0]);
}

/* ---- networks ---- */

enum api_result taas_networks_list(struct api_turn *t)
{
    return taas_list_of(t, &taas_network);
}

enum api_result taas_networks_show(struct api_turn *t)
{
    json_t *row = taas_network_row(t, &taas_network, NULL);
    const char *id = json_string_value(json_object_get(row, "id"));
    if (row && id && strcmp(id, t->segment[0]) != 0) {
        json_decref(row);
        return taas_missing(t, &taas_network, t->segment[0]);
    }
    return taas_answer(t, 200, row ? json_pack("{s:o}", "network", row) : NULL);
}

/* ---- quotas ---- */

enum api_result taas_quotas(struct api_turn *t)
{
    return taas_answer(t, 200, json_pack("{s:[]}", "quotas")); /* no project has others */
}

/* Whose they are is not asked: all projects have the same. */
enum api_result taas_quota(struct api_turn *t)
{
    return taas_answer(t, 200,
                       json_pack("{s:{s:i, s:i}}", "quota", "tap_service", TAPS_SERVICES_MOST,
                                 "tap_flow", TAPS_FLOWS_MOST));
}

static bool count(struct api_turn *t, const struct kind *k, const char *project, uint64_t *ret)
{
    const struct value is = {.set = true, .text = (char *)project};
    const struct store_query q = {.filter = {{FIELD_OF_PROJECT, &is}}, .n_filters = 1};
    return api_count(t, k, &q, ret) == 0;
}

enum api_result taas_quota_use(struct api_turn *t)
{
    const char *project = t->segment[0];
    uint64_t services = 0, flows = 0;
    if (!api_sees_all(t) && strcmp(project, t->who.project) != 0) {
        return api_problem(t, 404, NULL, "there is no such project");
    }
    if (!count(t, &kind_tap_service, project, &services) ||
        !count(t, &kind_tap_flow, project, &flows)) {
        return API_DONE;
    }
    return taas_answer(t, 200,
                       json_pack("{s:{s:{s:i, s:I, s:i}, s:{s:i, s:I, s:i}}}", "quota",
                                 "tap_service", "limit", TAPS_SERVICES_MOST, "used",
                                 (json_int_t)services, "reserved", 0, "tap_flow", "limit",
                                 TAPS_FLOWS_MOST, "used", (json_int_t)flows, "reserved", 0));
}
