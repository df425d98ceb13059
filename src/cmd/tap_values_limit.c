/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` about its limits whose value has a form; rows of tap_rows_limit.c
 * name them.
 */
#include <errno.h>
#include <string.h>

#include "cmd/tap_line.h"

enum {
    WORD = 16,
};

static const struct {
    const char *word;
    enum limiter_mode mode;
    enum ladder_rung rung; /* of LIMITER_LADDER */
} words[] = {{"headers", LIMITER_LADDER, LADDER_HEADERS},
             {"sample", LIMITER_LADDER, LADDER_SAMPLE},
             {"flows", LIMITER_LADDER, LADDER_FLOWS},
             {"count", LIMITER_LADDER, LADDER_COUNT},
             {"drop", LIMITER_DROP, 0},
             {"stop", LIMITER_STOP, 0}};

static int wrong_word(const struct conf_given *given, const char *word, struct error *err)
{
    static const char *const all[] = {"headers", "sample", "flows", "count", "drop", "stop", NULL};
    const char *near = conf_nearest_word(word, all);
    return error_set(err, EINVAL,
                     "%s: there is no \"%s\"%s%s; headers, sample, flows, count, or drop, or stop",
                     given->label, word, near ? ": did you mean " : "", near ? near : "");
}

/* A word more: the rungs of a ladder, or one of the others alone. */
static int add_word(struct limiter_conf *c, const struct conf_given *given, const char *word,
                    unsigned before, struct error *err)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(words) && strcmp(words[i].word, word) != 0) {
        i++;
    }
    if (i == ARRAY_SIZE(words)) {
        return wrong_word(given, word, err);
    }
    if (before > 0 && (words[i].mode != LIMITER_LADDER || c->mode != LIMITER_LADDER)) {
        return error_set(err, EINVAL, "%s: drop and stop stand alone, not in \"%s\"", given->label,
                         given->text);
    }
    for (unsigned k = 0; k < c->n_rungs; k++) {
        if (words[i].mode == LIMITER_LADDER && c->rung[k] == words[i].rung) {
            return error_set(err, EINVAL, "%s: %s stands twice in \"%s\"", given->label, word,
                             given->text);
        }
    }
    if (c->n_rungs > 0 && c->rung[c->n_rungs - 1] == LADDER_FLOWS &&
        words[i].rung != LADDER_COUNT) {
        return error_set(err, EINVAL, "%s: behind flows comes count or nothing, not %s",
                         given->label, word);
    }
    c->mode = words[i].mode;
    if (c->mode == LIMITER_LADDER) {
        c->rung[c->n_rungs++] = words[i].rung;
    }
    return 0;
}

int tap_set_on_limit(void *to, const struct conf_given *given, struct error *err)
{
    struct limiter_conf *c = &((struct tap_conf *)to)->limiter;
    char word[WORD];
    unsigned n = 0;
    int r = 0;
    c->n_rungs = 0;
    for (const char *p = given->text; r == 0;) {
        size_t len = strcspn(p, ",");
        snprintf(word, sizeof(word), "%.*s", (int)MIN(len, sizeof(word)), p);
        r = add_word(c, given, word, n++, err);
        if (p[len] == '\0') {
            break;
        }
        p += len + 1;
    }
    return r;
}

int tap_set_keep(void *to, const struct conf_given *given, struct error *err)
{
    struct limiter_conf *c = &((struct tap_conf *)to)->limiter;
    filter_done(&c->keep);
    int r = filter_compile_plain(given->text, &c->keep, err);
    if (r < 0) {
        error_prefix(err, "%s", given->label);
    }
    return r;
}

int tap_set_cpu(void *to, const struct conf_given *given, struct error *err)
{
    struct limiter_conf *c = &((struct tap_conf *)to)->limiter;
    char number[WORD];
    uint64_t percent;
    size_t len = strlen(given->text);
    if (len == 0 || len >= sizeof(number) || given->text[len - 1] != '%') {
        return error_set(err, EINVAL, "%s is a share of one core, such as 30%%, not \"%.40s\"",
                         given->label, given->text);
    }
    snprintf(number, sizeof(number), "%.*s", (int)len - 1, given->text);
    int r = parse_u64(number, given->label, given->row->min, given->row->max, &percent, err);
    c->cpu_permille = r < 0 ? c->cpu_permille : (uint32_t)percent * 10;
    return r;
}
