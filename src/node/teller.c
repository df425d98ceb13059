/* SPDX-License-Identifier: Apache-2.0 */
#include "node/teller.h"

#include <stdarg.h>
#include <stdio.h>

void teller_tell(const struct teller *t, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    t->tell(t->user, text);
}
