/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that select interfaces and frames and whose value has a form, of a tap and of a
 * meter: each writes to a struct selection.
 */
#pragma once

#include "base/conf.h"

conf_set select_set_interface, select_set_direction, select_set_vlans, select_set_ring;
