/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a frame: walks stay inside; the headers alone give the same as the whole frame, and
 * so does the frame with the flow turned round; a frame without its tunnel lies in the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_inside(const uint8_t *data, size_t size, const uint8_t *at, size_t n)
{
    require(at >= data && n <= size && (size_t)(at - data) <= size - n);
}

static struct inner turned(const struct inner *in)
{
    struct inner t = *in;
    for (unsigned i = 0; i < 2; i++) {
        t.addr[i] = in->addr[!i];
        t.port[i] = in->port[!i];
        t.mac[i] = in->mac[!i];
    }
    return t;
}

static bool same(const struct inner *a, const struct inner *b)
{
    for (unsigned i = 0; i < 2; i++) {
        if (a->addr[i] != b->addr[i] || a->port[i] != b->port[i] || a->mac[i] != b->mac[i]) {
            return false;
        }
    }
    return a->headers == b->headers && a->family == b->family && a->proto == b->proto &&
           a->fragment == b->fragment;
}

static void check_walk(const uint8_t *data, size_t size)
{
    struct inner in, less;
    uint8_t key[INNER_KEY_MAX], other[INNER_KEY_MAX];
    inner_walk(data, size, &in);
    require(in.headers <= size);
    for (unsigned i = 0; i < 2; i++) {
        if (in.family != 0) {
            check_inside(data, in.headers, in.addr[i], in.family == 2 ? 4 : 16);
        }
        if (in.mac[0]) {
            check_inside(data, in.headers, in.mac[i], 6);
        }
    }
    require(!in.fragment || (in.port[0] == 0 && in.port[1] == 0));
    inner_walk(data, in.headers, &less);
    require(same(&in, &less));
    struct inner back = turned(&in);
    size_t n = inner_key(&in, key);
    require(n >= 2 && n <= INNER_KEY_MAX);
    require(inner_key(&back, other) == n && memcmp(key, other, n) == 0);
}

static void check_strip(const uint8_t *data, size_t size, enum inner_tunnel kind)
{
    struct inner_strip s;
    struct frame f = {.data = data, .datalen = (uint32_t)size};
    f.caplen = f.datalen;
    f.origlen = f.datalen + 100;
    if (inner_strip(data, size, kind, &s) < 0) {
        require(inner_strip_frame(&f, kind) < 0 && f.data == data && f.caplen == size);
        return;
    }
    require(s.off > 0 && s.off < size && s.end > s.off && s.ins_len <= FRAME_INS_MAX);
    require(inner_strip_frame(&f, kind) == 0);
    require(f.caplen >= 14 && f.caplen <= f.origlen && f.ins_off <= f.datalen);
    check_inside(data, size, f.data, f.datalen);
    require(f.caplen <= f.datalen + f.ins_len);
    uint8_t *copy = malloc(f.caplen); /* on the wire it is a frame like any other */
    if (copy) {
        frame_copy(&f, 0, copy, f.caplen);
        check_walk(copy, f.caplen);
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    check_walk(data, size);
    check_strip(data, size, INNER_VLAN);
    check_strip(data, size, INNER_VXLAN);
    check_strip(data, size, INNER_GRE);
    check_strip(data, size, INNER_ERSPAN);
    return 0;
}
