/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of ivTAP's settings in the forms of ours.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    IMPORT_DAYS = 64, /* bytes for days in words */
};

/* Could an interface be called so here? ivTAP has names as Windows gives them. */
bool import_is_interface(const char *name);
/* "HOST:PORT"; an IPv6 address gets its brackets. -EINVAL with a sentence. */
int import_collector(const char *host, uint16_t port, char *ret, size_t cap, struct error *err);
/* "2,3,6", where 1 is Sunday, as "mon, tue, fri", and "mon-fri" of three and more in a row; "": all
 * seven. Days that there are not are left out: *ret_wrong is the first of them, and lies in the
 * text, else NULL. -EINVAL: no day is left. */
int import_days(const char *text, char ret[IMPORT_DAYS], const char **ret_wrong);
