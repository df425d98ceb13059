/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "control/json_document.h"
#include "model/texts.h"

enum {
    TEXT_FIRST = 256, /* bytes of a text's first memory */
    NAME_SHOWN = 48,  /* bytes of a client's word in a sentence */
};

/* ---- faults ---- */

/* Takes away the beginning of a character whose end was cut off. */
static void end_whole(char *text, size_t cap)
{
    size_t n = strlen(text), i = n;
    if (n + 1 < cap) {
        return;
    }
    while (i > 0 && n - i < 4 && (text[i - 1] & 0xc0) == 0x80) {
        i--;
    }
    if (i > 0 && (text[i - 1] & 0x80)) {
        text[i - 1] = '\0';
    }
}

void json_fault(struct json_faults *f, const char *pointer, const char *fmt, ...)
{
    if (!f || f->n >= JSON_FAULTS) {
        return;
    }
    struct json_fault *at = &f->at[f->n++];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(at->text, sizeof(at->text), fmt, ap);
    va_end(ap);
    snprintf(at->pointer, sizeof(at->pointer), "%s", pointer);
    end_whole(at->text, sizeof(at->text));
    end_whole(at->pointer, sizeof(at->pointer));
}

/* "/name", escaped (RFC 6901, section 3). */
static void make_pointer(const char *name, char ret[sizeof(((struct json_fault *)0)->pointer)])
{
    size_t at = 0, cap = sizeof(((struct json_fault *)0)->pointer);
    ret[at++] = '/';
    for (; *name && at + 3 < cap; name++) {
        if (*name == '~' || *name == '/') {
            ret[at++] = '~';
            ret[at++] = *name == '~' ? '0' : '1';
        } else {
            ret[at++] = *name;
        }
    }
    ret[at] = '\0';
    if (*name) {
        end_whole(ret, at + 1);
    }
}

/* ---- text ---- */

static bool text_grow(struct text *t, size_t n)
{
    if (t->failed) {
        return false;
    }
    if (t->cap - t->len > n) {
        return true;
    }
    size_t cap = MAX(t->cap, (size_t)TEXT_FIRST);
    while (cap - t->len <= n) {
        cap *= 2;
    }
    char *p = realloc(t->p, cap);
    if (!p) {
        t->failed = true;
        return false;
    }
    t->p = p;
    t->cap = cap;
    return true;
}

void text_add_bytes(struct text *t, const char *p, size_t n)
{
    if (text_grow(t, n)) {
        memcpy(t->p + t->len, p, n);
        t->len += n;
        t->p[t->len] = '\0';
    }
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !text_grow(t, (size_t)n)) {
        t->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(t->p + t->len, t->cap - t->len, fmt, ap);
    va_end(ap);
    t->len += (size_t)n;
}

/* Bytes of the character at `p` (RFC 3629); 0: it is none. */
static size_t character(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;
    size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : u[0] >> 4 == 14 ? 3 : 4;
    if (n == 1 || (n == 4 && (u[0] < 0xf0 || u[0] > 0xf4))) {
        return n == 1;
    }
    for (size_t i = 1; i < n; i++) {
        if (u[i] >> 6 != 2) { /* the text's end is none either */
            return 0;
        }
    }
    bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
    bool none = (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf4 && u[1] > 0x8f);
    return overlong || none ? 0 : n;
}

/* One character, or byte that is none, which a string cannot have as it is. */
static void add_escaped(struct text *t, char c)
{
    if (c == '"' || c == '\\') {
        text_add(t, "\\%c", c);
    } else if (c & 0x80) {
        text_add_bytes(t, "\\ufffd", 6);
    } else {
        text_add(t, "\\u%04x", (unsigned)c);
    }
}

void text_add_json(struct text *t, const char *s)
{
    text_add_bytes(t, "\"", 1);
    while (*s) {
        size_t plain = 0, n;
        while (s[plain] >= ' ' || s[plain] & 0x80) {
            if (s[plain] == '"' || s[plain] == '\\' || (n = character(s + plain)) == 0) {
                break;
            }
            plain += n;
        }
        text_add_bytes(t, s, plain);
        s += plain;
        if (*s) {
            add_escaped(t, *s++);
        }
    }
    text_add_bytes(t, "\"", 1);
}

void text_add_time(struct text *t, int64_t ns)
{
    char time[TIME_TEXT];
    time_text(ns, time);
    text_add(t, "\"%s\"", time);
}

void text_free(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}

/* ---- out ---- */

