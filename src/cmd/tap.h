/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures and functions that tap.c (start and end), tap_options.c (command line),
 * tap_links.c (interfaces that come and go) and tap_broker.c (the requests to the broker) share.
 */
#pragma once

#include <net/if.h>

#include "base/history.h"
#include "base/parse.h"
#include "cmd/cmd.h"
#include "data/link/dial/dialer.h"
#include "node/capture.h"
#include "node/report.h"
#include "node/status_socket.h"
#include "proto/bpfsel.h"
#include "sys/broker.h"
#include "sys/filter.h"
#include "sys/ifwatch.h"
#include "sys/netns.h"
#include "sys/ring.h"
#include "sys/ring_list.h"

enum {
    TAP_WORDS = 32,                 /* -i options */
    TAP_INTERFACES = 256,           /* tapped at a time, with those that may come back */
    TAP_PATTERN_RINGS = 64 << 20,   /* bytes, for the rings of all that patterns match */
    TAP_PATTERN_RING_MIN = 2 << 20, /* bytes of one, however many there are */
    TAP_GONE = 64,                  /* of these that are gone; the others' counts are added up */
    TAP_GONE_MS = 1000,             /* after which one may be forgotten */
    TAP_REFUSED = 32,               /* interfaces of which it was said that they are not tapped */
    TAP_OWN_TOLD = 1024,            /* the same, as they are collectors' devices */
};

enum tap_request {
    TAP_OPEN_RING, /* an interface's name, 16 bytes; gives its ring, and struct tap_opened */
    TAP_CONNECT,   /* u8: an enum dialer_where; gives a UDP socket that is connected to the
                    * collector */
    TAP_WATCH,     /* gives a socket that hears of the interfaces (sys/ifwatch.h) */
    TAP_NETNS,     /* gives u64: which namespace that of --netns is now, 0: it is gone */
    TAP_OWN,       /* u32: an interface's index; gives u8: 1: it is a collector's device */
    TAP_REQUESTS,
};

/* An argument of -i. */
struct tap_word {
    const char *text;
    const char *pattern; /* that names have to match; NULL: the text is a name */
    bool any;            /* the word "any": what it matches is not put into promiscuous mode */
};

/* An interface that the broker has opened. */
struct tap_opened {
    uint32_t index, flags, mtu;
    uint32_t longest;    /* of a super-packet there, see struct ring_conf */
    uint32_t ring_bytes; /* its ring's share of the memory */
    uint16_t arphrd;
};

struct tap_conf {
    struct tap_word word[TAP_WORDS];
    unsigned n_words;
    const char *netns_text; /* --netns */
    struct netns *netns;    /* the broker's; NULL: this one */
    struct ring_list rings; /* the broker's: what it has handed out */
    bool has_collector;
    struct host_port collector;
    const char *collector_text;
    struct udp_addr collector_found; /* the broker's: where it was last */
    uint32_t mtu;                    /* 0: found out */
    const char *filter_option;       /* -f */
    char *filter;
    /* It, compiled for NETIF_ETHERNET and NETIF_RAW_IP; insns NULL: none, or it cannot be. */
    struct filter_prog program[2];
    struct error program_error[2];
    enum frame_dir dir;
    bool has_vlans;
    struct vlan_set vlans;
    uint32_t snaplen, ring_bytes;
    uint64_t backlog_bytes; /* 0: none */
    bool not_promiscuous, keep_super, take_links, json, strict;
    char name[LINK_NAME_MAX + 1];
    const char *user;
    struct secret_options secret;
};

/* An interface that is tapped, or was: it may come back, and is the same observation point then. */
struct tap_interface {
    char name[IFNAMSIZ];
    const struct tap_word *word;
    bool there;            /* it has a ring, of the interface `now` */
    bool ending;           /* it is being forgotten: capture and stream end */
    bool seen;             /* since all were asked for */
    struct tap_opened now; /* or as it was last */
    bool raw_ip;           /* its frames have no Ethernet header */
    bool amplified;        /* as was told */
    struct mono gone;      /* since when it is not there */
    struct mono retry;     /* it could not be opened: the next try */
    struct capture *capture;
    uint16_t stream;
};

struct tap {
    struct tap_conf conf;
    struct secrets secrets;
    struct status_socket control;
    struct broker *broker;
    struct loop *loop;
    struct wake wake;
    struct loop_fd *wake_event;
    struct dialer *dialer;
    struct backlog_pool *backlog; /* NULL: none */
    struct mono memory_short;     /* when memory was short last; {0}: it is not */
    struct mono memory_said;
    uint64_t seed; /* of the captures' experiments */
    struct status_server *status;
    struct loop_timer *timer;
    char host[128];
    struct history history;

