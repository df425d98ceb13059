/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines that `farspan collector` begins and ends with.
 */
#pragma once

#include "node/collector.h"

/* Says where frames come from and where they go. */
void collector_say_where(const struct collector_conf *c);
/* Says what was received and what was lost. */
void collector_summary(const struct collector *c);
