/* SPDX-License-Identifier: Apache-2.0
 *
 * What tap.c (command line, start and end) and tap_broker.c (what the broker opens for it) share.
 */
#pragma once

#include "base/parse.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/report.h"
#include "data/client.h"
#include "sys/broker.h"
#include "sys/filter.h"
#include "sys/netlink.h"
#include "sys/ring.h"

enum {
    TAP_INTERFACES = 32,
    TAP_LINKS = 128, /* interfaces that the broker tells of for "any" */
};

enum tap_request {
    TAP_OPEN_RING, /* u32: which interface of the command line; gives its descriptor */
    TAP_CONNECT,   /* gives a UDP socket that is connected to the collector */
    TAP_OWN,       /* gives u32 indexes of interfaces that collectors on this host made */
    TAP_NAMES,     /* gives (u32 index, 16 bytes of name) of the interfaces there are */
    TAP_REQUESTS,
};

struct tap_interface {
    const char *name;
    struct ring_conf ring;
    struct filter_prog filter; /* the user's, compiled for it; insns NULL: none */
    uint64_t speed_bps;
    struct ring *opened; /* until its worker takes it */
    struct worker *worker;
    uint16_t stream;
};

struct tap_conf {
    struct tap_interface interface[TAP_INTERFACES];
    unsigned n;
    bool has_collector;
    struct host_port collector;
    const char *collector_text;
    const char *filter_option; /* -f */
    char *filter;
    enum frame_dir dir;
    bool has_vlans;
    struct vlan_set vlans;
    uint32_t snaplen, ring_bytes;
    uint64_t backlog_bytes; /* 0: none */
    bool promiscuous, keep_super, json;
    char name[LINK_NAME_MAX + 1];
    const char *user;
    struct secret_options secret;
};

/* The broker's table; the handlers' ctx is a struct tap_conf. */
extern const struct broker_request tap_requests[TAP_REQUESTS];
/* Decoders of what the broker gives. */
unsigned tap_own_decode(const uint8_t *data, size_t len, int ret[RING_OWN_MAX]);
struct tap_name {
    uint32_t index;
    char name[17];
};
unsigned tap_names_decode(const uint8_t *data, size_t len, struct tap_name ret[TAP_LINKS]);

/* Reads argv into `c`; EXIT_SUCCESS to go on, else -1 - exit status. */
int tap_parse(struct tap_conf *c, int argc, char **argv);
