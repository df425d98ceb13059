/* SPDX-License-Identifier: Apache-2.0
 *
 * A page of a kind's objects: filters, order, fields, and the way to the next page. A page ends
 * with a marker of its last object's place, so that rows which come and go between two pages
 * neither repeat others nor hide them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/base64url.h"
#include "base/parse.h"
#include "base/text.h"
#include "control/api.h"

enum {
    LIMIT = 100,
    MARKER_MAX = KIND_TEXT_MAX + 256, /* bytes */
};

struct page {
    const struct kind *kind;
    struct store_query query;
    struct value is[STORE_FILTERS]; /* of its filters */
    struct value marker;
    char marker_id[KIND_ID];
    bool field[KIND_FIELDS];
    bool some; /* of the fields, those of `field` */
    unsigned limit, n;
    struct text rows;
    char *last; /* owned: the marker of the last row */
    bool more;
};

static void page_done(struct page *p)
{
    for (unsigned i = 0; i < p->query.n_filters; i++) {
        value_done(&p->is[i]);
    }
    value_done(&p->marker);
    text_free(&p->rows);
    free(p->last);
}

/* ---- markers: the order, the value in it and the id, as one opaque word ---- */

static bool is_number(const struct field *f)
{
    return f->type == FIELD_INT || f->type == FIELD_BOOL || f->type == FIELD_TIME;
}

/* "+created=1732780800 0199…" in base64url. NULL: memory is short. */
static char *marker_make(const struct page *p, const struct object *o)
{
    const struct field *f = &p->kind->field[p->query.sort];
    const struct value *v = &o->v[p->query.sort];
    struct text t = {0};
    text_add(&t, "%c%s%c%s ", p->query.down ? '-' : '+', f->name, v->set ? '=' : '!',
             o->v[FIELD_OF_ID].text);
    if (v->set && is_number(f)) {
        text_add(&t, "%" PRId64, v->n);
    } else if (v->set) {
        text_add_bytes(&t, v->text, strlen(v->text));
    }
    char *ret = t.failed ? NULL : malloc(BASE64URL_LEN(t.len) + 1);
    if (ret) {
        base64url_put(t.p, t.len, ret);
    }
    text_free(&t);
    return ret;
}

static int marker_value(const struct field *f, char kind, const char *text, struct value *ret)
{
    struct value v = {.set = kind == '='};
    char *end = NULL;
    if (kind == '!') {
        *ret = v;
        return *text ? -EINVAL : 0;
    }
    if (is_number(f)) {
        errno = 0;
        v.n = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end) {
            return -EINVAL;
        }
    } else {
        v.text = text_is_clean(text) && strlen(text) <= KIND_TEXT_MAX ? strdup(text) : NULL;
        if (!v.text) {
            return -EINVAL;
        }
    }
    *ret = v;
    return 0;
}

static int marker_take(struct page *p, const char *marker)
{
    _cleanup_(freep) char *text = malloc(MARKER_MAX + 1);
    const struct field *f = &p->kind->field[p->query.sort];
    size_t name = strlen(f->name);
    uint8_t id[16];
    int n = text ? base64url_get(marker, strlen(marker), (uint8_t *)text, MARKER_MAX) : -ENOMEM;
    if (n < 0 || memchr(text, '\0', (size_t)n)) {
        return -EINVAL;
    }
    text[n] = '\0';
    const char *value = text + 1 + name + 1;
    if (text[0] != (p->query.down ? '-' : '+') || strncmp(text + 1, f->name, name) != 0 ||
        (text[1 + name] != '=' && text[1 + name] != '!') || strlen(value) < KIND_ID ||
        value[KIND_ID - 1] != ' ') {
        return -EINVAL;
    }
    memcpy(p->marker_id, value, KIND_ID - 1);
    p->marker_id[KIND_ID - 1] = '\0';
    if (uuid_parse(p->marker_id, id) < 0) {
        return -EINVAL;
    }
    int r = marker_value(f, text[1 + name], value + KIND_ID, &p->marker);
    if (r == 0) {
        p->query.marker_value = &p->marker;
        p->query.marker_id = p->marker_id;
    }
    return r;
}

/* ---- parameters ---- */

static int take_sort(struct api_turn *t, struct page *p)
{
    const char *sort = api_parameter(t, "sort");
    int field = FIELD_OF_ID; /* by the time of making, as the ids have that */
    if (sort) {
        p->query.down = *sort == '-';
        field = kind_find(p->kind, sort + p->query.down);
        if (field < 0 || !(p->kind->field[field].flags & FIELD_SORT)) {
            (void)api_problem(t, 400, NULL, "sort: lists are in the order of no such field");
            return -EINVAL;
        }
    }
    p->query.sort = (unsigned)field;
    return 0;
}

