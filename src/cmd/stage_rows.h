/* SPDX-License-Identifier: Apache-2.0
 *
 * The option for stages, at both ends: tap_options.c and collector_options.c have the group in
 * their tables, at a struct stage_list.
 */
#pragma once

#include "base/conf.h"

extern const struct conf_group stage_group;
