/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of interfaces, a library of its own: the interfaces of a tap in a world without a
 * network. The test says which interfaces there are, tells of changes as the kernel would, and
 * moves the time; captures, streams and rings are rows of a table, and sentences and events are a
 * text to compare.
 */
#pragma once

#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/interfaces.h"

enum {
    FAKE_LINKS = 512,
    FAKE_STREAMS = 1024,
    FAKE_TEXT = 4096,
};

/* The capture and stream of one interface. */
struct fake_stream {
    bool open; /* capture and stream are there */
    bool ring, ended;
    unsigned rings, filters; /* given so far */
    uint16_t linktype, arphrd;
    struct history_event told; /* words: the capture tells this once */
    uint64_t frames, reopened; /* to be counted */
    unsigned renewals;         /* second rings given */
    uint64_t known;            /* with the last of them */
    struct interface_said said;
};

struct fake {
    struct interfaces all;
    struct selection select;
    struct mono now;
    struct netif link[FAKE_LINKS]; /* in the namespace; index 0: none */
    struct fake_stream stream[FAKE_STREAMS];
    unsigned streams, max_streams;
    int open_error, ring_error, renew_error, watch_error, ask_error, netns_error; /* -errno */
    unsigned opens, asks, watches;
    bool watching, session;
    int own; /* index of a collector's device */
    uint64_t netns;
    char text[FAKE_TEXT];
};

/* NULL: there is none of that name. */
struct netif *fake_find(struct fake *f, const char *name);
/* Selects a name or pattern; before the start. */
void fake_select(struct fake *f, const char *text);
/* An Ethernet interface that is up, MTU 1500. The kernel has not told of it. */
struct netif *fake_add(struct fake *f, const char *name, int index);
/* The kernel says something that is about no interface: IFWATCH_ALL or IFWATCH_LOST. */
void fake_hear(struct fake *f, enum ifwatch_kind kind);
/* The kernel tells of it. */
void fake_tell(struct fake *f, const struct netif *link);
/* fake_add and fake_tell. */
struct netif *fake_appear(struct fake *f, const char *name, int index);
/* It is not there any more, and the kernel tells of that. */
void fake_vanish(struct fake *f, struct netif *link);
/* The kernel answers: it tells of all, and that those are all. */
void fake_answer(struct fake *f);
/* Time passes, and there is a tick. */
void fake_pass(struct fake *f, int64_t ms);
/* NULL: the tap has none of that name. */
struct interface *fake_interface(struct fake *f, const char *name);
/* The stream of the interface; it has one. */
struct fake_stream *fake_stream_of(struct fake *f, const char *name);
/* These lines, and no others, were said or happened since the last call. */
void fake_told(struct fake *f, const char *text);
/* Starts, without an answer of the kernel yet. */
int fake_begin(struct fake *f, struct error *err);
/* Starts, with the kernel's first answer. */
void fake_run(struct fake *f);
/* Fails the test without memory. fake_done ends it, and sees that nothing is left open. */
struct fake *fake_new(void);
/* Runs with a pattern that nothing matches. */
struct fake *fake_waiting(const char *pattern);
void fake_done(struct fake *f);
