/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/parse.h"
#include "base/text.h"
#include "model/texts.h"

enum {
    QUOTED = 40, /* bytes of a text that a sentence shows */
};

/* ---- values ---- */

bool field_is_text(const struct field *f)
{
    return f->type != FIELD_INT && f->type != FIELD_BOOL && f->type != FIELD_TIME;
}

void value_done(struct value *v)
{
    free(v->text);
    *v = (struct value){0};
}

int value_copy(struct value *to, const struct value *from)
{
    struct value v = {.set = from->set, .n = from->n};
    if (from->text && !(v.text = strdup(from->text))) {
        return -ENOMEM;
    }
    value_done(to);
    *to = v;
    return 0;
}

int value_compare(const struct field *f, const struct value *a, const struct value *b)
{
    if (!a->set || !b->set) {
        return (int)a->set - (int)b->set;
    }
    if (field_is_text(f)) {
        return strcmp(a->text, b->text);
    }
    return (a->n > b->n) - (a->n < b->n);
}

static int value_take_text(struct value *to, const char *text)
{
    struct value v = {.set = true, .text = strdup(text)};
    if (!v.text) {
        return -ENOMEM;
    }
    value_done(to);
    *to = v;
    return 0;
}

static void value_take_int(struct value *to, int64_t n)
{
    value_done(to);
    *to = (struct value){.set = true, .n = n};
}

/* ---- objects ---- */

void object_init(struct object *o, const struct kind *kind)
{
    *o = (struct object){.kind = kind};
}

void object_done(struct object *o)
{
    for (size_t i = 0; o->kind && i < o->kind->n; i++) {
        value_done(&o->v[i]);
    }
}

int object_copy(struct object *to, const struct object *from)
{
    struct object o;
    object_init(&o, from->kind);
    for (size_t i = 0; i < from->kind->n; i++) {
        int r = value_copy(&o.v[i], &from->v[i]);
        if (r < 0) {
            object_done(&o);
            return r;
        }
    }
    object_done(to);
    *to = o;
    return 0;
}

int object_set_text(struct object *o, unsigned field, const char *text)
{
    return value_take_text(&o->v[field], text);
}

void object_set_int(struct object *o, unsigned field, int64_t n)
{
    value_take_int(&o->v[field], n);
}

void object_set_null(struct object *o, unsigned field)
{
    value_done(&o->v[field]);
}