    struct tap_interface *interface[TAP_INTERFACES];
    unsigned n;
    struct report_gone gone; /* those that are forgotten */
    bool crowded;            /* one found no place: look again when there is one */
    bool has_flow;
    struct ether_flow flow; /* of the tunnel */
    bool has_former;
    struct ether_flow former; /* and the one before: a session may move to another address */
    struct sock_filter program[BPFSEL_MAX];

    int watch; /* -1: none */
    struct loop_fd *watch_event;
    struct mono asked; /* for all interfaces; {0}: the answer is complete */
    bool lost;         /* something was missed since: ask again */
    uint64_t netns_id; /* 0: gone */
    struct mono full_said;
    int refused[TAP_REFUSED]; /* indexes */
    unsigned n_refused;
    int own[TAP_OWN_TOLD]; /* indexes */
    unsigned n_own;
};

/* The broker's table; the handlers' ctx is a struct tap_conf. */
extern const struct broker_request tap_requests[TAP_REQUESTS];
/* Decoder of what TAP_OPEN_RING gives. -EBADMSG. */
int tap_opened_decode(const uint8_t *data, size_t len, struct tap_opened *ret);

/* The argument of -i that names the interface: itself, else the first pattern that it matches.
 * NULL: none does. */
const struct tap_word *tap_word_for(const struct tap_conf *c, const char *name);
/* Bytes for the ring of one of `n` interfaces that patterns match. */
uint32_t tap_ring_share(unsigned n);
/* Which frames of such an interface are taken. A frame of the loopback interface leaves and arrives
 * there; where both directions are wanted, it is taken once, as it arrives. */
enum frame_dir tap_direction(const struct tap_conf *c, uint16_t arphrd);
/* The ring of an interface, in both processes. */
struct ring_conf tap_ring_conf(const struct tap_conf *c, const struct tap_word *word,
                               const struct tap_opened *of);
/* Can it be tapped as the command line wants? 0 or -errno with the reason. */
int tap_may_carry(const struct tap_conf *c, const struct netif *link, struct error *err);

/* Reads argv into `c`; EXIT_SUCCESS to go on, else -1 - exit status. */
int tap_parse(struct tap_conf *c, int argc, char **argv);

/* ---- tap_interface.c ---- */

/* Into the history, and said. */
void tap_event(struct tap *t, enum history_kind kind, const char *subject, const char *fmt, ...)
    _printf_(4, 5);
/* NULL: none. The latter only of those that are there. */
struct tap_interface *tap_by_name(struct tap *t, const char *name);
struct tap_interface *tap_by_index(struct tap *t, int index);
/* Makes a capture and its stream, without a ring yet. `kind`: what is known of the interface. */
int tap_add(struct tap *t, const char *name, const struct tap_word *word,
            const struct tap_opened *kind, struct tap_interface **ret, struct error *err);
/* Gives it a ring of the interface that has its name now; where it is not there, or cannot be
 * tapped, -errno, and it is tried again later. */
int tap_bring_up(struct tap *t, struct tap_interface *ti, struct error *err);
/* The same with an event that says what came of it. */
void tap_take(struct tap *t, struct tap_interface *ti);
/* It has no ring from now on; what is in the old one is sent and counted. */
void tap_let_go(struct tap *t, struct tap_interface *ti);
/* Begins to forget what has been gone for longest, where more than TAP_GONE are, or others want
 * their place. */
void tap_forget_gone(struct tap *t);
/* Tells of interfaces that give what was sent, and when that is over. */
void tap_tell_amplified(struct tap *t);
/* The stream of one has ended: its counts are added to those of the others. */
void tap_forgotten(struct tap *t, uint16_t stream);
/* The tunnel's flow is another one (NULL: none): it is not to be captured. */
void tap_links_flow(struct tap *t, const struct ether_flow *flow);

/* ---- tap_own.c ---- */

/* Is it a collector's device, which no pattern takes up? Tells of each once. */
bool tap_is_own(struct tap *t, const struct netif *link);
/* There is no interface of that index any more. */
void tap_own_forget(struct tap *t, int index);
/* In the broker: the same, of an interface of the thread's namespace; and the engine's question. */
bool tap_own_there(const struct netif *link);
int tap_own_request(void *ctx, const void *args, size_t len, struct broker_reply *reply);

/* ---- tap_links.c ---- */

/* Opens what the command line names and what patterns match now, and watches from then on. */
int tap_links_start(struct tap *t, struct error *err);
/* Every second at least: what has to be tried again, and whether the namespace is still there. */
void tap_links_tick(struct tap *t);
/* The loop is still there. */
void tap_links_stop(struct tap *t);

/* tap_memory.c */
/* Where memory is short, the backlog gives some back, and it is said. */
void tap_memory_tick(struct tap *t, struct mono now);
