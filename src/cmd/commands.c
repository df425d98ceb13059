/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/commands.h"

#include "cmd/cmd.h"
#include "cmd/tables.h"

const struct command commands[] = {
    {"tap", "capture from interfaces and send the frames to a collector", cmd_tap, &tap_options},
    {"collector", "receive from taps; to a virtual interface, a file, a pipe", cmd_collector,
     &collector_options},
    {"meter", "add the packets of a capture file up to flow records", cmd_meter, &meter_options},
    {"serve", "capture for others, who ask over HTTP", cmd_serve, &serve_options},
    {"capture", "ask a service for a capture", cmd_capture, &capture_options},
    {"captures", "list a service's captures; wait for, cancel or delete one", cmd_captures,
     &captures_options},
    {"retrieve", "write the data of a capture", cmd_retrieve, &retrieve_options},
    {"capabilities", "show what a service can do", cmd_capabilities, &capabilities_options},
    {"port", "list what a service can capture from", cmd_port, &port_options},
    {"service", "make tap services, at whose ports copies of frames arrive", cmd_service,
     &service_options},
    {"flow", "have frames of a port copied to a tap service", cmd_flow, &flow_options},
    {"token", "make tokens for those who ask a service", cmd_token, &token_options},
    {"objects", "list, make and change a service's resources by their kinds", cmd_objects,
     &objects_options},
    {"events", "list what happened at a service", cmd_events, &events_options},
    {"keygen", "make a key pair for a tap or a collector", cmd_keygen, &keygen_options},
    {"status", "show the ledger of the taps and collectors on this host", cmd_status,
     &status_options},
    {"check", "tell the mistakes of a configuration file", cmd_check, &check_options},
    {"import", "print a configuration file made of another program's settings", cmd_import,
     &import_options},
};
const size_t commands_n = ARRAY_SIZE(commands);
