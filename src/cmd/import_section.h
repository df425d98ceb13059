/* SPDX-License-Identifier: Apache-2.0
 *
 * A section that is being made of ivTAP's settings: import_tap.c, import_limits.c and
 * import_server.c write its lines by these functions, and tell what has none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cmd/import_ivtap.h"

struct section {
    struct import *m;
    const struct ivtap *t;
    const struct conf_table *table; /* of the section */
};

enum {
    IVTAP_MAX = INT32_MAX, /* of its numbers, which are Java's int */
};

/* The value of ivTAP's setting; NULL: it has none. */
const char *section_value(const struct section *s, enum ivtap_setting setting);
/* Prints our setting below a comment that has ivTAP's, and `how` it was converted behind it; or
 * tells why the line cannot be, and gives false. */
bool section_put(const struct section *s, enum ivtap_setting setting, const char *ours,
                 const char *value, const char *how);
/* Tells that our setting is left out since ivTAP's has no value. */
void section_missing(const struct section *s, enum ivtap_setting setting, const char *ours);
/* Tells that our setting is left out, and why. */
void section_leave_out(const struct section *s, enum ivtap_setting setting, const char *ours,
                       const char *why);
/* The number that ivTAP's setting is, within limits; false after telling that our setting is left
 * out. */
bool section_number(const struct section *s, enum ivtap_setting setting, const char *ours,
                    uint64_t min, uint64_t max, uint64_t *ret);

/* Puts a time of whole seconds, where base/parse.h has such a time. */
void section_seconds(const struct section *s, enum ivtap_setting setting, const char *ours,
                     uint64_t seconds, const char *how);
/* The file with the passphrase, or what has to be added as ivTAP has none; NULL: it was not given.
 */
void section_key(const struct section *s, const char *key_file);

/* ---- the parts ---- */

/* rate, check-interval, breach-intervals, on-limit. */
void section_limits(const struct section *s);
/* max-idle, max-restarts, business-hours. */
void section_idle(const struct section *s);
