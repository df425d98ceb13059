/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/proctitle.h"

#include <string.h>

void proctitle_wipe_value(char *secret)
{
    size_t len = secret ? strlen(secret) : 0;
    if (len > 0) {
        explicit_bzero(secret, len); /* an ordinary memset of what nobody reads may be left out */
        *(volatile char *)secret = '*';
    }
}

void proctitle_wipe_arg(char *arg)
{
    if (!arg) {
        return;
    }
    if (arg[0] != '-') {
        proctitle_wipe_value(arg);
    } else if (arg[1] != '-') {
        proctitle_wipe_value(arg[1] ? arg + 2 : NULL);
    } else {
        char *eq = strchr(arg, '=');
        proctitle_wipe_value(eq ? eq + 1 : NULL);
    }
}
