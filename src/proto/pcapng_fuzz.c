/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a capture file, read block by block, every frame and text touched; and the search
 * for the last whole block, which must end where the reader still agreed.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pcapng_reader reader;
static volatile uint8_t sum;

static void touch(const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + b[i]);
    }
}

static void touch_text(struct pcapng_text t)
{
    touch(t.p, t.p ? t.len : 0);
}

static void touch_item(const struct pcapng_item *it)
{
    touch(it->data, it->kind == PCAPNG_FRAME ? it->epb.caplen : 0);
    touch_text(it->shb.app);
    touch_text(it->shb.os);
    touch_text(it->shb.hardware);
    touch_text(it->idb.name);
    touch_text(it->idb.description);
    touch_text(it->idb.filter);
    touch_text(it->idb.os);
    touch_text(it->isb.comment);
}

static void find_tail(const uint8_t *data, size_t size, size_t window, uint64_t readable)
{
    struct pcapng_tail t;
    pcapng_tail_init(&t, size);
    int go = size > 0;
    while (go == 1) {
        uint64_t before = t.at;
        size_t left = size - (size_t)t.at;
        go = pcapng_tail_feed(&t, data + t.at, left < window ? left : window);
        if (t.at > size || t.good > size || (go == 1 && t.at == size) ||
            (go == 1 && t.at < before)) {
            abort();
        }
    }
    if (t.good < readable) { /* the reader looks closer: it never reads further */
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pcapng_item it;
    size_t at = 0;
    pcapng_reader_init(&reader);
    while (at < size && pcapng_read(&reader, data + at, size - at, &it) == 0 &&
           it.kind != PCAPNG_MORE) {
        if (it.len > size - at || (it.kind == PCAPNG_FRAME && it.epb.ifid >= reader.n_ifs)) {
            abort();
        }
        touch_item(&it);
        at += it.len;
    }
    find_tail(data, size, 16, at);
    find_tail(data, size, size + 1, at);
    return 0;
}