int object_defaults(struct object *o, struct error *err)
{
    for (size_t i = 0; i < o->kind->n; i++) {
        const struct field *f = &o->kind->field[i];
        if (!o->v[i].set && f->dflt) {
            int r = field_parse(f, f->dflt, &o->v[i], err);
            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

/* ---- names and words ---- */

int kind_find(const struct kind *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++) {
        if (strcmp(k->field[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

const char *kind_nearest(const struct kind *k, const char *word)
{
    const char *names[KIND_FIELDS + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (!(k->field[i].flags & FIELD_HIDDEN)) {
            names[n++] = k->field[i].name;
        }
    }
    return conf_nearest_word(word, names);
}

const char *field_word_at(const struct field *f, unsigned place, size_t *ret_len)
{
    return words_at(f->words, place, ret_len);
}

int field_word(const struct field *f, const char *word)
{
    return words_find(f->words, word);
}

/* ---- checks ---- */

/* The text as a sentence shows it: its beginning, in quotes, without anything that harms. */
static const char *quoted(const char *text, char ret[QUOTED + 8])
{
    char line[QUOTED];
    text_line(line, sizeof(line), text);
    snprintf(ret, QUOTED + 8, "\"%s%s\"", line, strcmp(line, text) == 0 ? "" : "...");
    return ret;
}

/* "from 1 to 64", "up to 64". */
static const char *span(int64_t min, int64_t max, char ret[64])
{
    if (min == 0) {
        snprintf(ret, 64, "up to %" PRId64, max);
    } else {
        snprintf(ret, 64, "from %" PRId64 " to %" PRId64, min, max);
    }
    return ret;
}

static int check_id(const struct field *f, const char *text, struct error *err)
{
    uint8_t id[UUID_BYTES];
    char plain[UUID_TEXT], word[QUOTED + 8];
    if (uuid_parse(text, id) == 0) {
        uuid_text(id, plain);
        if (strcmp(plain, text) == 0) {
            return 0;
        }
    }
    return error_set(err, EINVAL, "%s: %s is not a UUID in small letters", f->name,
                     quoted(text, word));
}

static int check_text(const struct field *f, const char *text, struct error *err)
{
    const int64_t max = f->max ? f->max : KIND_TEXT_MAX;
    const size_t n = strlen(text);
    char bounds[64];
    if ((int64_t)n < f->min || (int64_t)n > max) {
        return error_set(err, EINVAL, "%s: has %zu bytes, and must have %s", f->name, n,
                         span(f->min, max, bounds));
    }
    if (!text_is_clean(text)) {
        return error_set(err, EINVAL, "%s: has control characters, or is not UTF-8", f->name);
    }
    if (f->check) {
        struct error why = {""};
        int r = f->check(text, &why);
        return r < 0 ? error_set(err, -r, "%s: %s", f->name, why.text) : 0;
    }
    return 0;
}

static int check_word(const struct field *f, const char *text, struct error *err)
{
    char list[160] = "", word[QUOTED + 8];
    const char *at;
    size_t len = 0, n = 0;
    if (field_word(f, text) >= 0) {
        return 0;
    }
    for (unsigned i = 0; n < sizeof(list) && (at = field_word_at(f, i, &len)); i++) {
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%.*s", i ? ", " : "", (int)len, at);
    }
    return error_set(err, EINVAL, "%s: %s is not one of %s", f->name, quoted(text, word), list);
}

static int check_texts(const struct field *f, const char *text, struct error *err)
{
    char bounds[64];
    int n = texts_count(text);
    if (n < 0) {
        return error_set(err, EINVAL, "%s: is not a list of texts of up to %d bytes each", f->name,
                         TEXTS_ITEM - 1);
    }
    if ((f->min || f->max) && (n < f->min || n > f->max)) {
        return error_set(err, EINVAL, "%s: has %d, and must have %s", f->name, n,
                         span(f->min, f->max, bounds));
    }
    return 0;
}

static int check_number(const struct field *f, int64_t n, struct error *err)
{
    if (f->type == FIELD_BOOL && n != 0 && n != 1) {
        return error_set(err, EINVAL, "%s: is neither true nor false", f->name);
    }
    if (f->type == FIELD_TIME && (n < 0 || n >= TIME_TEXT_END)) {
        return error_set(err, EINVAL, "%s: is not a time from 1970 to 2199", f->name);
    }
    if (f->type == FIELD_INT && (f->min || f->max) && (n < f->min || n > f->max)) {
        return error_set(err, EINVAL, "%s: %" PRId64 " is not from %" PRId64 " to %" PRId64,
                         f->name, n, f->min, f->max);
    }
    return 0;
}

int field_check(const struct field *f, const struct value *v, struct error *err)
{
    if (!v->set) {
        return f->flags & FIELD_NULL ? 0 : error_set(err, EINVAL, "%s: has no value", f->name);
    }
    switch (f->type) {
    case FIELD_ID:
        return check_id(f, v->text, err);
    case FIELD_TEXT:
        return check_text(f, v->text, err);
    case FIELD_WORD:
        return check_word(f, v->text, err);
    case FIELD_TEXTS:
        return check_texts(f, v->text, err);
    case FIELD_JSON:
        return 0;
    case FIELD_INT:
    case FIELD_BOOL:
    case FIELD_TIME:
        break;
    }
    return check_number(f, v->n, err);
}

/* ---- out of text ---- */

/* A decimal number with its sign, if it has one. */
static int parse_int(const struct field *f, const char *text, int64_t *ret, struct error *err)
{
    const bool minus = text[0] == '-';
    const char *at = text + minus;
    char word[QUOTED + 8];
    int64_t n = 0;
    bool good = *at != '\0';
    for (; good && *at; at++) {
        good = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(n, 10, &n) &&
               !__builtin_sub_overflow(n, *at - '0', &n); /* below 0 there is one number more */
    }
    if (!good || (!minus && n == INT64_MIN)) {
        return error_set(err, EINVAL, "%s: %s is not a whole number", f->name, quoted(text, word));
    }
    *ret = minus ? n : -n;
    return 0;
}

static int parse_bool(const struct field *f, const char *text, int64_t *ret, struct error *err)
{
    const bool yes = strcmp(text, "true") == 0;
    char word[QUOTED + 8];
    if (!yes && strcmp(text, "false") != 0) {
        return error_set(err, EINVAL, "%s: %s is neither true nor false", f->name,
                         quoted(text, word));
    }
    *ret = yes;
    return 0;
}

static int parse_time(const struct field *f, const char *text, int64_t *ret, struct error *err)
{
    char word[QUOTED + 8];
    if (time_parse_rfc3339(text, ret) < 0 && time_parse_seconds(text, ret) < 0) {
        return error_set(err, EINVAL, "%s: %s is not a time such as 2026-11-20T14:03:10Z", f->name,
                         quoted(text, word));
    }
    return 0;
}

/* "a,b" into a list; "": an empty one. */
static int parse_texts(const struct field *f, const char *text, struct value *ret,
                       struct error *err)
{
    char list[KIND_TEXT_MAX] = TEXTS_NONE, item[TEXTS_ITEM];
    int r = 0;
    for (const char *at = text; r == 0 && *text; at++) {
        size_t n = strcspn(at, ",");
        if (n >= sizeof(item)) {
            r = -EINVAL;
            break;
        }
        memcpy(item, at, n);
        item[n] = '\0';
        r = texts_add(list, sizeof(list), item);
        at += n;
        if (*at == '\0') {
            break;
        }
    }
    if (r < 0) {
        return error_set(err, EINVAL,
                         "%s: is not a list of texts of 1 to %d bytes with commas between them",
                         f->name, TEXTS_ITEM - 1);
    }
    return value_take_text(ret, list);
}

/* As written; an id in small letters. */
static int parse_text(const struct field *f, const char *text, struct value *ret)
{
    uint8_t id[UUID_BYTES];
    char plain[UUID_TEXT];
    if (f->type == FIELD_ID && uuid_parse(text, id) == 0) {
        uuid_text(id, plain);
        return value_take_text(ret, plain);
    }
    return value_take_text(ret, text);
}

int field_parse(const struct field *f, const char *text, struct value *ret, struct error *err)
{
    struct value v = {.set = true};
    int r = f->type == FIELD_INT     ? parse_int(f, text, &v.n, err)
            : f->type == FIELD_BOOL  ? parse_bool(f, text, &v.n, err)
            : f->type == FIELD_TIME  ? parse_time(f, text, &v.n, err)
            : f->type == FIELD_TEXTS ? parse_texts(f, text, &v, err)
                                     : parse_text(f, text, &v);
    if (r == -ENOMEM) {
        error_set(err, ENOMEM, "%s: memory is short", f->name);
    }
    r = r < 0 ? r : field_check(f, &v, err);
    if (r < 0) {
        value_done(&v);
        return r;
    }
    value_done(ret);
    *ret = v;
    return 0;
}
