/* SPDX-License-Identifier: Apache-2.0
 *
 * Privileges apart from parsing. The program starts, usually as root, and splits in two:
 *
 *   broker (the parent)  keeps a few capabilities, answers a closed table of requests, hands over
 *                        descriptors, waits for the engine and ends with its status
 *   engine (the child)   does everything else, behind the wall of sys/sandbox.h
 *
 * The table is the caller's: what each request may open is decided by the configuration that both
 * halves got from the command line before the split, never by what the engine says later. The
 * engine asks by number, with at most 1 KiB of arguments; the answer is a result, a sentence, up to
 * 4 KiB of data and at most one descriptor. The bytes between them are in sys/broker_msg.h.
 *
 * Signals: a terminal's Ctrl-C reaches both halves, as they are in one process group. The broker
 * passes on SIGINT, SIGTERM and SIGHUP that a process sent to it, and no others; the engine may
 * therefore get one twice (kill to the whole group) and treats a second one like the first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/broker_msg.h"
#include "sys/sandbox.h"

struct broker_reply {
    int fd; /* -1, or a descriptor to hand over; the broker closes its own copy */
    struct error err;
    uint8_t data[BROKER_DATA_MAX];
    size_t len;
};

struct broker_request {
    const char *name; /* for sentences: "cannot <name>", so "open the ring" */
    /* 0, or -errno with a sentence in reply->err. Arguments are as long as the table says. */
    int (*handle)(void *ctx, const void *args, size_t len, struct broker_reply *reply);
    size_t args_min, args_max; /* bytes; others are refused before the handler sees them */
};

struct broker_conf {
    const struct broker_request *requests; /* a request's number is its place */
    size_t n_requests;
    void *ctx;
    /* CAP_… that the broker keeps besides CAP_KILL; sys/resolve.h needs CAP_SETUID and _SETGID. */
    const int *caps;
    size_t n_caps;
    const char *user; /* whom the engine runs as; NULL: "farspan", else "nobody". Root only */
    /* In the broker, once it is on its own: to wipe what only the engine needs. May be NULL. */
    void (*at_start)(void *owner);
    /* In the broker when the engine has ended, `status` as from waitpid: to remove what only the
     * broker can (the status socket) and to say what the engine no longer can. May be NULL. */
    void (*at_end)(void *owner, int status);
    void *owner;      /* of these two */
    unsigned call_ms; /* how long broker_call waits; 0: 10,000 */
};

struct broker_counters {
    uint64_t answered; /* by a handler, whatever the result */
    uint64_t refused;  /* unknown number, wrong size, malformed, or with descriptors */
};

struct broker; /* the engine's end */

/* The table, so that mistakes in it are found before the split; broker_start does it too. */
int broker_check(const struct broker_conf *conf, struct error *err);

/* Splits. Call it before any thread is made. Returns in the engine only: 0 with the engine's end in
 * *ret, still with all privileges until it calls sandbox_enter. On failure -errno with a sentence;
 * that may be in the engine too (when the broker could not be confined), so the caller just ends
 * with a failure status. The broker serves and _exits with the engine's exit status, or 128 + the
 * number of the signal that ended it. `conf` must live as long as the process. */
int broker_start(const struct broker_conf *conf, struct broker **ret, struct error *err);

/* Closes the engine's end; takes NULL. The broker goes on waiting for the engine's end. */
void broker_free(struct broker *b);

/* Asks, and waits up to conf->call_ms. From one thread only. `ret_data` takes up to *len_data
 * bytes, and *len_data becomes their number; both may be NULL when no data is expected. `ret_fd`
 * (close-on-exec, the caller's; -1 when none came) may be NULL: a descriptor is then closed. 0 or
 * -errno with the broker's sentence; -ETIMEDOUT, -EPIPE (the broker is gone), -EMSGSIZE. */
int broker_call(struct broker *b, unsigned request, const void *args, size_t len, void *ret_data,
                size_t *len_data, int *ret_fd, struct error *err);

/* The engine's end, for a loop to watch (EPOLLRDHUP: the broker has ended), not to read. */
int broker_fd(const struct broker *b);

/* How many requests the broker answered and refused so far. */
int broker_count(struct broker *b, struct broker_counters *ret, struct error *err);

/* The configuration that the engine gives to sandbox_enter, and sys/resolve.h to its child. */
void broker_sandbox(const struct broker *b, struct sandbox_conf *ret);
/* The same, by user name, for handlers in the broker and before the split. -ENOENT: no such user.
 */
int broker_find_user(const char *user, struct sandbox_conf *ret, struct error *err);
