/* SPDX-License-Identifier: Apache-2.0
 *
 * A pcap-filter(7) expression into the classic BPF program that tcpdump would attach for the same
 * interface. libpcap knows only on an activated live handle that the kernel keeps VLAN tags beside
 * the frame and knows a frame's direction, so a handle is opened for the time of compiling: that
 * needs CAP_NET_RAW. proto/bpfsel.h puts what a tap decides by itself before the result.
 */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

#include "base/error.h"
#include "sys/netif.h"

struct filter_prog {
    struct sock_filter *insns; /* owned; NULL when nothing was compiled */
    unsigned n;
};

/* Compiles `expr` (NULL or blank: everything). `ifname` NULL, absent or down: code for any
 * other interface that is up and framed likewise. A frame that matches gives `snaplen` (0: 262144).
 * -EINVAL with libpcap's own words; -ENETDOWN when no interface is up to compile for. */
int filter_compile(const char *expr, const char *ifname, enum netif_framing framing,
                   uint32_t snaplen, struct filter_prog *ret, struct error *err);
void filter_done(struct filter_prog *p);

/* The words of a command line as one expression, as tcpdump joins them: by blanks. "" for none;
 * the caller frees it; NULL when memory is short. */
char *filter_join(char *const *words, int n);
