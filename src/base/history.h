/* SPDX-License-Identifier: Apache-2.0
 *
 * The events of a program, for people who look later: interfaces that went and came back, sessions,
 * paths. A bounded list, oldest dropped first; events are numbered from 1 on, so that a reader sees
 * how many are missing. One thread has it; the caller gives the time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/time.h"

enum {
    HISTORY_MAX = 256,  /* events kept by who they happened to */
    HISTORY_TAP = 64,   /* by a collector, of each of its taps */
    HISTORY_SHARE = 64, /* of a collector's own events, about one tap */
    HISTORY_SUBJECT = 64,
    HISTORY_WORDS = 200,
};

/* id, number on the wire (docs/protocol.md; never changes), key (JSON and people) */
#define HISTORY_TABLE(X)                                                                           \
    X(IF_APPEARED, 1, "interface-appeared")                                                        \
    X(IF_GONE, 2, "interface-gone")                                                                \
    X(IF_DOWN, 3, "interface-down")                                                                \
    X(IF_UP, 4, "interface-up")                                                                    \
    X(IF_INDEX, 5, "index-changed")                                                                \
    X(IF_MTU, 6, "mtu-changed")                                                                    \
    X(IF_TYPE, 7, "link-type-changed")                                                             \
    X(IF_RENAMED, 8, "interface-renamed")                                                          \
    X(IF_REFUSED, 9, "interface-not-tapped")                                                       \
    X(NETNS_GONE, 10, "namespace-gone")                                                            \
    X(NETNS_BACK, 11, "namespace-back")                                                            \
    X(SESSION_UP, 12, "session-up")                                                                \
    X(SESSION_OVER, 13, "session-over")                                                            \
    X(PATH_MTU, 14, "path-mtu-changed")                                                            \
    X(REVOKED, 15, "tap-revoked")                                                                  \
    X(LIST_READ, 16, "list-read-again")                                                            \
    X(MOVED, 17, "address-changed")                                                                \
    X(AMPLIFIED, 19, "amplification")                                                              \
    X(AMPLIFIED_OVER, 20, "amplification-over")                                                    \
    X(OWN_DEVICE, 22, "own-device")                                                                \
    X(OUTPUT_GONE, 23, "output-gone")                                                              \
    X(OUTPUT_BACK, 24, "output-back")                                                              \
    X(MEMORY_SHORT, 25, "memory-short")                                                            \
    X(STAGE, 26, "stage")                                                                          \
    X(TAP_STOPPED, 28, "tap-stopped")                                                              \
    X(REOPENED, 29, "capture-reopened")                                                            \
    X(CAPTURE_DEAD, 30, "capture-dead")                                                            \
    X(LIMIT_RUNG, 31, "limit-rung")                                                                \
    X(OUTPUT_NARROW, 32, "output-too-narrow")                                                      \
    X(CLOCK_JUMP, 33, "clock-jump")                                                                \
    X(SENDER_NEW, 34, "sender-new")                                                                \
    X(SENDER_STATE, 35, "sender-state")                                                            \
    X(OUTPUT_READERS, 36, "output-readers")                                                        \
    X(OUTPUT_ADDED, 37, "output-added")                                                            \
    X(OUTPUT_REMOVED, 38, "output-removed")                                                        \
    X(LIMIT_BREACH, 39, "limit-breach")

enum history_kind {
    HISTORY_NONE = 0,
#define X(id, number, key) HISTORY_##id = (number),
    HISTORY_TABLE(X)
#undef X
};

struct history_event {
    uint64_t number;
    struct wall at;
    uint8_t kind; /* enum history_kind, or one of a later release */
    char subject[HISTORY_SUBJECT + 1];
    char words[HISTORY_WORDS + 1];
};

struct history {
    unsigned max;
    unsigned share; /* events kept of one subject; 0: any */
    unsigned room;  /* grows up to max */
    struct history_event *at;
    unsigned first, n; /* where the oldest that is kept lies, and how many there are */
    uint64_t last;     /* number of the newest; 0: none */
    uint64_t missed;   /* numbers that history_take found skipped */
};

/* An empty one of at most `max` events; no memory is taken before the first. */
void history_init(struct history *h, unsigned max);
void history_done(struct history *h);

/* Adds an event. Without memory it is numbered and not kept. */
void history_add(struct history *h, struct wall at, enum history_kind kind, const char *subject,
                 const char *fmt, ...) _printf_(5, 6);

/* Adds one that was numbered elsewhere. False when it is not newer than the last. Texts are not
 * terminated and cut to what is kept; what is no character becomes \xNN (base/text.h). */
bool history_take(struct history *h, const struct history_event *head, const char *subject,
                  size_t subject_len, const char *words, size_t words_len);

/* The numbering of events has begun again at 1; those in the list stay. */
void history_restart(struct history *h);

/* The event in place i < h->n, oldest first. Valid until the next change. */
const struct history_event *history_at(const struct history *h, unsigned i);

/* "interface-gone"; "event-77" in `buf` for a kind that is not known. */
const char *history_key(uint8_t kind, char buf[16]);