static void put_value(struct text *t, const struct field *f, const struct value *v)
{
    if (!v->set) {
        text_add_bytes(t, "null", 4);
        return;
    }
    switch (f->type) {
    case FIELD_ID:
    case FIELD_TEXT:
    case FIELD_WORD:
        text_add_json(t, v->text);
        return;
    case FIELD_TEXTS:
    case FIELD_JSON:
        text_add_bytes(t, v->text, strlen(v->text));
        return;
    case FIELD_TIME:
        text_add_time(t, v->n);
        return;
    case FIELD_BOOL:
        text_add(t, "%s", v->n ? "true" : "false");
        return;
    case FIELD_INT:
        break;
    }
    text_add(t, "%" PRId64, v->n);
}

void json_put_object(struct text *t, const struct object *o, const bool *fields)
{
    char before = '{';
    for (size_t i = 0; i < o->kind->n; i++) {
        const struct field *f = &o->kind->field[i];
        if (f->flags & FIELD_HIDDEN || (fields && !fields[i])) {
            continue;
        }
        text_add_bytes(t, &before, 1);
        text_add_bytes(t, "\"", 1); /* names of fields need no escapes */
        text_add_bytes(t, f->name, strlen(f->name));
        text_add_bytes(t, "\":", 2);
        put_value(t, f, &o->v[i]);
        before = ',';
    }
    text_add_bytes(t, before == '{' ? "{}" : "}", before == '{' ? 2 : 1);
}

/* ---- in ---- */

/* A value's document, of which `o` is the object that is made. */
struct taking {
    struct object *o;
    bool change;
    struct json_faults *faults;
    bool short_of_memory;
    bool failed;
    bool given[KIND_FIELDS]; /* also with a wrong value */
};

static const char *form_of(const struct field *f)
{
    switch (f->type) {
    case FIELD_INT:
        return "a whole number";
    case FIELD_BOOL:
        return "true or false";
    case FIELD_TIME:
        return "a time such as \"2026-11-20T14:03:10Z\", or seconds since 1970";
    case FIELD_TEXTS:
        return "a list of texts";
    case FIELD_ID:
    case FIELD_TEXT:
    case FIELD_WORD:
    case FIELD_JSON:
        break;
    }
    return "a text";
}

static int wrong_form(const struct field *f, struct error *err)
{
    return error_set(err, EINVAL, "%s: is not %s", f->name, form_of(f));
}

static int take_time(const struct field *f, json_t *json, int64_t *ret, struct error *err)
{
    const int64_t end = TIME_TEXT_END / NSEC_PER_SEC;
    if (json_is_string(json)) {
        return time_parse_rfc3339(json_string_value(json), ret) < 0 ? wrong_form(f, err) : 0;
    }
    if (json_is_integer(json)) {
        json_int_t s = json_integer_value(json);
        if (s >= 0 && s < end) {
            *ret = s * NSEC_PER_SEC;
            return 0;
        }
    }
    if (json_is_real(json)) {
        double s = json_real_value(json);
        if (s >= 0 && s < (double)end) {
            *ret = llround(s * 1e6) * 1000; /* a double is no more exact than that */
            return 0;
        }
    }
    return wrong_form(f, err);
}

/* The list in one text. -EINVAL: *ret_bad is the place of the item that is wrong. */
static int take_texts(json_t *json, struct value *ret, size_t *ret_bad)
{
    char list[KIND_TEXT_MAX] = TEXTS_NONE;
    size_t i;
    json_t *item;
    json_array_foreach(json, i, item)
    {
        const char *text = json_string_value(item);
        if (!text || texts_add(list, sizeof(list), text) < 0) {
            *ret_bad = i;
            return -EINVAL;
        }
    }
    ret->text = strdup(list);
    return ret->text ? 0 : -ENOMEM;
}

/* A value that is not null into *ret. -EINVAL with a sentence, or with a fault of its own. */
static int take_value(struct taking *t, const struct field *f, json_t *json, struct value *ret,
                      struct error *err)
{
    size_t bad = 0;
    char pointer[64];
    ret->set = true;
    if (f->type == FIELD_INT && json_is_integer(json)) {
        ret->n = json_integer_value(json);
        return 0;
    }
    if (f->type == FIELD_BOOL && json_is_boolean(json)) {
        ret->n = json_is_true(json);
        return 0;
    }
    if (f->type == FIELD_TIME) {
        return take_time(f, json, &ret->n, err);
    }
    if (f->type == FIELD_TEXTS && json_is_array(json)) {
        int r = take_texts(json, ret, &bad);
        if (r == -EINVAL) {
            snprintf(pointer, sizeof(pointer), "/%s/%zu", f->name, bad);
            json_fault(t->faults, pointer, "%s: item %zu is not a text of 1 to %d bytes", f->name,
                       bad, TEXTS_ITEM - 1);
            t->failed = true;
        }
        return r;
    }
    if (field_is_text(f) && f->type != FIELD_TEXTS && json_is_string(json)) {
        return field_parse(f, json_string_value(json), ret, err);
    }
    return wrong_form(f, err);
}

