/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan collector` whose value has a form (collector_values.c), for its rows
 * (collector_options.c).
 */
#pragma once

#include "cmd/collector.h"
#include "cmd/options.h"

/* The setters of rows; each writes to a struct collector_conf. */
option_set collector_set_port, collector_set_threads, collector_set_device, collector_set_order,
    collector_set_queue;
