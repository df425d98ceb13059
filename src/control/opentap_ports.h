/* SPDX-License-Identifier: Apache-2.0
 *
 * Aliases of OpenTap's file, as those of ports.
 */
#pragma once

#include "control/opentap_conf.h"
#include "control/store.h"

/* Gives ports the aliases of its file, where they have none and no other port has the name: now and
 * then, as ports come. In a transaction of its own, so that none is under way. How many got one, or
 * what the store says. */
int opentap_name_ports(struct store *s, const struct opentap_conf *c, struct error *err);
