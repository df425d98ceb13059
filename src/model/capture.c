/* SPDX-License-Identifier: Apache-2.0 */
#include "model/capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"

bool capture_has_ended(const struct capture *c)
{
    return c->state >= CAPTURE_DONE;
}

bool capture_is_wanted(const struct capture *c, int64_t now_ns)
{
    const bool is_time = now_ns >= c->start_ns - CAPTURE_AHEAD_MS * NSEC_PER_MSEC;
    /* One that has begun goes on, also when the wall clock was set back. */
    return !capture_has_ended(c) && (is_time || c->state > CAPTURE_SCHEDULED);
}

bool capture_is_cancelled(const struct capture *c)
{
    return c->state == CAPTURE_FINISHING && c->code == CAPTURE_CODE_CANCELLED;
}

/* ---- counts ---- */

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add(struct capture_counts *to, const struct capture_counts *v)
{
    to->offered = sum(to->offered, v->offered);
    to->unwanted = sum(to->unwanted, v->unwanted);
    to->written = sum(to->written, v->written);
    to->dropped = sum(to->dropped, v->dropped);
}

/* In the order of lives. */
static void add_life(struct capture_counts *to, const struct capture_life *l)
{
    const bool is_known = l->found != CAPTURE_UNKNOWN;
    if (is_known && l->found > to->written) {
        to->offered = sum(to->offered, l->found - to->written);
    } else if (is_known) {
        to->dropped = sum(to->dropped, to->written - l->found);
    }
    to->written = is_known ? l->found : to->written;
    add(to, &l->counts);
}

struct capture_counts capture_counts(const struct capture *c)
{
    struct capture_counts all = c->older;
    for (unsigned i = 0; i < c->n_lives; i++) {
        add_life(&all, &c->life[i]);
    }
    return all;
}

static uint64_t written_by_others(const struct capture *c, uint64_t life)
{
    struct capture_counts all = c->older;
    for (unsigned i = 0; i < c->n_lives; i++) {
        struct capture_life l = c->life[i];
        l.counts.written = l.number == life ? 0 : l.counts.written;
        add_life(&all, &l);
    }
    return all.written;
}

uint64_t capture_frames_left(const struct capture *c, uint64_t life)
{
    if (c->limit_frames == 0 || c->type != CAPTURE_NETFLOW) {
        return c->limit_frames;
    }
    const uint64_t n = written_by_others(c, life);
    return n < c->limit_frames ? c->limit_frames - n : 1; /* capture_expire() ends it then */
}

static bool raise(uint64_t *to, uint64_t v)
{
    const bool is_more = v > *to;
    *to = is_more ? v : *to;
    return is_more;
}

static struct capture_life *find_life(struct capture *c, uint64_t number)
{
    for (unsigned i = 0; i < c->n_lives; i++) {
        if (c->life[i].number == number) {
            return &c->life[i];
        }
    }
    if (c->n_lives == CAPTURE_LIVES) {
        add_life(&c->older, &c->life[0]);
        c->n_lives--;
        memmove(&c->life[0], &c->life[1], c->n_lives * sizeof(c->life[0]));
    }
    c->life[c->n_lives] = (struct capture_life){.number = number, .found = CAPTURE_UNKNOWN};
    return &c->life[c->n_lives++];
}

static bool take_counts(struct capture *c, const struct capture_report *r)
{
    const struct capture_counts *v = &r->counts;
    const bool has_found = r->found != CAPTURE_UNKNOWN;
    if (!has_found && v->offered == 0 && v->unwanted == 0 && v->written == 0 && v->dropped == 0) {
        return false;
    }
    struct capture_life *l = find_life(c, r->life);
    struct capture_counts *to = &l->counts;
    bool is_new = has_found && l->found == CAPTURE_UNKNOWN;
    l->found = is_new ? r->found : l->found;
    is_new |= raise(&to->offered, v->offered);
    is_new |= raise(&to->unwanted, v->unwanted);
    is_new |= raise(&to->written, v->written);
    is_new |= raise(&to->dropped, v->dropped);
    return is_new;
}

