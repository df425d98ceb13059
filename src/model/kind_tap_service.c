/* SPDX-License-Identifier: Apache-2.0
 *
 * The kind of tap services: a port at which the copies of its flows (model/kind_tap_flow.c) arrive.
 */
#include "model/kinds.h"

static const struct field fields[] = {
    KIND_COMMON,
    [TAP_SERVICE_F_NAME] = {.name = "name",
                            .type = FIELD_TEXT,
                            .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_FILTER | FIELD_SORT,
                            .max = TAP_NAME_MAX,
                            .dflt = "",
                            .title = "NAME",
                            .help = "of the users' choice; several may have the same"},
    [TAP_SERVICE_F_DESCRIPTION] = {.name = "description",
                                   .type = FIELD_TEXT,
                                   .flags = FIELD_CREATE | FIELD_CHANGE | FIELD_FILTER,
                                   .max = TAP_NAME_MAX,
                                   .dflt = "",
                                   .help = "for people"},
    [TAP_SERVICE_F_PORT] = {.name = "port",
                            .type = FIELD_TEXT,
                            .flags = FIELD_CREATE | FIELD_MUST | FIELD_FILTER,
                            .min = 1,
                            .max = TAP_PORT_MAX,
                            .title = "PORT",
                            .help = "the id of the port at which copies arrive; a name or an alias "
                                    "becomes it"},
    [TAP_SERVICE_F_FRAMES] = {.name = "frames",
                              .type = FIELD_WORD,
                              .flags = FIELD_CREATE,
                              .dflt = "wire",
                              .words = "wire|super",
                              .help = "wire: as they would be on a cable; super: as they are, "
                                      "several of them in one piece"},
    [TAP_SERVICE_F_STATUS] = {.name = "status",
                              .type = FIELD_WORD,
                              .flags = FIELD_FILTER,
                              .dflt = "DOWN",
                              .words = "DOWN|ACTIVE|ERROR|PENDING_DELETE",
                              .title = "STATUS",
                              .help = "ACTIVE: the port takes copies"},
    [TAP_SERVICE_F_STATUS_REASON] = {.name = "status_reason",
                                     .type = FIELD_TEXT,
                                     .flags = FIELD_NULL,
                                     .max = TAP_REASON_MAX,
                                     .help = "why it is not ACTIVE"},
    [TAP_SERVICE_F_LEAVES] = {.name = "leaves",
                              .type = FIELD_TIME,
                              .flags = FIELD_HIDDEN | FIELD_NULL,
                              .help = "when it was deleted, while it is still in use"},
};
_Static_assert(ARRAY_SIZE(fields) == TAP_SERVICE_FIELDS, "a row for each");

const struct kind kind_tap_service = {"tap_service", "tap_services", fields, ARRAY_SIZE(fields)};
