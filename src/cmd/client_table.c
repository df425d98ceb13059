/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of what a service has, and its documents as people and programs read them (client.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/client.h"

enum {
    CELL = 160,
    COLUMNS = 16,
};

static void put_list(const json_t *array, char *ret, size_t cap)
{
    size_t i, n = 0;
    const json_t *value;
    json_array_foreach(array, i, value)
    {
        if (n < cap && json_is_string(value)) {
            n += (size_t)snprintf(ret + n, cap - n, "%s%s", i == 0 ? "" : ",",
                                  json_string_value(value));
        }
    }
}

static void put_field(const json_t *value, char *ret, size_t cap)
{
    if (json_is_integer(value)) {
        (void)snprintf(ret, cap, "%lld", (long long)json_integer_value(value));
    } else if (json_is_string(value)) {
        (void)snprintf(ret, cap, "%s", json_string_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(ret, cap, "%s", json_is_true(value) ? "yes" : "no");
    } else {
        put_list(value, ret, cap);
    }
}

static void cell_of(const struct client_column *c, const json_t *o, char ret[CELL])
{
    char raw[CELL] = "";
    if (c->cell) {
        c->cell(o, raw, sizeof(raw));
    } else if (c->time) {
        client_time_words(client_text(o, c->field), raw, sizeof(raw));
    } else {
        put_field(json_object_get(o, c->field), raw, sizeof(raw));
    }
    text_line(ret, CELL, raw[0] ? raw : "-");
}

static void measure(const json_t *array, const struct client_column *columns, size_t n,
                    int width[COLUMNS])
{
    size_t i;
    json_t *o;
    for (size_t k = 0; k < n; k++) {
        width[k] = (int)strlen(columns[k].title);
    }
    json_array_foreach(array, i, o)
    {
        for (size_t k = 0; k < n; k++) {
            char text[CELL];
            cell_of(&columns[k], o, text);
            width[k] = MAX(width[k], (int)strlen(text));
        }
    }
}

/* The last of a line is not padded. */
static void put_cell(const struct client_column *c, const char *text, int width, bool last,
                     FILE *to)
{
    if (c->right) {
        fprintf(to, "%*s", width, text);
    } else if (last) {
        fprintf(to, "%s", text);
    } else {
        fprintf(to, "%-*s", width, text);
    }
    fputs(last ? "\n" : "  ", to);
}

void client_table(const json_t *array, const struct client_column *columns, size_t n, FILE *to)
{
    size_t i;
    json_t *o;
    int width[COLUMNS] = {0};
    n = MIN(n, (size_t)COLUMNS);
    measure(array, columns, n, width);
    for (size_t k = 0; k < n; k++) {
        put_cell(&columns[k], columns[k].title, width[k], k + 1 == n, to);
    }
    json_array_foreach(array, i, o)
    {
        for (size_t k = 0; k < n; k++) {
            char text[CELL];
            cell_of(&columns[k], o, text);
            put_cell(&columns[k], text, width[k], k + 1 == n, to);
        }
    }
}

void client_json(const json_t *doc)
{
    (void)json_dumpf(doc, stdout, JSON_INDENT(2));
    (void)putchar('\n');
}

void client_show(const json_t *o, bool json)
{
    if (json) {
        client_json(o);
    } else {
        client_whole(o, stdout);
    }
}
