/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames in IP, to an address: VXLAN, GRE or ERSPAN (proto/encap.h). A frame that does not
 * fit the path is cut to fit it, dropped, or sent in fragments, as the user wishes; the sink learns
 * the width of the path from the kernel.
 */
#pragma once

#include "data/sink.h"
#include "proto/encap.h"
#include "sys/udp.h"

enum {
    ENCAP_IPV4_LEN = 20,
    ENCAP_IPV6_LEN = 40,
    ENCAP_HOST_MAX = 253, /* characters of a host's name */
};

/* The fate of a frame that does not fit the path. */
enum encap_oversize {
    ENCAP_SLICE,
    ENCAP_DROP,
    ENCAP_FRAGMENT,
};

/* A tunnel as -o names it. */
struct encap_wish {
    struct encap tunnel;
    struct udp_addr to; /* its port is not used; len 0: `host` is looked up */
    char host[ENCAP_HOST_MAX + 1];
    enum encap_oversize oversize;
};

/* Reads "HOST[:PORT]/VNI", "HOST[/KEY]" or "HOST/SESSION", with
 * ",oversize=slice|drop|fragment" behind it. -EINVAL with a sentence. */
int encap_wish_read(enum encap_kind kind, const char *text, struct encap_wish *ret,
                    struct error *err);
/* `fd`: of rawip_open() (sys/rawip.h), taken, also on failure. `name` is shown. 0 or -errno with a
 * sentence. */
int encap_sink_new(const struct encap_wish *w, const char *name, int fd, struct sink **ret,
                   struct error *err);
