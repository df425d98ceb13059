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
 * engine asks by number, with at most BROKER_ARGS_MAX bytes of arguments; the answer is a result, a
 * sentence, up to BROKER_DATA_MAX bytes of data and at most one descriptor (a sealed memfd for what
 * is longer). The table is in sys/broker_table.h, the bytes between them in sys/broker_msg.h.
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
#include "base/time.h"
#include "sys/broker_asks.h"
#include "sys/broker_table.h"
#include "sys/sandbox.h"

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

/* This engine stands: for roles (sys/roles.h); else it says nothing. */
int broker_ready(struct broker *b, struct error *err);

/* One end (close-on-exec, blocking) of a new SOCK_SEQPACKET pair with the role of that number,
 * which gets the other when it asks for this one. Where one has asked before and its end waits,
 * that is given. A role that asks for the same one again takes back the end that still waited. */
int broker_peer(struct broker *b, unsigned role, int *ret_fd, struct error *err);

/* Asks without waiting: `fn` is called by broker_answers(), once, with the answer, or after
 * conf->call_ms with -ETIMEDOUT. 0, or -errno with a sentence and no call: -EAGAIN where
 * BROKER_ASKS_MAX are under way, -EPIPE. */
int broker_ask(struct broker *b, unsigned request, const void *args, size_t len,
               broker_answer_fn *fn, void *user, struct error *err);
/* Hands out the answers that are there, those that came during broker_call() too. To be called when
 * broker_fd() is readable, and at broker_due(). 0, or -EPIPE: the broker has ended, and all have
 * been told. */
int broker_answers(struct broker *b);
/* When broker_answers() is to be called at the latest; {0}: nothing was asked. To be looked at
 * after broker_ask() and broker_call(). */
struct mono broker_due(const struct broker *b);
/* Requests that were asked for this user get no answer any more. */
void broker_forget(struct broker *b, const void *user);

/* How many requests the broker answered and refused so far. */
int broker_count(struct broker *b, struct broker_counters *ret, struct error *err);

/* The configuration that the engine gives to sandbox_enter, and sys/resolve.h to its child. */
void broker_sandbox(const struct broker *b, struct sandbox_conf *ret);
/* The same, by user name, for handlers in the broker and before the split. -ENOENT: no such user.
 */
int broker_find_user(const char *user, struct sandbox_conf *ret, struct error *err);

/* ---- for broker_start and sys/roles.h ---- */

enum {
    BROKER_PEER_ARGS = 4, /* bytes of BROKER_PEER's arguments: a role's number, u32 */
};

/* The engine's end. It has the socket from now on; NULL: no memory. `call_ms` 0: 10,000. */
struct broker *broker_new(int sock, const struct sandbox_conf *wall, unsigned call_ms);
/* In the new process: it is to get SIGTERM when `parent`, the broker, ends. */
int broker_tie(struct broker *b, pid_t parent, struct error *err);
/* Waits for the broker's first message: 0, or the -errno and sentence in it. */
int broker_first(struct broker *b, struct error *err);
