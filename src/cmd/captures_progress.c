/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress of a capture, and its end (captures_print.h).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "cmd/captures_print.h"

enum {
    BAR = 20,
    SHORT_ID = 13, /* the time of a UUID that was made by it */
    LINE = 512,
};

bool captures_is_over(const json_t *capture)
{
    const char *state = client_text(capture, "state");
    return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

/* ---- the end ---- */

/* A capture that is asked for now begins a little later, when the rings are there. */
static bool is_first_moment(const json_t *capture, const json_t *gap)
{
    const char *start = client_text(capture, "start"), *from = client_text(gap, "from");
    return strcmp(start, client_text(capture, "created")) == 0 && strcmp(start, from) == 0 &&
           client_time(client_text(gap, "until")) - client_time(from) < NSEC_PER_SEC;
}

/* The first of its gaps, and how many there are. */
static void gap_words(const json_t *capture, char *ret, size_t cap)
{
    size_t i, n = 0;
    const json_t *gap, *first = NULL;
    json_array_foreach(json_object_get(capture, "gaps"), i, gap)
    {
        if (!is_first_moment(capture, gap)) {
            first = first ? first : gap;
            n++;
        }
    }
    ret[0] = '\0';
    if (n > 0) {
        (void)snprintf(ret, cap, "; %zu gap%s, the first at %s from %s until %s: %s", n,
                       n > 1 ? "s" : "", client_text(first, "point"), client_text(first, "from"),
                       client_text(first, "until"), client_text(first, "why"));
    }
}

void captures_end_words(const json_t *capture, const char *path, char *ret, size_t cap)
{
    char raw[LINE], gaps[LINE / 2];
    const char *state = client_text(capture, "state"), *reason = client_text(capture, "reason");
    const bool rows = strcmp(client_text(capture, "type"), "ethernet") == 0;
    const int64_t frames = client_int(capture, "frames");
    const bool plain = strcmp(state, "done") == 0 && frames > 0;
    gap_words(capture, gaps, sizeof(gaps));
    (void)snprintf(raw, sizeof(raw), "%s: %" PRId64 " %s%s, %" PRId64 " dropped%s%s%s%s%s", state,
                   frames, rows ? "row" : "frame", frames == 1 ? "" : "s",
                   client_int(capture, "dropped"), path ? ", written to " : "", path ? path : "",
                   plain || !reason[0] ? "" : ": ", plain ? "" : reason, gaps);
    text_line(ret, cap, raw);
}

int captures_tell_end(const json_t *capture, const char *path)
{
    char line[LINE];
    captures_end_words(capture, path, line, sizeof(line));
    fprintf(stderr, "%s\n", line);
    return strcmp(client_text(capture, "state"), "failed") == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- progress ---- */

static int64_t share(int64_t part, int64_t whole)
{
    return whole > 0 ? MIN(MAX(part, INT64_C(0)), whole) * BAR / whole : 0;
}

/* How much of the bar is done: what comes first ends it. */
static size_t bar_of(const json_t *capture, int64_t passed)
{
    const int64_t by_time = share(passed / NSEC_PER_MSEC, captures_length(capture) / NSEC_PER_MSEC);
    const int64_t by_frames =
        share(client_int(capture, "frames"), client_int(capture, "limit_frames"));
    const int64_t by_bytes =
        share(client_int(capture, "bytes"), client_int(capture, "limit_bytes"));
    return (size_t)MIN(MAX(by_time, MAX(by_frames, by_bytes)), (int64_t)BAR);
}

void captures_progress_words(const json_t *capture, int64_t now_ns, uint64_t received,
                             unsigned columns, char *ret, size_t cap)
{
    char raw[LINE], points[64], size[32], span[32];
    char bar[] = "                    ";
    const int64_t length = captures_length(capture),
                  start = client_time(client_text(capture, "start"));
    const int64_t passed = start < 0 ? 0 : MAX(now_ns - start, INT64_C(0));
    captures_points(capture, points, sizeof(points));
    memset(bar, '#', bar_of(capture, passed));
    client_size_words((int64_t)MAX(received, (uint64_t)client_int(capture, "bytes")), size,
                      sizeof(size));
    const bool whole = length > 0 && passed >= length;
    client_span_words(whole ? length : passed / NSEC_PER_SEC * NSEC_PER_SEC, span, sizeof(span));
    for (int id = KIND_ID - 1; id > 0; id = id > SHORT_ID ? SHORT_ID : 0) {
        int n = strcmp(client_text(capture, "state"), "scheduled") == 0
                    ? snprintf(raw, sizeof(raw), "%.*s  %s  begins at %s", id,
                               client_text(capture, "id"), points, client_text(capture, "start"))
                    : snprintf(raw, sizeof(raw), "%.*s  %s  [%s] %s  %" PRId64 " frames  %s", id,
                               client_text(capture, "id"), points, bar, span,
                               client_int(capture, "frames"), size);
        if (columns == 0 || n < (int)columns) {
            break;
        }
    }
    text_line(ret, columns > 0 ? MIN(cap, (size_t)columns) : cap, raw);
}

void captures_progress(const json_t *capture, int64_t now_ns, uint64_t received)
{
    char line[LINE];
    struct winsize size = {0};
    if (isatty(STDERR_FILENO)) {
        (void)ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
        captures_progress_words(capture, now_ns, received, size.ws_col, line, sizeof(line));
        fprintf(stderr, "\r%s\033[K", line);
    }
}

void captures_progress_end(const json_t *capture, uint64_t received)
{
    if (capture && captures_is_over(capture)) {
        captures_progress(capture, wall_now().ns, received);
    }
    if (isatty(STDERR_FILENO)) {
        fputs("\n", stderr);
    }
}
