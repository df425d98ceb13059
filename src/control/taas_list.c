/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists: filters, of which one that is there several times means "or", an order, a page of it with
 * links to those beside, and fields. An object that is shown is the same with one row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "control/taas_impl.h"

enum {
    KEYS = 4, /* by which a list may be sorted */
};

struct list {
    struct api_turn *t;
    const struct taas_resource *r;
    json_t **row; /* owned, and so are they */
    size_t n, cap;
    bool failed; /* memory was short */
    const char *key[KEYS];
    bool down[KEYS];
    unsigned n_keys;
    uint64_t limit; /* 0: none */
    const char *marker;
    bool reverse;     /* the page before the marker */
    size_t from, end; /* of the page */
};

static void done(struct list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        json_decref(l->row[i]);
    }
    free(l->row);
}

/* ---- parameters ---- */

static bool is_filter(const char *name)
{
    static const char *const others[] = {"fields",       "limit",    "marker",
                                         "page_reverse", "sort_key", "sort_dir"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (strcmp(others[i], name) == 0) {
            return false;
        }
    }
    return true;
}

static bool take_limit(struct list *l)
{
    const char *limit = api_parameter(l->t, "limit");
    const char *reverse = api_parameter(l->t, "page_reverse");
    if (limit && parse_u64(limit, "limit", 0, INT32_MAX, &l->limit, NULL) < 0) {
        taas_error(l->t, 400, "BadRequest",
                   "Bad limit request: Limit must be an integer 0 or greater and not '%.100s'.",
                   limit);
        return false;
    }
    l->marker = api_parameter(l->t, "marker");
    l->reverse = reverse && strcasecmp(reverse, "true") == 0;
    return true;
}

/* The n-th sort_dir; false with the answer. */
static bool take_direction(struct list *l, const char *word, unsigned n)
{
    if (n >= l->n_keys || (strcasecmp(word, "asc") != 0 && strcasecmp(word, "desc") != 0)) {
        if (n >= l->n_keys) {
            taas_error(l->t, 400, "BadRequest",
                       "The number of sort_keys and sort_dirs must be same");
        } else {
            taas_error(l->t, 400, "HTTPBadRequest",
                       "['%.100s'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
                       word);
        }
        return false;
    }
    l->down[n] = strcasecmp(word, "desc") == 0;
    return true;
}

static bool take_key(struct list *l, const char *key)
{
    const struct taas_attribute *a = taas_attribute_of(l->r, key);
    if (!a || l->n_keys == KEYS) {
        taas_error(l->t, 400, "HTTPBadRequest", "['%.100s'] is invalid attribute for sort_keys",
                   key);
        return false;
    }
    l->key[l->n_keys++] = a->name;
    return true;
}

static bool take_order(struct list *l)
{
    const struct target *q = &l->t->target;
    unsigned n = 0;
    for (unsigned i = 0; i < q->n_parameters; i++) {
        if (strcmp(q->parameter[i].name, "sort_key") == 0 && !take_key(l, q->parameter[i].value)) {
            return false;
        }
    }
    for (unsigned i = 0; i < q->n_parameters; i++) {
        if (strcmp(q->parameter[i].name, "sort_dir") == 0 &&
            !take_direction(l, q->parameter[i].value, n++)) {
            return false;
        }
    }
    return true;
}

/* ---- filters ---- */

/* Has the row this value there? Lists and objects have none. */
static bool is(const json_t *value, const char *word)
{
    char shown[32];
    switch (json_typeof(value)) {
    case JSON_STRING:
        return strcmp(json_string_value(value), word) == 0;
    case JSON_TRUE:
        return strcasecmp(word, "true") == 0 || strcmp(word, "1") == 0;
    case JSON_FALSE:
        return strcasecmp(word, "false") == 0 || strcmp(word, "0") == 0;
    case JSON_INTEGER:
        (void)snprintf(shown, sizeof(shown), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return strcmp(shown, word) == 0;
    case JSON_REAL:
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return false;
}

/* By one parameter's name, with all the values that it was given. */
static bool passes(const struct list *l, const struct object *o, const json_t *row,
                   const char *name)
{
    const struct target *q = &l->t->target;
    const json_t *value = json_object_get(row, name);
    bool found = !value; /* a filter that is unknown means nothing */
    for (unsigned i = 0; i < q->n_parameters && !found; i++) {
        const struct api_parameter *p = &q->parameter[i];
        found = strcmp(p->name, name) == 0 &&
                (is(value, p->value) || (o && l->r->means && l->r->means(o, name, p->value)));
    }
    return found;
}

static bool matches(const struct list *l, const struct object *o, const json_t *row)
{
    const struct target *q = &l->t->target;
    for (unsigned i = 0; i < q->n_parameters; i++) {
        const char *name = q->parameter[i].name;
        if (is_filter(name) && !passes(l, o, row, name)) {
            return false;
        }
    }
    return true;
}

/* ---- rows ---- */

static bool push(struct list *l, json_t *row)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 16;
        json_t **at = reallocarray(l->row, cap, sizeof(json_t *));
        if (!at) {
            return false;
        }
        l->row = at;
        l->cap = cap;
    }
    l->row[l->n++] = row;
    return true;
}

