/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the engine, a library of its own: an engine with a broker beside it in a thread,
 * and the test in place of the control role, at the other end of the engine's socket.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "node/engine.h"
#include "node/serve_requests.h"
#include "sys/broker_server.h"

enum {
    WORLD_HELD = 600, /* captures, and ports, of which it keeps what was told */
    WORLD_PATH = 128,
    WORLD_PATIENCE_MS = 20000,
};

struct scene {
    char folder[WORLD_PATH];
    struct selection select;
    struct serve_grants grants;
    struct broker_request requests[SERVE_DATA_REQUESTS];
    struct broker_server server;
    pthread_t thread;
    _Atomic bool over; /* of the thread */
    struct broker *broker;
    struct loop *loop;
    struct loop_timer *look;
    struct engine *engine;
    char told[1024]; /* the last sentence */
    /* Control's end. */
    int control; /* -1: there is no session */
    bool away;   /* control cannot be met */
    unsigned sessions, ended;
    uint64_t life, generation, applied, tapped;
    struct tap_is tap_is; /* the last one … */
    unsigned n_tap_is;    /* … of so many */
    struct wanted_is is[WORLD_HELD];
    unsigned n_is, n_reports;
    struct wanted_port port[WORLD_HELD], coming[WORLD_HELD];
    unsigned n_ports, n_coming, rounds;
    uint32_t round; /* that is coming */
    unsigned snapped;
    int snapped_code;
    bool (*until)(struct scene *w, const void *arg);
    const void *arg;
    bool came;
};

/* In a namespace of the test's own (sys/test_net.h): a folder, a broker and an engine that has met
 * its control. */
struct scene *scene_new(void);
/* The engine dies, as it is, and is another process's then. */
void scene_kill(struct scene *w);
void scene_start(struct scene *w);
void scene_free(struct scene *w);

/* Time passes until that is so; fails the test after WORLD_PATIENCE_MS. */
void scene_wait(struct scene *w, bool (*until)(struct scene *w, const void *arg), const void *arg);
void scene_pass(struct scene *w, int64_t ms);

/* A capture with that number in its id, from `from_ms` from now on for so many ms, of "vb". */
struct wanted scene_wish(uint8_t id, enum wanted_kind kind, int64_t from_ms, int64_t for_ms);
/* The whole set. */
void scene_want(struct scene *w, const struct wanted *all, unsigned n);
void scene_send(struct scene *w, const struct rolemsg *m);
/* The last report about it; NULL: there was none. */
const struct wanted_is *scene_is(const struct scene *w, uint8_t id);
/* Waits until it is in that state, or a later one, and fails where it is none of that. */
const struct wanted_is *scene_state(struct scene *w, uint8_t id, enum wanted_state state);
/* Offered is what was not wanted, written or lost. */
void scene_balanced(const struct wanted_is *is);
/* Control's end is closed. */
void scene_hang_up(struct scene *w);

/* A frame of 60 bytes that has the number. `at` is when: not before the first, nor behind the
 * second. */
void scene_frame(int sender, uint32_t number, struct wall at[2]);
/* A frame of UDP, from that port. */
void scene_datagram(int sender, uint16_t port);

struct scene_file {
    uint8_t *bytes; /* owned */
    size_t len;
    unsigned sections, interfaces, frames;
    struct {
        uint32_t number; /* of scene_frame() */
        uint32_t interface;
        uint32_t caplen, origlen;
        int64_t ts_ns;
    } frame[5000];
};

/* The file of a capture; `suffix` "data" or "now". */
uint8_t *scene_read(const struct scene *w, uint8_t id, const char *suffix, size_t *ret_len);
/* As pcapng, which it has to be, in whole blocks. */
struct scene_file *scene_pcapng(const struct scene *w, uint8_t id);
void scene_file_free(struct scene_file *f);
