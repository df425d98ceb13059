/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of settings: those of all commands, and those that are sections of a configuration
 * file. tables.c has the lists; each command has its table.
 */
#pragma once

#include "cmd/options_help.h"

/* To a NULL. */
extern const struct conf_table *const config_tables[];

/* Looks at settings that concern each other, in a command's structure: 0, or -errno with a
 * sentence. Lists of them end with NULL; a command stops at the first that fails, `farspan check`
 * tells all. */
typedef int conf_check(const void *line, struct error *err);
extern conf_check *const tap_checks[], *const collector_checks[];
/* Those that a collector asks when it starts, so that its command line may be right without. */
extern conf_check *const collector_start_checks[];
int conf_check_all(conf_check *const *checks, const void *line, struct error *err);

extern const struct options tap_options, collector_options, keygen_options, status_options,
    check_options, import_options, meter_options, serve_options, capture_options, captures_options,
    retrieve_options, capabilities_options, port_options, token_options, events_options,
    objects_options, service_options, flow_options;
extern const struct conf_table tap_table, collector_table, describe_table, serve_table;
