/* SPDX-License-Identifier: Apache-2.0
 *
 * pcap over IP: whoever connects to a TCP socket is given a capture file's header and the frames
 * from then on. Each frame is in the ledger once, whatever the number of readers: it is out when
 * the system has taken it for one of them at least.
 *
 * All frames are Ethernet, as the link gives them: one header serves everybody, so that a link of
 * another type has the made-up header that it has on a device.
 */
#pragma once

#include "data/sink.h"
#include "sys/udp.h"

enum pcapip_format {
    PCAPIP_PCAP,    /* times in microseconds */
    PCAPIP_PCAP_NS, /* in nanoseconds */
    PCAPIP_PCAPNG,
};

/* The output as -o names it. */
struct pcapip_wish {
    struct udp_addr at; /* its port is not used */
    uint16_t port;
    enum pcapip_format format;
    bool clear; /* the address may be one that others reach */
};

/* Reads what follows "pcap-over-ip://". -EINVAL with a sentence. */
int pcapip_wish_read(const char *text, struct pcapip_wish *ret, struct error *err);
/* `fd`: of tcp_listen() (sys/tcp.h), taken, also on failure. `os`: of the host, may be NULL. 0 or
 * -errno with a sentence. */
int pcapip_sink_new(const struct pcapip_wish *w, const char *name, const char *os, int fd,
                    struct sink **ret, struct error *err);
