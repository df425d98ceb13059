/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the adapter's resources.
 */
#include "control/taas_impl.h"

static const struct taas_attribute service_attributes[] = {
    {"id", TAAS_ID, FIELD_OF_ID, 0},
    {"tenant_id", TAAS_PROJECT, FIELD_OF_PROJECT, TAAS_POST},
    {"name", TAAS_TEXT, TAP_SERVICE_F_NAME, TAAS_POST | TAAS_PUT},
    {"description", TAAS_TEXT, TAP_SERVICE_F_DESCRIPTION, TAAS_POST | TAAS_PUT},
    {"port_id", TAAS_PORT, TAP_SERVICE_F_PORT, TAAS_POST | TAAS_MUST},
    {"status", TAAS_TEXT, TAP_SERVICE_F_STATUS, 0},
    {"project_id", TAAS_PROJECT, FIELD_OF_PROJECT, TAAS_POST},
    {"frames", TAAS_WORD, TAP_SERVICE_F_FRAMES, TAAS_POST | TAAS_NAMED},
    {"status_reason", TAAS_TEXT, TAP_SERVICE_F_STATUS_REASON, TAAS_NAMED},
    {0},
};

static const struct taas_attribute flow_attributes[] = {
    {"id", TAAS_ID, FIELD_OF_ID, 0},
    {"tenant_id", TAAS_PROJECT, FIELD_OF_PROJECT, TAAS_POST},
    {"name", TAAS_TEXT, TAP_FLOW_F_NAME, TAAS_POST | TAAS_PUT},
    {"description", TAAS_TEXT, TAP_FLOW_F_DESCRIPTION, TAAS_POST | TAAS_PUT},
    {"tap_service_id", TAAS_ID, TAP_FLOW_F_SERVICE, TAAS_POST | TAAS_MUST},
    {"source_port", TAAS_PORT, TAP_FLOW_F_SOURCE, TAAS_POST | TAAS_MUST},
    {"direction", TAAS_DIRECTION, TAP_FLOW_F_DIRECTION, TAAS_POST | TAAS_MUST},
    {"status", TAAS_TEXT, TAP_FLOW_F_STATUS, 0},
    {"vlan_filter", TAAS_VLANS, TAP_FLOW_F_VLANS, TAAS_POST},
    {"project_id", TAAS_PROJECT, FIELD_OF_PROJECT, TAAS_POST},
    {"filter", TAAS_TEXT, TAP_FLOW_F_FILTER, TAAS_POST | TAAS_NAMED},
    {"status_reason", TAAS_TEXT, TAP_FLOW_F_STATUS_REASON, TAAS_NAMED},
    {"datapath", TAAS_TEXT, TAP_FLOW_F_DATAPATH, TAAS_NAMED},
    {"matched_frames", TAAS_INT, TAP_FLOW_F_MATCHED_FRAMES, TAAS_NAMED},
    {"matched_bytes", TAAS_INT, TAP_FLOW_F_MATCHED_BYTES, TAAS_NAMED},
    {"dropped", TAAS_INT, TAP_FLOW_F_DROPPED, TAAS_NAMED},
    {0},
};

/* Those by which lists may be sorted; a port's row has whatever its manager gave, too. */
static const struct taas_attribute port_attributes[] = {
    {"id", TAAS_ID, FIELD_OF_ID, 0},
    {"tenant_id", TAAS_PROJECT, FIELD_OF_PROJECT, TAAS_POST},
    {"project_id", TAAS_PROJECT, FIELD_OF_PROJECT, TAAS_POST},
    {"name", TAAS_TEXT, PORT_F_NAME, TAAS_POST | TAAS_PUT},
    {"status", TAAS_TEXT, PORT_F_UP, 0},
    {"mac_address", TAAS_TEXT, PORT_F_MAC, TAAS_POST},
    {"device_id", TAAS_TEXT, PORT_F_CLAIM_WORDS, TAAS_POST | TAAS_PUT},
    {"network_id", TAAS_TEXT, PORT_F_CLAIM_WORDS, TAAS_POST},
    {0},
};

static const struct taas_attribute network_attributes[] = {
    {"id", TAAS_ID, FIELD_OF_ID, 0},
    {"name", TAAS_TEXT, FIELD_OF_ID, 0},
    {0},
};

const struct taas_resource taas_service = {
    .name = "tap_service",
    .plural = "tap_services",
    .kind = &kind_tap_service,
    .attribute = service_attributes,
    .row = taas_row,
    .is_shown = taas_is_shown,
    .missing = "TapServiceNotFound",
    .missing_noun = "Tap Service ", /* whose blank is upstream's */
    .missing_verb = "does not exist",
};

const struct taas_resource taas_flow = {
    .name = "tap_flow",
    .plural = "tap_flows",
    .kind = &kind_tap_flow,
    .attribute = flow_attributes,
    .row = taas_row,
    .is_shown = taas_is_shown,
    .missing = "TapFlowNotFound",
    .missing_noun = "Tap Flow ",
    .missing_verb = "does not exist",
};

const struct taas_resource taas_port = {
    .name = "port",
    .plural = "ports",
    .kind = &kind_port,
    .attribute = port_attributes,
    .row = taas_port_row,
    .means = taas_port_means,
    .missing = "PortNotFound",
    .missing_noun = "Port",
    .missing_verb = "could not be found.",
};

const struct taas_resource taas_network = {
    .name = "network",
    .plural = "networks",
    .attribute = network_attributes,
    .row = taas_network_row,
    .missing = "NetworkNotFound",
    .missing_noun = "Network",
    .missing_verb = "could not be found.",
};

enum api_result taas_missing(struct api_turn *t, const struct taas_resource *r, const char *id)
{
    return taas_error(t, 404, r->missing, "%s %.200s %s", r->missing_noun, id, r->missing_verb);
}
