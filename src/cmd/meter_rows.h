/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of flow records that a meter and a collector share.
 */
#pragma once

#include "base/conf.h"

extern const struct conf_group meter_net_group;  /* its rows write to struct exports_conf, … */
extern const struct conf_group meter_flow_group; /* … and these to struct meter_conf */
