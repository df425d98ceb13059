/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's selection for a tap: interfaces, by name or pattern, and which of their frames. It is
 * checked and compiled before the privileges are split, and is the same in both processes then: the
 * broker opens no other interface (tap_requests.c), and the engine makes rings and filters by it
 * (interface.c, interfaces.c).
 */
#pragma once

#include "base/batch.h"
#include "base/parse.h"
#include "data/stage_list.h"
#include "proto/bpfsel.h"
#include "sys/filter.h"
#include "sys/netns.h"
#include "sys/ring.h"

enum {
    SELECTION_GIVEN = 32,                 /* names and patterns that a user gives */
    SELECTION_WORDS = 256,                /* that there are; as many as INTERFACES_MAX */
    SELECTION_PATTERN_RINGS = 64 << 20,   /* bytes, for the rings of all that patterns match */
    SELECTION_PATTERN_RING_MIN = 2 << 20, /* bytes of one, however many there are */
};

/* An argument of -i. */
struct selection_word {
    const char *text;
    const char *pattern; /* that names have to match; NULL: the text is a name */
    bool any;            /* the word "any": what it matches is not put into promiscuous mode */
};

struct selection {
    struct selection_word word[SELECTION_WORDS];
    unsigned n_words;
    const char *netns; /* a name in /run/netns or a process's id; NULL: this namespace */
    char *filter;      /* owned; NULL: none */
    /* It, compiled for NETIF_ETHERNET and NETIF_RAW_IP; insns NULL: none, or it cannot be. */
    struct filter_prog program[2];
    struct error program_error[2];
    enum frame_dir dir;
    bool has_vlans;
    struct vlan_set vlans;
    uint32_t snaplen;    /* 0: whole frames */
    uint32_t ring_bytes; /* 0: the default, or a pattern's share */
    bool not_promiscuous, keep_super, take_links;
    bool metered; /* a frame's headers are enough, and what other programs of farspan send counts */
    uint32_t no_mark; /* frames that have this mark are left out (base/sockmark.h); 0: none */
    struct stage_list stages; /* that the frames pass */
    bool restage;             /* they may be others later */
};

/* An interface as it was when its ring was opened. */
struct tapped {
    uint32_t index, flags, mtu;
    uint32_t longest;    /* of a super-packet there, see struct ring_conf */
    uint32_t ring_bytes; /* its ring's share of the memory */
    uint16_t arphrd;
};

/* With privileges: compiles the filter, for both kinds of frames as it may be needed later for
 * another than now. -errno only when it fits neither. */
int selection_compile(struct selection *s, struct error *err);
/* With privileges, in the namespace of the interfaces: those that have names are there and can be
 * tapped. Later they may come and go. */
int selection_check(const struct selection *s, struct error *err);
void selection_done(struct selection *s);

/* The word that names the interface: its name, else the first pattern that it matches. NULL: none
 * does. */
const struct selection_word *selection_word_for(const struct selection *s, const char *name);
/* Can it be tapped as selected? 0 or -errno with the reason. */
int selection_may_carry(const struct selection *s, const struct netif *link, struct error *err);

/* Bytes for the ring of one of `n` interfaces that patterns match. */
uint32_t selection_ring_share(unsigned n);
/* Which frames of such an interface are taken. A frame of the loopback interface leaves and arrives
 * there; where both directions are wanted, it is taken once, as it arrives. */
enum frame_dir selection_direction(const struct selection *s, uint16_t arphrd);
/* The ring of an interface, in both processes. */
struct ring_conf selection_ring(const struct selection *s, const struct selection_word *word,
                                const struct tapped *of);
/* The ring's program: what a tap leaves out by itself (`flows`: of its own tunnel), then the user's
 * filter. */
int selection_program(const struct selection *s, const struct tapped *of,
                      const struct bpfsel_flow *flows, unsigned n_flows,
                      struct sock_filter ret[BPFSEL_MAX], unsigned *ret_n, struct error *err);
