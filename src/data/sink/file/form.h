/* SPDX-License-Identifier: Apache-2.0
 *
 * The form of frames in a capture file. Taps send all frames as Ethernet; where a link has no such
 * header, they make one up, of zero addresses. A file gives such frames in the form of their link:
 * raw IP, or "Linux cooked" (the link type SLL), as tcpdump does. Pure; only file.c uses it.
 *
 * Programs that use libpcap read a file up to the first interface whose link type is not that of
 * the file's first. So that one decides: interfaces of the same link type have that form in the
 * file, all others have Ethernet's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"

struct file_form {
    uint16_t linktype; /* in the file: PCAPNG_LINKTYPE_… */
    uint16_t arphrd;   /* of the link, for the cooked header */
};

/* The link type of an interface in a file whose first interface has `first` (0: it is the first);
 * `own`: of its link, as its tap says. */
uint16_t file_form_linktype(uint16_t first, uint16_t own);

/* The frame in that form; it shares f's bytes. False when it has none: it came with a header of
 * Ethernet that was not made up, as when the link has become another, or one that is cut short. */
bool file_form_frame(const struct file_form *form, const struct frame *f, struct frame *ret);
