/* SPDX-License-Identifier: Apache-2.0
 *
 * The start and stop of a wish (capture_line.h).
 */
#include <errno.h>

#include "base/time.h"
#include "cmd/capture_line.h"

static void put(json_t *o, const char *name, int64_t ns)
{
    char words[TIME_TEXT];
    time_text(ns, words);
    (void)json_object_set_new(o, name, json_string(words));
}

/* A time as the service takes it. -EINVAL with a sentence. */
static int put_time(json_t *o, const char *name, const char *text, int64_t now_ns, int64_t *ret,
                    struct error *err)
{
    if (time_parse(text, now_ns, ret) < 0) {
        return error_set(
            err, EINVAL,
            "--%s is a time such as 2026-11-20T14:03:10Z, or +30s from now, not \"%s\"", name,
            text);
    }
    put(o, name, *ret);
    return 0;
}

int capture_line_times(const struct capture_line *l, json_t *o, int64_t now_ns, struct error *err)
{
    int64_t start = now_ns, stop;
    const int r = l->start ? put_time(o, "start", l->start, now_ns, &start, err) : 0;
    if (r < 0) {
        return r;
    }
    if (l->stop && l->for_ns > 0) {
        return error_set(err, EINVAL, "--for and --stop both say when it ends");
    }
    if (l->stop) {
        return put_time(o, "stop", l->stop, now_ns, &stop, err);
    }
    if (l->for_ns > INT64_MAX - start) {
        return error_set(err, EINVAL, "--for is too long");
    }
    if (l->for_ns > 0) {
        put(o, "stop", start + l->for_ns);
    } else if (l->frames == 0 && l->bytes == 0) {
        return error_set(err, EINVAL, "it would never end: --for, --stop, --frames or --bytes");
    }
    return 0;
}
