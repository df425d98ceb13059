/* SPDX-License-Identifier: Apache-2.0
 *
 * Destinations at which copies are frames as they would be on a cable: the kernel cuts
 * super-packets and finishes checksums itself, because the features (sys/ethtool.h) that leave this
 * to the interface are switched off. Each feature that is switched off is noted before
 * (mirror_note.h), and switched on again as soon as nobody wants such frames there; after the
 * process was killed, by mirror_wires_recover() of the next one.
 *
 * Calls are about rounds: whoever wants such frames at a destination says so in each of them.
 */
#pragma once

#include "base/cleanup.h"
#include "sys/netif.h"

struct mirror_wires;

/* `notes`: the folder of the note, which stays the caller's, or -1. -ENOMEM. */
int mirror_wires_new(int notes, struct mirror_wires **ret);
/* Puts everything back. Takes NULL. */
void mirror_wires_free(struct mirror_wires *w);
DEFINE_FREEP(struct mirror_wires, mirror_wires_free)

/* Puts back what is in the note. An interface that has another index or address than noted is
 * another one, and left alone. -errno with the sentence of the first failure: the rest is done, and
 * what failed is tried again at each round's end. */
int mirror_wires_recover(struct mirror_wires *w, struct error *err);

/* Such frames are still wanted at the interface of that name, whether or not it is there. */
void mirror_wires_want(struct mirror_wires *w, const char *name);
/* They are wanted at `to`: its features are looked at, once in a round, and switched off where they
 * are on. -EOPNOTSUPP: it does not let one be switched off; other -errno with a sentence. */
int mirror_wires_hold(struct mirror_wires *w, const struct netif *to, struct error *err);
/* The round ends: what nobody has wanted in it is put back. As mirror_wires_recover(). */
int mirror_wires_round(struct mirror_wires *w, struct error *err);
