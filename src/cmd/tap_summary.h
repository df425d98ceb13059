/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines that `farspan tap` ends with, as tcpdump does.
 */
#pragma once

#include "node/tap.h"

/* Says what was captured, and what did not arrive. Returns the exit status: a capture of which
 * nothing can have arrived is a failure, and with `strict` one of which something may be missing.
 */
int tap_summary(const struct tap *t, const char *collector, bool strict);
