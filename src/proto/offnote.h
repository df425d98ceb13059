/* SPDX-License-Identifier: Apache-2.0
 *
 * The note of features that were switched off at interfaces (sys/ethtool.h), so that whoever comes
 * after a process that was killed can switch them on again. A text of lines:
 *
 *     BOOT IFINDEX MAC NAME FEATURE,FEATURE…
 *
 * BOOT is the kernel's boot_id, MAC bytes as 02:00:…, or "-" where the interface has none. A name
 * of an interface, and one of a feature, has no blank. Several lines may be of one interface. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    OFFNOTE_BOOT = 36, /* characters */
    OFFNOTE_NAME = 16, /* bytes with the end, as IFNAMSIZ */
    OFFNOTE_MAC = 16,
    OFFNOTE_FEATURES = 48,
    OFFNOTE_FEATURE = 32,
    /* A number and the bytes of a MAC have 10 and 3 characters, and a blank follows each field. */
    OFFNOTE_LINE =
        OFFNOTE_BOOT + 1 + 11 + 3 * OFFNOTE_MAC + OFFNOTE_NAME + OFFNOTE_FEATURES * OFFNOTE_FEATURE,
};

struct offnote {
    char boot[OFFNOTE_BOOT + 1];
    uint32_t ifindex; /* 1 to INT32_MAX */
    uint8_t mac_len, mac[OFFNOTE_MAC];
    char name[OFFNOTE_NAME];
    unsigned n; /* 1 or more */
    char feature[OFFNOTE_FEATURES][OFFNOTE_FEATURE];
};

/* True: it has it now. A name that is none, or for which there is no room, is left out. */
bool offnote_add(struct offnote *v, const char *feature);
bool offnote_has(const struct offnote *v, const char *feature);

/* A line. -EMSGSIZE. */
int offnote_put(struct wr *w, const struct offnote *v);
/* The next line, which the cursor is behind then. -EBADMSG: it is none; -ENODATA: the last line has
 * no end, or there is none any more, and the cursor is at the end. */
int offnote_get(struct rd *r, struct offnote *ret);
