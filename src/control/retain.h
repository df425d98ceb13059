/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures that are kept long enough: they and their files are deleted, as model/retention.h
 * chooses. Whoever runs the service calls it now and then; OpenTap did every 300 s.
 */
#pragma once

#include "control/store.h"
#include "model/retention.h"

enum {
    RETAIN_MOST = 256, /* that go at a time, so that nobody waits for long */
    RETAIN_S = 300,
};

struct retain_conf {
    struct store *store;
    struct retention_conf retention;
    /* The capture is no longer in the store, and its file is of no use. After the commit. */
    void (*deleted)(void *user, const uint8_t id[16]);
    void *user;
};

/* In a transaction of its own, so that none is under way. How many were deleted, each with its
 * event; or -ENOMEM, or what the store says. */
int retain_look(const struct retain_conf *c, int64_t now_ns, struct error *err);