static void take_field(struct taking *t, unsigned i, json_t *json)
{
    const struct field *f = &t->o->kind->field[i];
    struct value v = {0};
    struct error err = {""};
    char pointer[64];
    t->given[i] = true;
    int r = json_is_null(json) ? 0 : take_value(t, f, json, &v, &err);
    r = r < 0 ? r : field_check(f, &v, &err);
    if (r == 0) {
        value_done(&t->o->v[i]);
        t->o->v[i] = v;
        return;
    }
    value_done(&v);
    t->short_of_memory |= r == -ENOMEM;
    t->failed = true;
    if (err.text[0]) {
        snprintf(pointer, sizeof(pointer), "/%s", f->name);
        json_fault(t->faults, pointer, "%s", err.text);
    }
}

/* A member of the document: a field that the client may give, or a fault. */
static void take_member(struct taking *t, const char *name, json_t *json)
{
    const struct kind *k = t->o->kind;
    char pointer[sizeof(t->faults->at[0].pointer)], word[NAME_SHOWN];
    const int i = kind_find(k, name);
    const unsigned flags = i < 0 ? (unsigned)FIELD_HIDDEN : k->field[i].flags;
    if (flags & (t->change ? (unsigned)FIELD_CHANGE : FIELD_CREATE | FIELD_MUST)) {
        take_field(t, (unsigned)i, json);
        return;
    }
    t->failed = true;
    make_pointer(name, pointer);
    text_line(word, sizeof(word), name);
    if (flags & FIELD_HIDDEN) {
        const char *near = kind_nearest(k, name);
        json_fault(t->faults, pointer, "%s is no field of %s %s%s%s", word,
                   strchr("aeiou", k->name[0]) ? "an" : "a", k->name,
                   near ? "; the nearest is " : "", near ? near : "");
    } else if (flags & FIELD_CREATE) {
        json_fault(t->faults, pointer, "%s cannot be changed any more", word);
    } else if (flags & FIELD_CHANGE) {
        json_fault(t->faults, pointer, "%s can be changed only once there is a %s", word, k->name);
    } else {
        json_fault(t->faults, pointer, "%s is the service's own to say", word);
    }
}

static void find_missing(struct taking *t)
{
    const struct kind *k = t->o->kind;
    char pointer[64];
    for (size_t i = 0; i < k->n && !t->change; i++) {
        if (k->field[i].flags & FIELD_MUST && !t->given[i]) {
            snprintf(pointer, sizeof(pointer), "/%s", k->field[i].name);
            json_fault(t->faults, pointer, "%s is missing", k->field[i].name);
            t->failed = true;
        }
    }
}

/* Into t->o, which is the caller's to throw away. */
static int take_members(struct taking *t, json_t *document)
{
    const char *name;
    json_t *value;
    if (!json_is_object(document)) {
        json_fault(t->faults, "", "the document is not an object");
        return -EINVAL;
    }
    json_object_foreach(document, name, value)
    {
        take_member(t, name, value);
    }
    find_missing(t);
    if (t->short_of_memory) {
        return -ENOMEM;
    }
    if (t->failed) {
        return -EINVAL;
    }
    return t->change ? 0 : object_defaults(t->o, NULL);
}

int json_take_object(const void *bytes, size_t len, bool change, struct object *o,
                     struct json_faults *faults)
{
    struct object made;
    struct taking t = {.o = &made, .change = change, .faults = faults};
    struct error err = {""};
    json_t *document;
    faults->n = 0;
    int r = json_document(bytes, len, &document, &err);
    if (r < 0) {
        json_fault(faults, "", "%s", err.text);
        return r;
    }
    object_init(&made, o->kind);
    r = object_copy(&made, o);
    r = r < 0 ? r : take_members(&t, document);
    json_decref(document);
    if (r < 0) {
        object_done(&made);
        return r;
    }
    object_done(o);
    *o = made;
    return 0;
}

void json_seed(size_t random)
{
    json_object_seed(random ? random : 1); /* 0 would be the library's own choice */
}
