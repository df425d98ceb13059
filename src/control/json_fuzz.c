/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a client's document of each kind. A fault is a clean sentence and a pointer; an
 * object that is accepted has only values that pass their checks, and is put as JSON that gives it
 * again.
 */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/json.h"
#include "model/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_faults(const struct json_faults *f)
{
    assert(f->n > 0 && f->n <= JSON_FAULTS);
    for (unsigned i = 0; i < f->n; i++) {
        assert(f->at[i].text[0] != '\0' && text_is_clean(f->at[i].text));
        assert(f->at[i].pointer[0] == '\0' || f->at[i].pointer[0] == '/');
    }
}

/* Fields that the client has given, put and taken once more, are the same. */
static void again(const struct object *o, bool change)
{
    const unsigned may = change ? (unsigned)FIELD_CHANGE : FIELD_CREATE | FIELD_MUST;
    bool fields[KIND_FIELDS];
    struct text t = {0};
    struct object back;
    struct json_faults faults;
    for (size_t i = 0; i < o->kind->n; i++) {
        const struct field *f = &o->kind->field[i];
        fields[i] = f->flags & may && o->v[i].set;
        assert(!o->v[i].set || field_check(f, &o->v[i], NULL) == 0);
    }
    json_put_object(&t, o, fields);
    object_init(&back, o->kind);
    int r = json_take_object(t.p, t.len, change, &back, &faults);
    assert(r == 0);
    for (size_t i = 0; i < o->kind->n; i++) {
        assert(value_compare(&o->kind->field[i], &o->v[i], &back.v[i]) == 0);
    }
    (void)r;
    text_free(&t);
    object_done(&back);
}

/* Everything as JSON, which another parser takes. */
static void whole(const struct object *o)
{
    struct text t = {0};
    json_put_object(&t, o, NULL);
    json_t *json = json_loadb(t.p, t.len, JSON_REJECT_DUPLICATES, NULL);
    assert(json_is_object(json));
    json_decref(json);
    text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_seed(1);
    for (size_t i = 0; i < KINDS * 2; i++) {
        const bool change = i % 2;
        struct object o;
        struct json_faults faults;
        object_init(&o, kinds[i / 2]);
        int r = json_take_object(data, size, change, &o, &faults);
        if (r == 0) {
            again(&o, change);
            whole(&o);
        } else {
            assert(r == -EINVAL);
            check_faults(&faults);
        }
        object_done(&o);
    }
    return 0;
}
