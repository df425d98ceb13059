/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of `farspan collector` about frames that come without a tap. They write to a struct
 * mirrors_conf (node/mirrors.h).
 */
#pragma once

#include "base/conf.h"

extern const struct conf_group mirror_group;

/* Checks of the table: `line` is a struct collector_line. Of the second, the collector itself asks
 * when it opens its sockets (mirrors_open). */
int mirror_check(const void *line, struct error *err);
int mirror_allows(const void *line, struct error *err);
