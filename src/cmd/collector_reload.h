/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file of `farspan collector`, read again on SIGHUP, and its list of taps.
 */
#pragma once

#include "cmd/collector_line.h"
#include "cmd/reload.h"
#include "cmd/secrets.h"

/* Of a struct collector_line, struct collector_grants, struct collector. */
extern const struct reload_ops collector_reload_ops;

/* SIGHUP: has the collector be as the file says, then reads its list of taps, which is in the
 * secrets at first. What came of it is told; what is wrong changes nothing. */
void collector_reread(struct reload *r, struct broker *b, struct collector *c,
                      struct secrets *secrets);
