/* SPDX-License-Identifier: Apache-2.0
 *
 * Both decoders on any bytes; what is accepted must encode to the same bytes again.
 */
#include <stdlib.h>
#include <string.h>

#include "sys/broker_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const uint8_t *out, int n, const uint8_t *data, size_t size)
{
    if (n < 0 || (size_t)n != size || memcmp(out, data, size) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[BROKER_REPLY_MAX] = {0};
    struct broker_msg_request q;
    struct broker_msg_reply p;
    if (broker_msg_get_request(data, size, &q) == 0) {
        check_again(out, broker_msg_put_request(out, sizeof(out), &q), data, size);
    }
    if (broker_msg_get_reply(data, size, &p) == 0) {
        if (memchr(p.err.text, 0, sizeof(p.err.text)) == NULL) {
            abort();
        }
        if (strlen(p.err.text) + p.len + 18 == size) { /* no zeros among the words */
            check_again(out, broker_msg_put_reply(out, sizeof(out), &p), data, size);
        }
    }
    return 0;
}
