/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 of the files of captures that have ended, for those who download them: one file after the
 * other is read in pieces between other work, so that nobody waits for it. A process that dies in
 * the midst begins that file anew.
 */
#pragma once

#include "control/store.h"
#include "sys/loop.h"

struct hashes;

struct hashes_conf {
    struct loop *loop;
    struct store *store;
    /* As open_data of struct api_edges; hashes_woken() once it is known. */
    int (*open)(void *user, const uint8_t id[16], void *waiter, int *ret_fd, struct error *err);
    /* Before a change: no transaction may be under way. */
    void (*settle)(void *user);
    void *user;
};

/* All that have ended and have no hash are looked for, some time after the start. -errno. */
int hashes_new(const struct hashes_conf *conf, struct mono now, struct hashes **ret);
/* Takes NULL. */
void hashes_free(struct hashes *h);
/* The capture of that id has ended. */
void hashes_add(struct hashes *h, const char *id);
/* The waiter that open() was given has its answer. False: it is not one of these. */
bool hashes_woken(struct hashes *h, const void *waiter);
