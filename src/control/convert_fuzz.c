/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a capture's file, in each form: the first byte chooses the form, in which pieces it
 * comes, and whether it may be torn. The output ends, and the source is freed once.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    const uint8_t *p;
    size_t len, piece;
    unsigned freed;
};

static ssize_t give(void *user, uint8_t *buf, size_t cap)
{
    struct source *s = user;
    size_t n = MIN(MIN(cap, s->piece), s->len);
    memcpy(buf, s->p, n);
    s->p += n;
    s->len -= n;
    return (ssize_t)n;
}

static void freed(void *user)
{
    ((struct source *)user)->freed++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[4096];
    if (size == 0) {
        return 0;
    }
    struct source s = {data + 1, size - 1, data[0] & 0x80 ? 7 : 4096, 0};
    const struct http_body from = {give, freed, &s};
    const struct convert_conf conf = {.to = (enum convert_to)(data[0] % (CONVERT_PCAP + 1)),
                                      .torn = data[0] & 0x40};
    struct http_body made;
    ssize_t n = 0;
    if (convert_open(&from, &conf, &made, NULL) < 0) {
        assert(s.freed == 0);
        return 0;
    }
    do {
        n = made.read(made.user, buf, sizeof(buf));
        assert(n <= (ssize_t)sizeof(buf));
    } while (n > 0);
    assert(n == 0 || n == -EBADMSG || n == -ENOTSUP);
    made.free(made.user);
    assert(s.freed == 1);
    return 0;
}