static int add(void *user, const struct object *o)
{
    struct list *l = user;
    if (o && l->r->is_shown && !l->r->is_shown(l->t, o)) {
        return 0;
    }
    json_t *row = l->r->row(l->t, l->r, o);
    if (row && !matches(l, o, row)) {
        json_decref(row);
        return 0;
    }
    l->failed = !row || !push(l, row);
    if (l->failed) {
        json_decref(row);
    }
    return l->failed ? 1 : 0;
}

/* The only value of the parameter; NULL: it was not given, or several times. */
static const char *only(const struct api_turn *t, const char *name)
{
    const char *ret = NULL;
    for (unsigned i = 0; i < t->target.n_parameters; i++) {
        if (strcmp(t->target.parameter[i].name, name) == 0) {
            if (ret) {
                return NULL;
            }
            ret = t->target.parameter[i].value;
        }
    }
    return ret;
}

/* The store finds names and ids, by which clients look everything up; rows are gone through for
 * all other filters. */
static bool collect(struct list *l)
{
    const bool taps = l->r != &taas_port;
    const char *name = taps ? only(l->t, "name") : NULL, *id = taps ? only(l->t, "id") : NULL;
    const struct value project = {.set = true, .text = l->t->who.project},
                       is_name = {.set = true, .text = (char *)name},
                       is_id = {.set = true, .text = (char *)id};
    struct store_query q = {.sort = FIELD_OF_ID};
    if (!l->r->kind) {
        (void)add(l, NULL);
        return !l->failed || (taas_no_memory(l->t), false);
    }
    if (!api_sees_all(l->t)) {
        q.filter[q.n_filters++] = (struct store_filter){FIELD_OF_PROJECT, &project};
    }
    if (name) {
        q.filter[q.n_filters++] =
            (struct store_filter){taas_attribute_of(l->r, "name")->field, &is_name};
    }
    if (id) {
        q.filter[q.n_filters++] = (struct store_filter){FIELD_OF_ID, &is_id};
    }
    const int r = api_each(l->t, l->r->kind, &q, add, l);
    if (l->failed) {
        (void)taas_no_memory(l->t);
    }
    return r >= 0 && !l->failed;
}

/* ---- order and page ---- */