/* ---- times ---- */

static bool take_spans(struct capture *c, const struct capture_report *r)
{
    bool is_new = false;
    for (unsigned i = 0; i < r->n_points && i < c->n_points; i++) {
        const struct span *v = &r->point[i];
        /* Before its start its rings are open already, and it is told what they will begin with. */
        const bool has_begun =
            r->state != CAPTURE_SCHEDULED && v->from_ns > 0 && v->from_ns < c->stop_ns;
        is_new |= spans_add(&c->covered[i], v->from_ns, v->until_ns);
        if (has_begun && (c->began_ns == 0 || v->from_ns < c->began_ns)) {
            c->began_ns = v->from_ns;
            is_new = true;
        }
    }
    return is_new;
}

/* The last moment that any of its points reaches; 0: none. */
static int64_t last_covered(const struct capture *c)
{
    int64_t last = 0;
    for (unsigned i = 0; i < c->n_points; i++) {
        const struct spans *s = &c->covered[i];
        if (s->n > 0 && s->at[s->n - 1].until_ns > last) {
            last = s->at[s->n - 1].until_ns;
        }
    }
    return last;
}

/* Where gaps end: at its stop, unless it ended otherwise as was wished, or goes on. */
static int64_t gaps_end(const struct capture *c)
{
    const bool is_short = !capture_has_ended(c) || c->code == CAPTURE_CODE_LIMIT_BYTES ||
                          c->code == CAPTURE_CODE_LIMIT_FRAMES || c->code == CAPTURE_CODE_CANCELLED;
    const int64_t last = last_covered(c);
    return c->stop_ns != INT64_MAX && (!is_short || last > c->stop_ns) ? c->stop_ns : last;
}

static const char *why(const struct capture *c, const struct capture_gap *g)
{
    const struct spans *s = &c->covered[g->point];
    if (s->n == 0) {
        return "nothing was captured";
    }
    if (g->span.until_ns <= s->at[0].from_ns) {
        return "it began late";
    }
    return g->span.from_ns >= s->at[s->n - 1].until_ns ? "it ended early" : "it was interrupted";
}

bool capture_next_gap(const struct capture *c, struct capture_gap *g)
{
    const int64_t end = gaps_end(c);
    int64_t from = g->span.until_ns > c->start_ns ? g->span.until_ns : c->start_ns;
    for (unsigned i = g->point; i < c->n_points; i++, from = c->start_ns) {
        struct capture_gap v = {.point = i};
        if (spans_gap(&c->covered[i], from, end, &v.span)) {
            v.why = why(c, &v);
            *g = v;
            return true;
        }
    }
    return false;
}

/* ---- ends ---- */

static const char *words_of(enum capture_code code)
{
    static const char *const words[CAPTURE_CODES] = {
        [CAPTURE_CODE_NONE] = "it has ended",
        [CAPTURE_CODE_STOP_TIME] = "its stop has come",
        [CAPTURE_CODE_LIMIT_BYTES] = "its file has as many bytes as were wished",
        [CAPTURE_CODE_LIMIT_FRAMES] = "it has as many frames as were wished",
        [CAPTURE_CODE_CANCELLED] = "it was cancelled",
        [CAPTURE_CODE_DISK_FULL] = "the disk is full",
        [CAPTURE_CODE_POINT_GONE] = "its interface is gone",
        [CAPTURE_CODE_REFUSED] = "the host cannot do it",
        [CAPTURE_CODE_MISSED] = "its stop had passed before it could begin",
        [CAPTURE_CODE_DAMAGED] = "its file is damaged",
    };
    return (unsigned)code < CAPTURE_CODES ? words[code] : words[CAPTURE_CODE_NONE];
}

