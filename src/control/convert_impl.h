/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms behind control/convert.h: each takes the file's units, one after the other, and adds
 * what comes of them to the output.
 */
#pragma once

#include "control/convert.h"
#include "control/json.h"

enum {
    CONVERT_UNIT_MAX = 1 << 20, /* bytes of a unit; none that the data role writes is longer */
};

struct convert;

struct convert_ops {
    int (*begin)(struct convert *c); /* 0 or -ENOMEM */
    /* The unit that begins at `p`: how many bytes it has into *ret_used. 0: it is not whole yet,
     * and may need c->need bytes. -EBADMSG, -ENOTSUP, -ENOMEM. */
    int (*take)(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used);
    int (*end)(struct convert *c);   /* NULL: nothing comes at the end */
    void (*done)(struct convert *c); /* NULL: nothing is held */
};

struct convert {
    struct convert_conf conf;
    const struct convert_ops *ops;
    struct http_body source;
    uint8_t *in; /* what is there of the file's next units: [in_at, in_len) */
    size_t in_at, in_len, in_cap, need;
    struct text out; /* [out_at, len) is to be sent */
    size_t out_at;
    bool source_ended, ended;
    int failed; /* -errno */
    void *form; /* what the form keeps */
};

extern const struct convert_ops convert_flows_csv, convert_flows_long, convert_flows_json,
    convert_rows_json, convert_pcap;
