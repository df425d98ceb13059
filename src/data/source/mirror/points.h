/* SPDX-License-Identifier: Apache-2.0
 *
 * The observation points of mirrored frames: each sender's VNI, session or key is one. The data
 * thread finds and makes them, as frames come. There are POINT_MIRRORS places; then the point that
 * has been idle for longest gives its place to a new one, and its counts go to a sum, so that who
 * makes up numbers takes no memory. Any thread reads them by mirror_points_each.
 */
#pragma once

#include "base/table.h"
#include "data/fan.h"
#include "data/point.h"
#include "proto/decap.h"

enum {
    MIRROR_IDLE_MS = 2000, /* of a point before its place may be taken */
};

struct mirror_key {
    uint8_t from[16]; /* the sender's address, IPv4 mapped */
    enum decap_carrier carrier;
    bool has_id;
    uint32_t id;
};

/* The state of an ivTAP client, by its control messages; all 0 before the first. */
struct mirror_word {
    _Atomic uint64_t words;     /* messages */
    _Atomic int state;          /* as in struct decap_word */
    _Atomic uint64_t at_ms;     /* its clock in the last one */
    _Atomic int64_t latency_ms; /* from then to its arrival by this host's clock */
    _Atomic uint64_t sent;      /* bytes, as it says */
    _Atomic uint64_t received; /* bytes of its frames when that was said, since the first message */
    _Atomic int64_t missing, missing_most; /* sent and not received since the first message */
};

struct mirror_point {
    struct point point;
    struct mirror_key key;
    struct table_link by_key;
    _Atomic int64_t heard_ns; /* struct mono of the last packet */
    bool seq_known;
    uint32_t seq_next;
    struct mirror_word word;
    uint64_t sent_before, bytes_before; /* at the first message of the client's life */
};

struct mirror_points;

struct mirror_points_conf {
    struct sink *sink;           /* offered each point; borrowed */
    struct ledger **ledgers;     /* by index: those of points that the sink has; POINT_MAX */
    struct sink *const *outputs; /* in which frames may be in flight, by place: NULL, a free one */
    unsigned n_outputs;          /* FAN_SINKS at most; the list is copied */
};

/* 0 or -errno. */
int mirror_points_new(const struct mirror_points_conf *conf, struct mirror_points **ret);
/* Takes NULL. */
void mirror_points_free(struct mirror_points *p);

/* ---- the data thread, between two batches ---- */

/* The point of that key, which is made if it is new. NULL: there is no room now. */
struct mirror_point *mirror_points_get(struct mirror_points *p, const struct mirror_key *key,
                                       struct mono now);
/* Another output is in that place of the sink, NULL: none. */
void mirror_points_output(struct mirror_points *p, unsigned place, struct sink *output);
/* All leave the sink. */
void mirror_points_remove(struct mirror_points *p);

/* ---- any thread ---- */

/* Points that are no more, and what they counted. */
struct mirror_past {
    uint64_t n;
    struct ledger rx, out[FAN_SINKS];
};

typedef void mirror_point_fn(void *user, const struct mirror_point *point);
/* Meanwhile no point gives its place away: frames of new senders may find no room. `past` is filled
 * where it is not NULL. */
void mirror_points_each(struct mirror_points *p, mirror_point_fn *fn, void *user,
                        struct mirror_past *past);
