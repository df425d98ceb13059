/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of comma-separated values, with their names in the first line, as an object of JSON each.
 * Values are numbers where they look like ones; an empty one is left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/convert_impl.h"

enum {
    LINE_MAX = 4096, /* bytes of a row, its end included */
    COLUMNS = 64,
};

struct rows {
    bool named;
    char names[LINE_MAX]; /* the first line, cut at its commas */
    unsigned n;
    char *name[COLUMNS];
};

static int rows_begin(struct convert *c)
{
    c->form = calloc(1, sizeof(struct rows));
    return c->form ? 0 : -ENOMEM;
}

static void rows_done(struct convert *c)
{
    free(c->form);
}

/* Cuts the line at its commas; how many parts it has, at most COLUMNS + 1. */
static unsigned cut(char *line, char *part[COLUMNS])
{
    unsigned n = 0;
    for (char *at = line; at && n <= COLUMNS; n++) {
        char *comma = strchr(at, ',');
        if (comma) {
            *comma = '\0';
        }
        if (n < COLUMNS) {
            part[n] = at;
        }
        at = comma ? comma + 1 : NULL;
    }
    return n;
}

/* A whole number as JSON has it. */
static bool is_number(const char *s)
{
    size_t n = strspn(s += *s == '-', "0123456789");
    return n > 0 && n < 20 && s[n] == '\0' && (s[0] != '0' || n == 1);
}

static int row(struct convert *c, char *line)
{
    const struct rows *rows = c->form;
    char *value[COLUMNS];
    const char *before = "{";
    unsigned n = cut(line, value);
    if (n > rows->n) {
        return -EBADMSG;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!value[i][0]) {
            continue;
        }
        text_add(&c->out, "%s", before);
        text_add_json(&c->out, rows->name[i]);
        text_add(&c->out, ":");
        if (is_number(value[i])) {
            text_add(&c->out, "%s", value[i]);
        } else {
            text_add_json(&c->out, value[i]);
        }
        before = ",";
    }
    text_add(&c->out, before[0] == '{' ? "{}\n" : "}\n");
    return 0;
}

static int rows_take(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used)
{
    struct rows *rows = c->form;
    char line[LINE_MAX];
    const uint8_t *end = memchr(p, '\n', len);
    size_t n = end ? (size_t)(end - p) : len;
    if (n >= sizeof(line) || (end && memchr(p, '\0', n))) {
        return -EBADMSG;
    }
    if (!end) {
        return 0;
    }
    *ret_used = n + 1;
    char *to = rows->named ? line : rows->names;
    memcpy(to, p, n);
    to[n] = '\0';
    if (rows->named) {
        return row(c, line);
    }
    rows->named = true;
    rows->n = cut(rows->names, rows->name);
    return rows->n > COLUMNS ? -EBADMSG : 0;
}

const struct convert_ops convert_rows_json = {rows_begin, rows_take, NULL, rows_done};