/* Why it is empty, if it is: users complain most of captures that are, without a word. */
static void say_empty(const struct capture *c, char *to, size_t cap)
{
    const struct capture_counts n = capture_counts(c);
    to[0] = '\0';
    if (n.written > 0 || c->began_ns == 0 || c->type == CAPTURE_ETHERNET) {
        return;
    }
    if (n.offered == 0) {
        (void)snprintf(to, cap, "; no frame passed by");
    } else if (n.dropped == 0) {
        (void)snprintf(to, cap, "; %" PRIu64 " %s passed by and none was wanted", n.offered,
                       n.offered == 1 ? "frame" : "frames");
    } else {
        (void)snprintf(to, cap, "; %" PRIu64 " frames passed by, of which %" PRIu64 " were lost",
                       n.offered, n.dropped);
    }
}

static void end(struct capture *c, enum capture_state state, enum capture_code code,
                const char *words, int64_t now_ns)
{
    char empty[128], said[CAPTURE_WORDS - sizeof(empty)];
    const int cap = (int)sizeof(said) - 1;
    const int64_t last = last_covered(c);
    /* The reason names whoever cancelled it. */
    const char *own = code == CAPTURE_CODE_CANCELLED && c->reason[0] ? c->reason : words_of(code);
    (void)snprintf(said, sizeof(said), "%.*s", cap, words[0] ? words : own);
    c->state = state;
    c->code = code;
    c->ended_ns = last > 0 ? last : now_ns;
    say_empty(c, empty, sizeof(empty));
    (void)snprintf(c->reason, sizeof(c->reason), "%s%s", said, empty);
}

static bool has_begun(const struct capture *c)
{
    return c->began_ns != 0 || capture_counts(c).offered > 0;
}

/* A life that was told late had no time to find the interface, whatever it says of that. */
static void take_end(struct capture *c, const struct capture_report *r, int64_t now_ns)
{
    const bool is_over =
        r->code == CAPTURE_CODE_STOP_TIME || (r->late && r->code == CAPTURE_CODE_POINT_GONE);
    if (r->code == CAPTURE_CODE_CANCELLED) {
        end(c, CAPTURE_CANCELLED, r->code, r->words, now_ns);
    } else if (is_over && !has_begun(c)) {
        end(c, CAPTURE_FAILED, CAPTURE_CODE_MISSED, "", now_ns);
    } else if (is_over) {
        const char *words = r->code == CAPTURE_CODE_STOP_TIME ? r->words : "";
        end(c, CAPTURE_DONE, CAPTURE_CODE_STOP_TIME, words, now_ns);
    } else {
        end(c, r->state, r->code, r->words, now_ns);
    }
}

bool capture_take(struct capture *c, const struct capture_report *r, int64_t now_ns)
{
    if (capture_has_ended(c)) {
        return false;
    }
    bool is_new = take_counts(c, r);
    is_new |= take_spans(c, r);
    is_new |= raise(&c->published, r->published);
    if (r->state >= CAPTURE_DONE) {
        take_end(c, r, now_ns);
        return true;
    }
    if (r->state > c->state) {
        c->state = r->state;
        return true;
    }
    return is_new;
}

bool capture_expire(struct capture *c, uint64_t life, int64_t silent_ms, int64_t now_ns)
{
    const bool is_over = c->stop_ns != INT64_MAX &&
                         now_ns / NSEC_PER_MSEC - CAPTURE_SILENCE_MS >= c->stop_ns / NSEC_PER_MSEC;
    if (capture_has_ended(c)) {
        return false;
    }
    if (life != 0 && c->limit_frames > 0 && written_by_others(c, life) >= c->limit_frames) {
        end(c, CAPTURE_DONE, CAPTURE_CODE_LIMIT_FRAMES, "", now_ns);
        return true;
    }
    if (silent_ms < CAPTURE_SILENCE_MS || !(is_over || capture_is_cancelled(c))) {
        return false;
    }
    if (capture_is_cancelled(c)) {
        end(c, CAPTURE_CANCELLED, CAPTURE_CODE_CANCELLED, "", now_ns);
    } else if (has_begun(c)) {
        end(c, CAPTURE_DONE, CAPTURE_CODE_STOP_TIME,
            "its stop has passed, and nobody told how it ended", now_ns);
    } else {
        end(c, CAPTURE_FAILED, CAPTURE_CODE_MISSED, "", now_ns);
    }
    return true;
}
