/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"

/* ---- setters ---- */

int conf_flag(void *to, const struct conf_given *given, struct error *err)
{
    static const char *const words[][2] = {{"yes", "no"}, {"true", "false"}, {"on", "off"}};
    for (size_t i = 0; given->text && i < ARRAY_SIZE(words); i++) {
        if (strcmp(given->text, words[i][0]) == 0 || strcmp(given->text, words[i][1]) == 0) {
            *(bool *)to = strcmp(given->text, words[i][0]) == 0;
            return 0;
        }
    }
    if (given->text) {
        return error_set(err, EINVAL, "%s is yes or no, not \"%s\"", given->label, given->text);
    }
    *(bool *)to = true;
    return 0;
}

int conf_text(void *to, const struct conf_given *given, struct error *err)
{
    const char *words = given->row->words;
    const int r = words ? parse_word(given->text, given->label, words, err) : 0;
    *(const char **)to = given->text;
    return r < 0 ? r : 0;
}

/* A number within the row's limits; `before` stays where it is none. */
static int number(const struct conf_given *given, uint64_t before, uint64_t *ret, struct error *err)
{
    *ret = before;
    return parse_u64(given->text, given->label, given->row->min, given->row->max, ret, err);
}

int conf_u16(void *to, const struct conf_given *given, struct error *err)
{
    uint64_t v;
    int r = number(given, *(uint16_t *)to, &v, err);
    *(uint16_t *)to = (uint16_t)v;
    return r;
}

int conf_u32(void *to, const struct conf_given *given, struct error *err)
{
    uint64_t v;
    int r = number(given, *(uint32_t *)to, &v, err);
    *(uint32_t *)to = (uint32_t)v;
    return r;
}

int conf_size(void *to, const struct conf_given *given, struct error *err)
{
    const struct conf_row *row = given->row;
    return parse_size(given->text, given->label, (row->flags & CONF_ZERO) != 0, row->min, row->max,
                      to, err);
}

int conf_rate(void *to, const struct conf_given *given, struct error *err)
{
    const struct conf_row *row = given->row;
    return parse_rate(given->text, given->label, row->min, row->max, to, err);
}

int conf_ms(void *to, const struct conf_given *given, struct error *err)
{
    const struct conf_row *row = given->row;
    return parse_ms(given->text, given->label, (uint32_t)row->min, (uint32_t)row->max, to, err);
}

/* ---- tables ---- */

const struct conf_row *conf_row_at(const struct conf_table *t, size_t i,
                                   const struct conf_part **ret_part)
{
    for (size_t k = 0; k < t->n; k++) {
        const struct conf_group *group = t->parts[k].group;
        if (i < group->n) {
            if (ret_part) {
                *ret_part = &t->parts[k];
            }
            return &group->rows[i];
        }
        i -= group->n;
    }
    return NULL;
}

size_t conf_count(const struct conf_table *t)
{
    size_t n = 0;
    for (size_t k = 0; k < t->n; k++) {
        n += t->parts[k].group->n;
    }
    return n;
}

void conf_limits(const struct conf_row *row, char *ret, size_t cap)
{
    char from[32] = "", to[32] = "";
    const bool seconds = row->max % 1000 == 0;
    if (row->set == conf_size) {
        parse_size_words(row->min, from);
        parse_size_words(row->max, to);
    } else if (row->set == conf_rate) {
        parse_rate_words(row->min, from);
        parse_rate_words(row->max, to);
    } else if (row->set == conf_ms) {
        snprintf(from, sizeof(from), "%" PRIu64 "ms", row->min);
        snprintf(to, sizeof(to), "%" PRIu64 "%s", row->max / (seconds ? 1000 : 1),
                 seconds ? "s" : "ms");
    } else if (row->max > 0) {
        snprintf(from, sizeof(from), "%" PRIu64, row->min);
        snprintf(to, sizeof(to), "%" PRIu64, row->max);
    }
    ret[0] = '\0';
    if (from[0]) {
        snprintf(ret, cap, "from %s to %s%s", from, to, row->flags & CONF_ZERO ? ", or 0" : "");
    }
}

size_t conf_find(const struct conf_table *t, const char *name)
{
    const struct conf_row *row;
    for (size_t i = 0; (row = conf_row_at(t, i, NULL)); i++) {
        if (strcmp(row->name, name) == 0) {
            return i;
        }
    }
    return CONF_ROWS;
}

/* ---- the nearest name ---- */

/* How many letters have to be put in, taken away, changed or swapped with the next to make one word
 * of the other (Damerau's distance without repetitions); words of up to CONF_WORD letters. */
static size_t distance(const char *a, const char *b)
{
    size_t row[3][CONF_WORD + 1], n = strlen(a), m = strlen(b);
    if (n > CONF_WORD || m > CONF_WORD) {
        return CONF_WORD;
    }
    size_t *two = row[0], *one = row[1], *now = row[2];
    for (size_t j = 0; j <= m; j++) {
        one[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = one[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = MIN(change, MIN(one[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = MIN(now[j], two[j - 2] + 1);
            }
        }
        size_t *const oldest = two;
        two = one;
        one = now;
        now = oldest;
    }
    return one[m];
}

const char *conf_nearest_word(const char *word, const char *const *words)
{
    const char *found = NULL;
    size_t best = CONF_WORD;
    for (; *words; words++) {
        size_t d = distance(word, *words);
        if (d < best && d <= 1 + strlen(*words) / 3) { /* near: a third of its letters */
            found = *words;
            best = d;
        }
    }
    return found;
}

const char *conf_nearest(const struct conf_table *t, const char *word, bool in_file)
{
    const struct conf_row *row;
    const char *names[CONF_ROWS + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; n < CONF_ROWS && (row = conf_row_at(t, i, NULL)); i++) {
        if (!(in_file && (row->flags & CONF_LINE))) {
            names[n++] = row->name;
        }
    }
    return conf_nearest_word(word, names);
}

/* ---- values ---- */

int conf_put(const struct conf_table *t, size_t i, void *conf, const char *label, char *text,
             struct error *err)
{
    const struct conf_part *part = NULL;
    const struct conf_row *row = conf_row_at(t, i, &part);
    struct conf_given given = {.row = row, .text = text};
    snprintf(given.label, sizeof(given.label), "%s", label);
    return row->set((char *)conf + part->at + row->to, &given, err);
}

void conf_defaults(const struct conf_table *t, void *conf)
{
    const struct conf_row *row;
    for (size_t i = 0; (row = conf_row_at(t, i, NULL)); i++) {
        if (row->dflt) {
            int r = conf_put(t, i, conf, row->name, (char *)row->dflt, NULL);
            assert(r == 0);
            (void)r;
        }
    }
}
