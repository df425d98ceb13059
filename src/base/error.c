/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return -code;
}

int error_sys(struct error *err, int code, const char *fmt, ...)
{
    if (err) {
        char why[96];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        size_t used = strlen(err->text);
        const char *words = strerror_r(code, why, sizeof(why));
        snprintf(err->text + used, sizeof(err->text) - used, ": %s", words);
    }
    return -code;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
    if (!err) {
        return;
    }
    struct error old = *err;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", old.text);
}
