/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: frames put together from words, "eth vlan ip vxlan eth ip6 tcp", with right
 * lengths, numbered addresses, and where the innermost headers are. testing.c has the words.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TESTING_MAX = 1024,
    TESTING_SPORT = 40000,
    TESTING_DPORT = 1234,
};

/* A frame and its innermost headers, as offsets. */
struct made {
    uint8_t d[TESTING_MAX];
    uint32_t len, headers, mac;
    uint32_t addr, proto, ports; /* 0: none */
    uint8_t family;
    bool fragment;
};

/* Makes the frame of these words. Its Ethernet and IP headers are numbered from `eths` and `ips`
 * on. The words behind "-" are data: nothing of them is to be found. `turned`: in the other
 * direction. */
void testing_make_at(struct made *m, const char *words, unsigned eths, unsigned ips, bool turned);
/* The same, numbered from 0 on, in the first direction. */
void testing_make(struct made *m, const char *words);

/* Frames that are understood to their end, also by tshark; the last is NULL. */
extern const char *const testing_shapes[];
