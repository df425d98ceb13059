/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap flow as the broker is told of it, and as it is in the kernel.
 */
#pragma once

#include <linux/filter.h>
#include <net/if.h>

#include "proto/ebpf_taps.h"
#include "proto/tapwant.h"

struct mirror_flow {
    uint8_t id[WANTED_ID], service[WANTED_ID];
    char source[IFNAMSIZ], destination[IFNAMSIZ];
    uint8_t dir; /* enum frame_dir; FRAME_DIR_UNKNOWN: both */
    bool super;  /* super-packets go to the destination as they are */
    bool has_vlans;
    struct vlan_set vlans;
    uint16_t n_filter; /* instructions; 0: none */
};

struct mirror_is {
    enum tap_state state;
    char words[WANTED_WORDS];      /* of other states than TAP_IS_FLOWING; "": it is under way */
    struct ebpf_taps_count counts; /* only grow as long as the flow is wanted */
};
