/* SPDX-License-Identifier: Apache-2.0 */
#include "control/v1.h"

#include "control/captures.h"
#include "control/v1_impl.h"
#include "model/kinds.h"

const struct api_route v1_routes[] = {
    {HTTP_GET, "/v1", API_NOBODY, NULL, v1_versions, API_FREE},
    {HTTP_GET, "/healthz", API_NOBODY, NULL, v1_healthz, API_FREE},
    {HTTP_GET, "/v1/openapi.yaml", API_NOBODY, NULL, v1_openapi, API_FREE | API_NEGOTIATES},
    {HTTP_GET, "/v1/problems/{name}", API_NOBODY, NULL, v1_problem, API_FREE | API_NEGOTIATES},
    {HTTP_GET, "/v1/capabilities", API_READ, NULL, v1_capabilities},

    {HTTP_GET, "/v1/captures", API_READ, &kind_capture, api_list, 0, api_list_parameters},
    {HTTP_POST, "/v1/captures", API_CAPTURE, &kind_capture, v1_capture_create, API_CHANGES},
    {HTTP_GET, "/v1/captures/{id}", API_READ, &kind_capture, api_show},
    {HTTP_PATCH, "/v1/captures/{id}", API_CAPTURE, &kind_capture, v1_capture_update, API_CHANGES},
    {HTTP_DELETE, "/v1/captures/{id}", API_CAPTURE, &kind_capture, v1_capture_delete, API_CHANGES},
    {HTTP_POST, "/v1/captures/{id}/cancel", API_CAPTURE, &kind_capture, v1_capture_cancel,
     API_CHANGES},
    {HTTP_GET, "/v1/captures/{id}/data", API_READ, &kind_capture, v1_capture_data, API_NEGOTIATES,
     v1_data_parameters},

    {HTTP_GET, "/v1/ports", API_READ, &kind_port, api_list, 0, api_list_parameters},
    {HTTP_GET, "/v1/ports/{id}", API_READ, &kind_port, api_show},
    {HTTP_PATCH, "/v1/ports/{id}", API_ADMIN, &kind_port, v1_port_update, API_CHANGES},

    {HTTP_GET, "/v1/tap_services", API_READ, &kind_tap_service, api_list, 0, api_list_parameters},
    {HTTP_POST, "/v1/tap_services", API_CAPTURE, &kind_tap_service, v1_service_create, API_CHANGES,
     v1_tap_parameters},
    {HTTP_GET, "/v1/tap_services/{id}", API_READ, &kind_tap_service, api_show},
    {HTTP_PATCH, "/v1/tap_services/{id}", API_CAPTURE, &kind_tap_service, api_update, API_CHANGES},
    {HTTP_DELETE, "/v1/tap_services/{id}", API_CAPTURE, &kind_tap_service, v1_service_delete,
     API_CHANGES},

    {HTTP_GET, "/v1/tap_flows", API_READ, &kind_tap_flow, api_list, 0, api_list_parameters},
    {HTTP_POST, "/v1/tap_flows", API_CAPTURE, &kind_tap_flow, v1_flow_create, API_CHANGES,
     v1_tap_parameters},
    {HTTP_GET, "/v1/tap_flows/{id}", API_READ, &kind_tap_flow, api_show},
    {HTTP_PATCH, "/v1/tap_flows/{id}", API_CAPTURE, &kind_tap_flow, api_update, API_CHANGES},
    {HTTP_DELETE, "/v1/tap_flows/{id}", API_CAPTURE, &kind_tap_flow, v1_flow_delete, API_CHANGES},

    {HTTP_GET, "/v1/tokens", API_ADMIN, &kind_token, api_list, 0, api_list_parameters},
    {HTTP_POST, "/v1/tokens", API_ADMIN, &kind_token, v1_token_create, API_CHANGES,
     v1_token_parameters},
    {HTTP_GET, "/v1/tokens/{id}", API_ADMIN, &kind_token, api_show},
    {HTTP_PATCH, "/v1/tokens/{id}", API_ADMIN, &kind_token, api_update, API_CHANGES},
    {HTTP_DELETE, "/v1/tokens/{id}", API_ADMIN, &kind_token, api_delete, API_CHANGES},

    {HTTP_GET, "/v1/events", API_READ, NULL, v1_events, 0, v1_event_parameters},
    {HTTP_GET, "/v1/audit", API_ADMIN, NULL, v1_audit, 0, v1_event_parameters},
};
const size_t v1_n_routes = ARRAY_SIZE(v1_routes);

void v1_published(struct api *a, const struct object *capture)
{
    const struct value *bytes = &capture->v[CAPTURE_F_BYTES];
    uint64_t published = bytes->set && bytes->n > 0 ? (uint64_t)bytes->n : 0;
    api_published(a, capture->v[FIELD_OF_ID].text, published, captures_ended(capture));
}
