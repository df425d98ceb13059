/* SPDX-License-Identifier: Apache-2.0
 *
 * The wish of a `farspan capture`, made of its command line (capture_line.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cmd/capture_line.h"
#include "sys/filter.h"

static bool is_port(const json_t *ports, const char *word)
{
    size_t i;
    const json_t *o;
    json_array_foreach(ports, i, o)
    {
        if (client_means_port(o, word)) {
            return true;
        }
    }
    return false;
}

/* The names to choose from, as far as there is room. */
static void list_ports(const json_t *ports, char *ret, size_t cap)
{
    size_t i, n = 0;
    json_t *o;
    ret[0] = '\0';
    json_array_foreach(ports, i, o)
    {
        if (n < cap && json_is_true(json_object_get(o, "there"))) {
            n += (size_t)snprintf(ret + n, cap - n, "%s%s", n ? " " : "", client_text(o, "name"));
        }
    }
}

static void set_text(json_t *o, const char *name, const char *text)
{
    if (text) {
        (void)json_object_set_new(o, name, json_string(text));
    }
}

static void set_number(json_t *o, const char *name, uint64_t n)
{
    if (n > 0) {
        (void)json_object_set_new(o, name, json_integer((json_int_t)n));
    }
}

static int no_port(const json_t *ports, const char *word, struct error *err)
{
    char names[200];
    list_ports(ports, names, sizeof(names));
    return error_set(err, EINVAL, "the service has no port \"%s\"; %s%s", word,
                     names[0] ? "there are " : "there are none", names);
}

/* A first word that is no port is a mistake rather than a filter. Without any word before a "--"
 * the service takes its only port. */
static int put_words(const struct capture_line *l, const json_t *ports,
                     const struct capture_words *w, json_t *o, struct error *err)
{
    int k = 0;
    json_t *points = json_array();
    for (; k < w->n && (w->points < 0 ? is_port(ports, w->word[k]) : k < w->points); k++) {
        (void)json_array_append_new(points, json_string(w->word[k]));
    }
    if (k > 0) {
        (void)json_object_set(o, "points", points);
    }
    json_decref(points);
    if (k == 0 && w->n > 0 && w->points < 0) {
        return no_port(ports, w->word[0], err);
    }
    if (k < w->n && l->filter_option) {
        return error_set(err, EINVAL, "the filter is given twice: by -f, and as \"%s\"",
                         w->word[k]);
    }
    char *filter = k < w->n ? filter_join(w->word + k, w->n - k) : NULL;
    set_text(o, "filter", filter ? filter : l->filter_option);
    free(filter);
    return 0;
}

static void put_rest(const struct capture_line *l, json_t *o)
{
    set_text(o, "type", l->type);
    set_text(o, "direction", strcmp(l->direction, "both") == 0 ? NULL : l->direction);
    set_text(o, "vlans", l->vlans);
    set_number(o, "snaplen", l->snaplen);
    set_number(o, "period", l->period);
    set_number(o, "limit_frames", l->frames);
    set_number(o, "limit_bytes", l->bytes);
}

int capture_line_wish(const struct capture_line *l, const json_t *ports,
                      const struct capture_words *words, int64_t now_ns, json_t **ret,
                      struct error *err)
{
    json_t *o = json_object();
    int r = o ? put_words(l, ports, words, o, err) : error_sys(err, ENOMEM, "cannot ask");
    r = r < 0 ? r : capture_line_times(l, o, now_ns, err);
    if (r < 0) {
        json_decref(o);
        return r;
    }
    put_rest(l, o);
    *ret = o;
    return 0;
}
