/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/captures_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_MIN = 8,
};

void captures_points(const json_t *capture, char *ret, size_t cap)
{
    size_t i, n = 0;
    const json_t *point;
    ret[0] = '\0';
    json_array_foreach(json_object_get(capture, "points"), i, point)
    {
        const char *name = json_string_value(point);
        if (n < cap) {
            n += (size_t)snprintf(ret + n, cap - n, "%s%s", n ? " " : "", name ? name : "?");
        }
    }
}

int64_t captures_length(const json_t *capture)
{
    const int64_t start = client_time(client_text(capture, "start")),
                  stop = client_time(client_text(capture, "stop"));
    return start >= 0 && stop > start ? stop - start : 0;
}

/* ---- the table ---- */

/* In a copy of the array, as cells see their object only. */
static void cell_id(const json_t *o, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "%s", client_text(o, "short"));
}

static void cell_start(const json_t *o, char *ret, size_t cap)
{
    client_time_words(client_text(o, "start"), ret, cap);
}

static void cell_length(const json_t *o, char *ret, size_t cap)
{
    if (captures_length(o) > 0) {
        client_span_words(captures_length(o), ret, cap);
    }
}

static bool has_begun(const json_t *o)
{
    return client_text(o, "began")[0] != '\0';
}

static void cell_frames(const json_t *o, char *ret, size_t cap)
{
    if (has_begun(o)) {
        (void)snprintf(ret, cap, "%" PRId64, client_int(o, "frames"));
    }
}

static void cell_size(const json_t *o, char *ret, size_t cap)
{
    if (has_begun(o)) {
        client_size_words(client_int(o, "bytes"), ret, cap);
    }
}

void captures_table(const json_t *all, unsigned ids, FILE *to)
{
    static const struct client_column columns[] = {{"ID", false, NULL, cell_id},
                                                   {"TYPE", false, "type", NULL},
                                                   {"POINTS", false, NULL, captures_points},
                                                   {"STATE", false, "state", NULL},
                                                   {"START", false, NULL, cell_start},
                                                   {"LENGTH", true, NULL, cell_length},
                                                   {"FRAMES", true, NULL, cell_frames},
                                                   {"SIZE", true, NULL, cell_size},
                                                   {"OWNER", false, "owner", NULL}};
    size_t i;
    json_t *o, *with_short = json_array();
    json_array_foreach(all, i, o)
    {
        json_t *copy = json_copy(o);
        (void)json_object_set_new(copy, "short",
                                  json_sprintf("%.*s", (int)ids, client_text(o, "id")));
        (void)json_array_append_new(with_short, copy);
    }
    client_table(with_short, columns, ARRAY_SIZE(columns), to);
    json_decref(with_short);
}

/* ---- short ids ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many characters both begin with. */
static unsigned common(const char *a, const char *b)
{
    unsigned n = 0;
    while (a[n] && a[n] == b[n]) {
        n++;
    }
    return n;
}

unsigned captures_id_len(const json_t *all)
{
    const size_t n = json_array_size(all);
    unsigned len = ID_MIN;
    const char **ids = calloc(n + 1, sizeof(*ids));
    if (!ids) {
        return KIND_ID - 1;
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = client_text(json_array_get(all, i), "id");
    }
    qsort(ids, n, sizeof(*ids), by_text);
    for (size_t i = 1; i < n; i++) {
        len = MAX(len, common(ids[i - 1], ids[i]) + 1);
    }
    free(ids);
    return MIN(len, (unsigned)KIND_ID - 1);
}
