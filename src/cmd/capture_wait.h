/* SPDX-License-Identifier: Apache-2.0
 *
 * The wait for a capture's end, and for its data, which `farspan capture`, `captures wait` and
 * `retrieve` have in common.
 */
#pragma once

#include "base/time.h"
#include "cmd/client.h"

struct capture_wait {
    struct client *client;
    struct client *side; /* asks for counts while the other takes data; NULL: nobody does */
    char path[64];       /* of the capture, with its whole id */
    json_t *capture;     /* as it was last; owned; NULL: not looked at yet */
    const char *query;   /* behind the path of its data; NULL: none */
    bool now;            /* its data so far will do */
    int fd;              /* where its data goes, borrowed; -1: nowhere */
    uint64_t received;   /* bytes of it */
    struct mono shown;
};

/* Waits for its end with progress, and takes its data as it comes: 0, or -errno with a sentence.
 * What has ended without data leaves `received` 0. -EINTR: a signal came. */
int capture_wait(struct capture_wait *w, struct error *err);
/* Frees what it holds; the client stays open. */
void capture_wait_done(struct capture_wait *w);