/* Null first. */
static int compare_values(const json_t *a, const json_t *b)
{
    const bool has_a = a && !json_is_null(a), has_b = b && !json_is_null(b);
    if (!has_a || !has_b) {
        return (int)has_a - (int)has_b;
    }
    if (json_is_integer(a) && json_is_integer(b)) {
        const json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    return json_is_string(a) && json_is_string(b)
               ? strcmp(json_string_value(a), json_string_value(b))
               : 0;
}

static int compare(const void *a, const void *b, void *user)
{
    const struct list *l = user;
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int c = 0;
    for (unsigned i = 0; i < l->n_keys && c == 0; i++) {
        c = compare_values(json_object_get(x, l->key[i]), json_object_get(y, l->key[i]));
        c = l->down[i] ? -c : c;
    }
    return c ? c : compare_values(json_object_get(x, "id"), json_object_get(y, "id"));
}

/* The first row at the marker or behind it; without an order of its own, the list goes on there
 * even when the marker's object has gone. `ret_there`: it is the marker's. */
static size_t place_of_marker(const struct list *l, bool *ret_there)
{
    size_t i = 0;
    for (; i < l->n; i++) {
        const char *id = json_string_value(json_object_get(l->row[i], "id"));
        const int c = id ? strcmp(id, l->marker) : -1;
        *ret_there = c == 0;
        if (c == 0 || (c > 0 && l->n_keys == 0)) {
            break;
        }
    }
    return i;
}

static void choose_page(struct list *l)
{
    l->end = l->n;
    if (l->marker) {
        bool there = false;
        const size_t at = place_of_marker(l, &there);
        if (l->reverse) {
            l->end = at;
        } else {
            l->from = at + there;
        }
    }
    const size_t n = l->end - l->from;
    if (l->limit > 0 && n > l->limit) {
        l->from = l->reverse ? l->end - l->limit : l->from;
        l->end = l->from + l->limit;
    }
}

/* ---- the answer ---- */

static void add_escaped(struct text *to, const char *s)
{
    for (; *s; s++) {
        const bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                           (*s >= '0' && *s <= '9') || strchr("-._~", *s);
        text_add(to, plain ? "%c" : "%%%02X", plain ? *s : (unsigned char)*s);
    }
}

/* The same list, behind the page's last object or, in `reverse`, before its first. */
static json_t *link_to(const struct list *l, bool reverse)
{
    char origin[300];
    struct text href = {0};
    taas_origin(l->t->request, origin, sizeof(origin));
    text_add(&href, "%s%s", origin, l->t->route->path);
    const char *before = "?";
    for (unsigned i = 0; i < l->t->target.n_parameters; i++) {
        const struct api_parameter *p = &l->t->target.parameter[i];
        if (strcmp(p->name, "marker") != 0 && strcmp(p->name, "page_reverse") != 0) {
            text_add(&href, "%s", before);
            add_escaped(&href, p->name);
            text_add(&href, "=");
            add_escaped(&href, p->value);
            before = "&";
        }
    }
    if (l->from < l->end) {
        const json_t *row = l->row[reverse ? l->from : l->end - 1];
        text_add(&href, "%smarker=%s", before, json_string_value(json_object_get(row, "id")));
        before = "&";
    }
    text_add(&href, "%s", reverse ? before : "");
    text_add(&href, "%s", reverse ? "page_reverse=True" : "");
    json_t *ret =
        href.failed ? NULL
                    : json_pack("{s:s, s:s}", "rel", reverse ? "previous" : "next", "href", href.p);
    text_free(&href);
    return ret;
}

/* A page that is not full is the last one in its direction. */
static json_t *links(const struct list *l)
{
    const bool full = l->end - l->from >= l->limit;
    json_t *ret = json_array();
    int r = ret ? 0 : -1;
    if (full || l->reverse) {
        r |= json_array_append_new(ret, link_to(l, false));
    }
    if (full || !l->reverse) {
        r |= json_array_append_new(ret, link_to(l, true));
    }
    if (r < 0) {
        json_decref(ret);
        return NULL;
    }
    return ret;
}

static json_t *document(struct list *l)
{
    char name[40];
    json_t *ret = json_object(), *rows = json_array();
    int r = ret && rows ? 0 : -1;
    if (l->limit > 0) { /* ids are looked at before fields go */
        (void)snprintf(name, sizeof(name), "%s_links", l->r->plural);
        r |= json_object_set_new(ret, name, links(l));
    }
    for (size_t i = l->from; i < l->end && r == 0; i++) {
        taas_choose(l->t, l->r, l->row[i]);
        r = json_array_append(rows, l->row[i]);
    }
    r |= json_object_set_new(ret, l->r->plural, rows);
    if (r < 0) {
        json_decref(ret);
        return NULL;
    }
    return ret;
}

enum api_result taas_list_of(struct api_turn *t, const struct taas_resource *r)
{
    struct list l = {.t = t, .r = r};
    if (take_limit(&l) && take_order(&l) && collect(&l)) {
        if (l.n_keys > 0 && l.n > 1) {
            qsort_r(l.row, l.n, sizeof(json_t *), compare, &l);
        }
        choose_page(&l);
        (void)taas_answer(t, 200, document(&l));
    }
    done(&l);
    return API_DONE;
}

/* ---- one ---- */

static int take_first(void *user, const struct object *o)
{
    return object_copy(user, o) < 0 ? -ENOMEM : 1;
}

int taas_get(struct api_turn *t, const struct taas_resource *r, const char *id, struct object *ret)
{
    uint8_t bytes[UUID_BYTES];
    char plain[UUID_TEXT];
    struct object o;
    int e = -ENOENT;
    object_init(&o, r->kind);
    if (uuid_parse(id, bytes) == 0 && r == &taas_port) {
        e = ports_get(t, id, &o);
    } else if (uuid_parse(id, bytes) == 0) {
        uuid_text(bytes, plain);
        const struct value is_id = {.set = true, .text = plain},
                           project = {.set = true, .text = t->who.project};
        const struct store_query q = {
            .filter = {{FIELD_OF_ID, &is_id}, {FIELD_OF_PROJECT, &project}},
            .n_filters = api_sees_all(t) ? 1 : 2,
            .sort = FIELD_OF_ID};
        e = api_each(t, r->kind, &q, take_first, &o);
        e = o.v[FIELD_OF_ID].set ? 0 : e == 0 ? -ENOENT : -EIO; /* which has become the answer */
    }
    if (e == 0 && r->is_shown && !r->is_shown(t, &o)) {
        e = -ENOENT;
    }
    if (e == 0) {
        *ret = o;
        return 0;
    }
    object_done(&o);
    if (e == -ENOENT) {
        (void)taas_missing(t, r, id);
    }
    return -1;
}

enum api_result taas_show_of(struct api_turn *t, const struct taas_resource *r, const char *id)
{
    struct object o;
    if (taas_get(t, r, id, &o) < 0) {
        return API_DONE;
    }
    json_t *row = r->row(t, r, &o);
    object_done(&o);
    if (row) {
        taas_choose(t, r, row);
    }
    return taas_answer(t, 200, row ? json_pack("{s:o}", r->name, row) : NULL);
}
