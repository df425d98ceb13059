/* SPDX-License-Identifier: Apache-2.0
 *
 * Any message of a role: what decodes must encode again to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/rolemsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rolemsg m;
    static uint8_t out[WANTED_MESSAGE_MAX];
    if (size > sizeof(out) || rolemsg_get(data, size, &m) < 0) {
        return 0;
    }
    const int n = rolemsg_put(out, sizeof(out), &m);
    if (n < 0 || (size_t)n != size || memcmp(out, data, size) != 0) {
        abort();
    }
    return 0;
}
