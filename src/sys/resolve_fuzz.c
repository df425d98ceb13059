/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoder on any bytes; what is accepted must encode to the same bytes again.
 */
#include <stdlib.h>
#include <string.h>

#include "sys/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resolve_answer a;
    uint8_t out[RESOLVE_ANSWER_LEN];
    if (resolve_answer_get(data, size, &a) == 0) {
        resolve_answer_put(out, &a);
        if (size != sizeof(out) || memcmp(out, data, size) != 0) {
            abort();
        }
    }
    return 0;
}
