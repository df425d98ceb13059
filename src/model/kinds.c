/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kinds.h"

#include <errno.h>
#include <string.h>

#define TABLE(name) &kind_##name,

const struct kind *const kinds[KINDS] = {KINDS_EACH(TABLE)};

const struct kind *kinds_find(const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, name) == 0 || strcmp(kinds[i]->plural, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

int port_key(const char *agent, const char *netns, const char *name, uint8_t *ret, size_t cap)
{
    const char *const parts[] = {agent, netns, name};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        size_t n = strlen(parts[i]) + 1; /* no part has a zero, which keeps them apart */
        if (n > cap - at) {
            return -EMSGSIZE;
        }
        memcpy(ret + at, parts[i], n);
        at += n;
    }
    return (int)at;
}
