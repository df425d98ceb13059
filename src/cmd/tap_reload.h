/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file of `farspan tap`, read again on SIGHUP: the broker may open what it names
 * from then on, and the engine's tap becomes another one.
 */
#pragma once

#include "cmd/reload.h"

/* Of a struct tap_line, struct tap_grants, struct tap. */
extern const struct reload_ops tap_reload_ops;
