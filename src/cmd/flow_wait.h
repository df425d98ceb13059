/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows as they are, once or again and again.
 */
#pragma once

#include "cmd/taps_client.h"

/* "web  ACTIVE  home:web0 → home:ids0  both  in the kernel" on standard output, with counts and
 * the reason of another status. */
void flow_print(const struct tap_client_lists *l, const json_t *flow);
/* Until the flow of that id is ACTIVE, for so long: *flow is what it became. -ETIMEDOUT with a
 * sentence that has the reason; -EINTR. */
int flow_wait(struct client *c, int64_t ns, json_t **flow, struct error *err);
/* Prints it each second, until a signal comes or the flow is gone. */
int flow_watch(struct client *c, const struct tap_client_lists *l, const char *id,
               struct error *err);
