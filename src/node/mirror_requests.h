/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests about tap flows to a service's broker, both ends: what is wanted of node/mirror.h.
 * The engine names interfaces, VLANs and filters; programs are made by the broker alone. Names are
 * those of interfaces that the command line has.
 */
#pragma once

#include "node/interface_requests.h"
#include "node/mirror.h"

enum mirror_request {
    MIRROR_READY = INTERFACE_REQUESTS, /* can flows be carried out in this kernel? Gives u64 life */
    MIRROR_KEEP,                       /* what MIRROR_COMPILE needs, beforehand */
    MIRROR_FACES,   /* an interface's name, 16: gives u8, 1: it faces its owner */
    MIRROR_COMPILE, /* a filter's text: gives its program, as bytes of a memfd */
    MIRROR_PUT,     /* a flow as below */
    MIRROR_CODE,    /* id 16, u16 place, instructions: the next ones of its filter */
    MIRROR_DROP,    /* id 16 */
    MIRROR_ROUND,   /* u8: 0, all is about to be told anew; 1, it has been */
    MIRROR_APPLY,   /* gives u8, 1: there is more to do */
    MIRROR_IS,      /* up to MIRROR_ASKED ids: gives of each as below */
    MIRROR_REQUESTS,
};

/* A flow: id 16, service 16, source 16, destination 16, u8 dir, u8 flags, 1 VLANs, 2 super-packets
 * stay whole, u16 number of the filter's instructions, with VLANs 64 u64. What is: u8 state, 0: it
 * is not wanted, and else u16 length and words, and 7 u64 as of struct ebpf_taps_count. */
enum {
    MIRROR_ASKED = 16,
    MIRROR_CODE_MAX = 512, /* instructions of one MIRROR_CODE */
};

/* The ctx of the handlers is a structure that begins with this one. */
struct mirror_grants {
    struct interface_grants interfaces; /* first */
    struct mirror *mirror;              /* NULL: MIRROR_READY makes it, without a note */
};

/* Before the split: makes the mirror, and puts back what a process that was killed left behind.
 * `notes` as of mirror_new(). -errno with a sentence: `g->mirror` is NULL, or something could not
 * be put back, which is tried again. */
int mirror_grants_prepare(struct mirror_grants *g, int notes, struct error *err);
/* In the broker, when the roles have ended: puts back all that the mirror has changed. */
void mirror_grants_done(struct mirror_grants *g);

broker_handler mirror_serve_ready, mirror_serve_keep, mirror_serve_faces, mirror_serve_compile,
    mirror_serve_put, mirror_serve_code, mirror_serve_drop, mirror_serve_round, mirror_serve_apply,
    mirror_serve_is;

/* The rows of a table of requests. */
#define MIRROR_REQUEST_ROWS                                                                        \
    [MIRROR_READY] = {"tap", mirror_serve_ready, 0, 0},                                            \
    [MIRROR_KEEP] = {"compile filters", mirror_serve_keep, 0, 0},                                  \
    [MIRROR_FACES] = {"look at the interface", mirror_serve_faces, IFNAMSIZ, IFNAMSIZ},            \
    [MIRROR_COMPILE] = {"compile the filter", NULL, 1, WANTED_FILTER - 1, mirror_serve_compile},   \
    [MIRROR_PUT] = {"tap", mirror_serve_put, 68, 68 + 512},                                        \
    [MIRROR_CODE] = {"take the filter", mirror_serve_code, 26, 18 + 8 * MIRROR_CODE_MAX},          \
    [MIRROR_DROP] = {"give a tap up", mirror_serve_drop, WANTED_ID, WANTED_ID},                    \
    [MIRROR_ROUND] = {"begin anew", mirror_serve_round, 1, 1},                                     \
    [MIRROR_APPLY] = {"tap", mirror_serve_apply, 0, 0},                                            \
    [MIRROR_IS] = {"look at taps", mirror_serve_is, WANTED_ID, WANTED_ID * MIRROR_ASKED}

/* ---- in the engine; as broker_call ---- */

/* `ret_life`: of whoever counts. */
int mirror_request_ready(struct broker *b, uint64_t *ret_life, struct error *err);
/* Filters can be compiled. -ENETDOWN: not now. */
int mirror_request_keep(struct broker *b, struct error *err);
/* Also false when the broker cannot tell. */
bool mirror_request_faces(struct broker *b, const char *name);
int mirror_ask_compile(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                       struct error *err);
/* The flow with all of its filter, `f->n_filter` instructions. */
int mirror_request_put(struct broker *b, const struct mirror_flow *f,
                       const struct sock_filter *filter, struct error *err);
int mirror_request_drop(struct broker *b, const uint8_t id[WANTED_ID], struct error *err);
int mirror_request_round(struct broker *b, bool ends, struct error *err);
int mirror_request_apply(struct broker *b, bool *ret_more, struct error *err);
/* Of `n` ids, MIRROR_ASKED at most. One that is not wanted has the state 0. */
int mirror_request_is(struct broker *b, const uint8_t (*ids)[WANTED_ID], unsigned n,
                      struct mirror_is *ret, struct error *err);
