/* SPDX-License-Identifier: Apache-2.0
 *
 * Any datagram and any plaintext: what decodes must encode again to something that decodes alike.
 */
#include <stdlib.h>

#include "proto/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void control(const uint8_t *data, size_t size)
{
    struct link_control c, again;
    uint8_t out[8192], out2[8192];
    if (size > LINK_CONTROL_MAX || link_control_decode(data, size, &c) < 0) {
        return;
    }
    int n = link_control_encode(&c, out, sizeof(out));
    check(n > 0 && link_control_decode(out, (size_t)n, &again) == 0);
    check(link_control_encode(&again, out2, sizeof(out2)) == n &&
          memcmp(out, out2, (size_t)n) == 0);
}

static void handshake(const uint8_t *data, size_t size)
{
    struct link_hs m, again;
    uint8_t out[LINK_HELLO_LEN];
    if (link_hs_decode(data, size, &m) < 0) {
        return;
    }
    int n = link_hs_encode(&m, out, sizeof(out));
    check(n > 0 && link_hs_decode(out, (size_t)n, &again) == 0);
    check(again.data_len == m.data_len && again.sender == m.sender && again.type == m.type);
}

static void frames(const uint8_t *data, size_t size)
{
    struct link_segment s;
    struct link_record r;
    (void)link_record_decode(data, size, &r);
    if (link_segment_decode(data, size, &s) < 0 || s.first == LINK_NO_FRAME) {
        return;
    }
    int need = link_frame_header_len(s.payload + s.first, s.payload_len - s.first);
    struct link_frame f, again;
    if (need < 0 || (uint32_t)need > s.payload_len - s.first ||
        link_frame_decode(s.payload + s.first, (size_t)need, s.base_ts, &f) < 0) {
        return;
    }
    uint8_t out[LINK_FRAME_HEADER_MAX];
    size_t len = link_frame_encode(&f, s.base_ts, out);
    check(link_frame_decode(out, len, s.base_ts, &again) == 0);
    check(again.weight == f.weight && again.ext_len == f.ext_len);
    check(link_frame_rung(&again) == link_frame_rung(&f));
    check(again.caplen == f.caplen && again.origlen == f.origlen && again.ts_ns == f.ts_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    control(data, size);
    handshake(data, size);
    frames(data, size);
    return 0;
}
