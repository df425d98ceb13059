/* SPDX-License-Identifier: Apache-2.0
 *
 * A peer's message: 32 bytes that should be a point, then associated data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/crypto/cpace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t scalar[32] = {5};
    struct cpace c;
    uint8_t mine[32], isk[64] = {0}, zero[64] = {0};
    if (size < CPACE_POINT_LEN) {
        return 0;
    }
    if (cpace_init(&c, "hello", 5, "ci", 2, (const uint8_t *)"sid", 3, scalar, mine) < 0) {
        abort();
    }
    int r = cpace_finish(&c, size % 2, "own", 3, data, data + 32, size - 32, isk);
    if (r != 0 && r != -EBADMSG && r != -EMSGSIZE) {
        abort();
    }
    if ((r == 0) == (memcmp(isk, zero, sizeof(isk)) == 0)) {
        abort(); /* a key exactly when it was accepted */
    }
    if (c.ready) {
        abort();
    }
    return 0;
}
