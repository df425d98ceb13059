/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of OpenTap's adapter, which struct api_conf hands to its handlers.
 */
#pragma once

#include "control/opentap_conf.h"
#include "proto/flowcsv.h"

enum {
    OPENTAP_RETENTION_MIN = 7 * 24 * 60, /* minutes, where its file says nothing */
};

struct opentap_settings {
    const struct opentap_conf *conf; /* of its own files; NULL: there are none */
    flowcsv_zone *offset_ns;         /* of local time, in which its flows are; NULL: UTC */
};
