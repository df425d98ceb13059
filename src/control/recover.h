/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures out of their files: where the store was lost or damaged, or a process died in the midst
 * of deleting, files lie in the folder of captures that no capture is of. Nobody would see them, or
 * delete them when they are old. At the start each becomes a capture again, as far as its file
 * tells, in a project of its own, which only an admin of no project sees.
 */
#pragma once

#include "control/store.h"

#define RECOVER_PROJECT "recovered"

struct recover_conf {
    struct store *store;
    /* Bytes of a file: 16 for the id of each capture's file that is there. Both wait. */
    int (*list)(void *user, int *ret_fd, struct error *err);
    int (*open)(void *user, const uint8_t id[16], int *ret_fd, struct error *err);
    void *user;
};

/* How many there were. -errno with a sentence: none of them is in the store. */
int recover_captures(const struct recover_conf *c, struct error *err);
