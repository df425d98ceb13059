/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture as its manager keeps it: what was wished, and what those who carry it out have
 * reported.
 *
 *   scheduled -> running -> finishing -> done, failed, cancelled
 *
 * Only reports move it on, and never back; the manager ends it by itself only where its stop has
 * long passed and nobody reports. A capture that its user cancelled is finishing with the code
 * CAPTURE_CODE_CANCELLED until that is done.
 *
 * Whoever carries it out may die and come back: each of its lives counts from zero, and the sum is
 * the capture's. A report has the number of its life and what that life has counted so far, and for
 * which time the points are complete; so one that comes again, or late, changes nothing. A life
 * dies without having told its last: the next one tells what it found in the file, and the file is
 * right. What was there beyond the count has been offered, and what was not there was dropped.
 *
 * Pure: time is passed in, by the wall clock, in which its start and stop are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kinds.h"
#include "model/spans.h"

enum {
    CAPTURE_LIVES = 8, /* that are told apart; older ones are summed up */
    CAPTURE_WORDS = 512,
    CAPTURE_AHEAD_MS = 10000,   /* that it is told before its start, so that rings are open then */
    CAPTURE_SILENCE_MS = 60000, /* without a report behind its stop, before nobody waits any more */
};

/* The words of their field, in order, from 1 on. */
enum capture_code {
    CAPTURE_CODE_NONE,
    CAPTURE_CODE_STOP_TIME,
    CAPTURE_CODE_LIMIT_BYTES,
    CAPTURE_CODE_LIMIT_FRAMES,
    CAPTURE_CODE_CANCELLED,
    CAPTURE_CODE_DISK_FULL,
    CAPTURE_CODE_POINT_GONE,
    CAPTURE_CODE_REFUSED,
    CAPTURE_CODE_MISSED,
    CAPTURE_CODE_DAMAGED,
    CAPTURE_CODES,
};

#define CAPTURE_UNKNOWN UINT64_MAX

struct capture_counts {
    uint64_t offered, unwanted, written, dropped; /* frames; of counters of links rows written */
};

struct capture_life {
    uint64_t number;
    struct capture_counts counts;
    uint64_t found; /* frames, or rows, of earlier lives in the file when this one went on with it;
                     * CAPTURE_UNKNOWN */
};

struct capture {
    /* Wished. */
    enum capture_type type;
    int64_t start_ns, stop_ns; /* INT64_MAX: no stop */
    uint64_t limit_frames;     /* 0: none */
    unsigned n_points;
    /* Reported. */
    enum capture_state state;
    enum capture_code code;
    char reason[CAPTURE_WORDS];  /* "": none */
    int64_t began_ns, ended_ns;  /* 0: not yet */
    uint64_t published;          /* bytes of its file that change no more */
    struct capture_counts older; /* of lives that are no longer told apart */
    unsigned n_lives;
    struct capture_life life[CAPTURE_LIVES]; /* the last one is the newest */
    struct spans covered[CAPTURE_POINTS];
};

struct capture_report {
    uint64_t life;
    enum capture_state state; /* not CAPTURE_CANCELLED: that is done, with such a code */
    enum capture_code code;   /* of an end */
    const char *words;        /* "": none */
    bool late;                /* its stop had passed when that life was told of it */
    uint64_t published;
    uint64_t found;               /* of struct capture_life */
    struct capture_counts counts; /* of this life */
    unsigned n_points;            /* those of the capture, in its order; or 0 */
    struct span point[CAPTURE_POINTS];
};

/* Has it ended, in whatever way? */
bool capture_has_ended(const struct capture *c);
/* Is it to be told now to those who carry it out? */
bool capture_is_wanted(const struct capture *c, int64_t now_ns);
/* Its wish to be ended: see above. */
bool capture_is_cancelled(const struct capture *c);
/* How many frames the file may have, or of CAPTURE_NETFLOW that life may meter; 0: any number. */
uint64_t capture_frames_left(const struct capture *c, uint64_t life);

/* Merges a report. True where the capture is another one now. */
bool capture_take(struct capture *c, const struct capture_report *r, int64_t now_ns);
/* Ends it where nobody will report that any more: `silent_ms` is the time since the last report, or
 * since the manager began where there was none; `life` is the present life of whoever carries it
 * out, 0 for none. True where it has ended. */
bool capture_expire(struct capture *c, uint64_t life, int64_t silent_ms, int64_t now_ns);

struct capture_counts capture_counts(const struct capture *c);

struct capture_gap {
    unsigned point;
    struct span span;
    const char *why; /* words */
};

/* The gaps in order of points and of times, between its start and the end that it had, or what was
 * reported so far. *g is zero for the first; true: it is the next one, false: there is none. */
bool capture_next_gap(const struct capture *c, struct capture_gap *g);
