/* SPDX-License-Identifier: Apache-2.0
 *
 * The Community ID (version 1, seed 0) of a flow: a text that many programs make of the same flow
 * in the same way, in both directions, so that their records can be joined.
 * https://github.com/corelight/community-id-spec
 */
#pragma once

#include "proto/flowrec.h"

enum {
    COMMUNITY_LEN = 30,
};

/* False: it cannot be made. */
bool community_id(const struct flowrec *r, char ret[COMMUNITY_LEN + 1]);
