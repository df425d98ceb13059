/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a tap's or collector's sentences for people go. Libraries do not print: the command that
 * runs one gives it a teller, and node/tap.c, node/collector.c and what they are made of tell it.
 */
#pragma once

#include "base/cleanup.h"

struct teller {
    void (*tell)(void *user, const char *text); /* one sentence, without a newline */
    void *user;
};

void teller_tell(const struct teller *t, const char *fmt, ...) _printf_(2, 3);
