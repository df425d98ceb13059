/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/objects_fields.h"

#include <errno.h>
#include <string.h>

#include "cmd/client.h"

void objects_table(const struct kind *k, const json_t *all)
{
    struct client_column columns[KIND_FIELDS];
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++) {
        const struct field *f = &k->field[i];
        if (f->title) {
            columns[n++] = (struct client_column){.title = f->title,
                                                  .right = f->type == FIELD_INT,
                                                  .field = f->name,
                                                  .time = f->type == FIELD_TIME};
        }
    }
    client_table(all, columns, n, stdout);
}

static json_t *json_of(const struct field *f, const char *text, const struct value *v)
{
    switch (f->type) {
    case FIELD_INT:
        return json_integer(v->n);
    case FIELD_BOOL:
        return json_boolean(v->n != 0);
    case FIELD_TEXTS:
        return json_loads(v->text, 0, NULL);
    case FIELD_ID:
    case FIELD_TEXT:
    case FIELD_TIME:
    case FIELD_WORD:
    case FIELD_JSON:
        break;
    }
    return json_string(text);
}

/* NULL with a sentence. */
static const struct field *find_field(const struct kind *k, const char *name, struct error *err)
{
    const int at = kind_find(k, name);
    if (at >= 0 && !(k->field[at].flags & FIELD_HIDDEN)) {
        return &k->field[at];
    }
    const char *near = kind_nearest(k, name);
    (void)error_set(err, EINVAL, "a %s has no field \"%s\"%s%s%s", k->name, name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

int objects_put(const struct kind *k, const char *word, json_t *body, struct error *err)
{
    char name[64];
    struct value v = {.set = false};
    const size_t len = strcspn(word, "=");
    (void)snprintf(name, sizeof(name), "%.*s", (int)len, word);
    if (word[len] == '\0') {
        return error_set(err, EINVAL, "\"%s\" is no FIELD=VALUE", word);
    }
    const struct field *f = find_field(k, name, err);
    if (!f) {
        return -EINVAL;
    }
    const char *text = word + len + 1;
    const bool is_null = text[0] == '\0' && (f->flags & FIELD_NULL);
    const int r = is_null ? 0 : field_parse(f, text, &v, err);
    if (r < 0) {
        return r;
    }
    json_t *value = is_null ? json_null() : json_of(f, text, &v);
    value_done(&v);
    return value && json_object_set_new(body, name, value) == 0
               ? 0
               : error_set(err, EINVAL, "%s is no text that JSON can have", name);
}
