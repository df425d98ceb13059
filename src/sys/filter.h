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
/* Opens what filter_compile() needs for Ethernet and keeps it, so that filter_compile_kept() gives
 * the same program without any right, in processes that are forked later too. No frame comes to it.
 * -ENETDOWN. Does nothing where it is kept already. */
int filter_keep(struct error *err);
int filter_compile_kept(const char *expr, struct filter_prog *ret, struct error *err);
/* The same for Ethernet frames in memory, whose tags are in their places and whose direction is in
 * none: needs no privileges, but files where the expression has names. -EINVAL. */
int filter_compile_plain(const char *expr, struct filter_prog *ret, struct error *err);
/* The same for frames of that link type, by the registry of capture files (tcpdump.org/linktypes),
 * as a file has them that was written on a host of this byte order: BSD's loopback shows it.
 * -EINVAL also where libpcap cannot look into such frames. */
int filter_compile_linktype(const char *expr, uint16_t linktype, struct filter_prog *ret,
                            struct error *err);
/* May it be run? A program that another process has compiled may have any bytes in it. */
bool filter_is_valid(const struct filter_prog *p);
/* Does a frame of `origlen` bytes, of which `caplen` are there, match? */
bool filter_matches(const struct filter_prog *p, const uint8_t *bytes, uint32_t caplen,
                    uint32_t origlen);
void filter_done(struct filter_prog *p);

/* Programs that one process has compiled, for another that may not open what that takes: the first
 * records them as it reads its settings, the second reads the same settings and plays them. */
enum filter_tape_mode {
    FILTER_TAPE_NONE,
    FILTER_TAPE_RECORD,
    FILTER_TAPE_PLAY,
};

enum {
    FILTER_TAPE_MAX = 4 << 20, /* bytes */
};

struct filter_tape {
    enum filter_tape_mode mode;
    uint8_t *bytes; /* owned; of FILTER_TAPE_PLAY: what was recorded */
    size_t len, at;
};

/* From now on all that is compiled here is recorded, or comes from the tape, which is borrowed;
 * NULL: neither. One thread compiles. What cannot be played, as the tape ends or is none, is
 * -EBADMSG. */
void filter_tape_use(struct filter_tape *t);
void filter_tape_done(struct filter_tape *t);

/* The words of a command line as one expression, as tcpdump joins them: by blanks. "" for none;
 * the caller frees it; NULL when memory is short. */
char *filter_join(char *const *words, int n);