static int take_fields(struct api_turn *t, struct page *p)
{
    const char *names = api_parameter(t, "fields");
    p->some = names != NULL;
    for (const char *s = names; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL) {
        char name[40];
        snprintf(name, sizeof(name), "%.*s", (int)MIN(strcspn(s, ","), sizeof(name)), s);
        int field = kind_find(p->kind, name);
        if (field < 0 || p->kind->field[field].flags & FIELD_HIDDEN) {
            (void)api_problem(t, 400, NULL, "fields: a %s has no field of one of these names",
                              p->kind->name);
            return -EINVAL;
        }
        p->field[field] = true;
    }
    return 0;
}

static int add_filter(struct page *p, unsigned field, const char *text, struct error *err)
{
    if (p->query.n_filters == STORE_FILTERS) {
        return error_set(err, E2BIG, "a list has at most %d filters", STORE_FILTERS - 1);
    }
    struct value *v = &p->is[p->query.n_filters];
    int r = field_parse(&p->kind->field[field], text, v, err);
    if (r == 0) {
        p->query.filter[p->query.n_filters++] = (struct store_filter){field, v};
    }
    return r;
}

static int take_filters(struct api_turn *t, struct page *p)
{
    struct error err = {""};
    int r = api_sees_all(t) ? 0 : add_filter(p, FIELD_OF_PROJECT, t->who.project, &err);
    for (unsigned i = 0; i < t->target.n_parameters && r == 0; i++) {
        int field = kind_find(p->kind, t->target.parameter[i].name);
        if (field >= 0 && p->kind->field[field].flags & FIELD_FILTER) {
            r = add_filter(p, (unsigned)field, t->target.parameter[i].value, &err);
        }
    }
    if (r < 0) {
        (void)api_problem(t, r == -ENOMEM ? 503 : 400, NULL, "%s", err.text);
    }
    return r;
}

static int take_parameters(struct api_turn *t, struct page *p)
{
    struct error err = {""};
    const char *limit = api_parameter(t, "limit"), *marker = api_parameter(t, "marker");
    uint64_t n = LIMIT;
    if (limit && parse_u64(limit, "limit", 1, STORE_LIMIT_MAX, &n, &err) < 0) {
        (void)api_problem(t, 400, NULL, "%s", err.text);
        return -EINVAL;
    }
    p->limit = (unsigned)n;
    p->query.limit = p->limit + 1; /* one more tells whether there is another page */
    if (take_sort(t, p) < 0 || take_fields(t, p) < 0 || take_filters(t, p) < 0) {
        return -EINVAL;
    }
    if (marker && marker_take(p, marker) < 0) {
        (void)api_problem(t, 400, NULL, "marker: it is none that a list in this order gave");
        return -EINVAL;
    }
    return 0;
}

/* ---- the page ---- */

static int add_row(void *user, const struct object *o)
{
    struct page *p = user;
    if (p->n == p->limit) {
        p->more = true;
        return 0;
    }
    text_add(&p->rows, p->n ? ",\n" : "\n");
    json_put_object(&p->rows, o, p->some ? p->field : NULL);
    if (++p->n == p->limit) {
        p->last = marker_make(p, o);
        p->rows.failed = p->rows.failed || !p->last;
    }
    return 0;
}

static void add_escaped(struct text *to, const char *s)
{
    for (; *s; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || strchr("-._~,:", *s);
        text_add(to, plain ? "%c" : "%%%02X", plain ? *s : (unsigned char)*s);
    }
}

/* The same list behind the marker. */
static void add_next(struct api_turn *t, const struct page *p, struct text *body)
{
    struct text next = {0};
    text_add(&next, "%s?", t->route->path);
    for (unsigned i = 0; i < t->target.n_parameters; i++) {
        const struct api_parameter *q = &t->target.parameter[i];
        if (strcmp(q->name, "marker") != 0) {
            add_escaped(&next, q->name);
            text_add(&next, "=");
            add_escaped(&next, q->value);
            text_add(&next, "&");
        }
    }
    text_add(&next, "marker=%s", p->last);
    text_add(body, ",\"next\":");
    if (next.failed) {
        body->failed = true;
    } else {
        text_add_json(body, next.p);
    }
    text_free(&next);
}

enum api_result api_list(struct api_turn *t)
{
    struct page p = {.kind = t->route->kind};
    struct text body = {0};
    if (take_parameters(t, &p) == 0 && api_each(t, p.kind, &p.query, add_row, &p) == 0) {
        text_add(&body, "{\"%s\":[", p.kind->plural);
        if (p.rows.len > 0) {
            text_add_bytes(&body, p.rows.p, p.rows.len);
        }
        text_add(&body, "]");
        if (p.more && p.last) {
            add_next(t, &p, &body);
        }
        text_add(&body, "}\n");
        body.failed = body.failed || p.rows.failed;
        (void)api_json(t, 200, &body);
    }
    text_free(&body);
    page_done(&p);
    return API_DONE;
}
