/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed datagrams that have not left yet, because the system or the rate did not let them. They
 * have their numbers and keep them: the same bytes are sent, under the key that they were sealed
 * with. Belongs to one data thread; memory is taken once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unsent;

/* Room for so many bytes. NULL: no memory. */
struct unsent *unsent_new(size_t bytes);
/* Takes NULL. */
void unsent_free(struct unsent *u);

/* Copies them behind the others: datagrams of `datagram` bytes, the last perhaps shorter. False
 * where there is no room. */
bool unsent_put(struct unsent *u, const uint8_t *data, size_t len, uint32_t datagram);
/* The first of them, as many as can be sent by one call; len 0: there are none. */
const uint8_t *unsent_front(const struct unsent *u, size_t *ret_len, uint32_t *ret_datagram);
/* So many bytes of these, whole datagrams, have left. */
void unsent_pop(struct unsent *u, size_t len);
/* Forgets all; returns how many datagrams that were. */
unsigned unsent_clear(struct unsent *u);

bool unsent_empty(const struct unsent *u);
unsigned unsent_datagrams(const struct unsent *u);
/* Without headers. */
size_t unsent_bytes(const struct unsent *u);
