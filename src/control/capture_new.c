/* SPDX-License-Identifier: Apache-2.0 */
#include "control/capture_new.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/captures.h"
#include "control/captures_each.h"
#include "control/ports.h"
#include "model/kinds.h"
#include "model/texts.h"

/* Points as clients name them become ports' names, each once, which mean the same when an alias has
 * moved on. -1 with the answer. */
static int add_point(struct api_turn *t, const char *point, unsigned place, char *list, size_t cap,
                     struct json_faults *f)
{
    char name[PORTS_POINT], near[PORTS_POINT] = "", pointer[32], quoted[PORTS_POINT + 16];
    snprintf(pointer, sizeof(pointer), "/points/%u", place);
    int r = ports_find(t, point, name, near);
    if (r == -ENOENT) {
        json_fault(f, pointer, "there is no port %.100s now%s%s", point,
                   near[0] ? "; the nearest is " : "", near);
        return 0;
    }
    if (r < 0) {
        return -1;
    }
    char one[PORTS_POINT + 16] = TEXTS_NONE;
    if (texts_add(one, sizeof(one), name) < 0) {
        json_fault(f, pointer, "the port's name cannot be kept");
        return 0;
    }
    snprintf(quoted, sizeof(quoted), "%.*s", (int)strlen(one) - 2, one + 1);
    if (strstr(list, quoted)) {
        json_fault(f, pointer, "%s is there twice", name);
    } else if (texts_add(list, cap, name) < 0) {
        json_fault(f, pointer, "these are too many points");
    }
    return 0;
}

static int check_points(struct api_turn *t, struct object *o, struct json_faults *f)
{
    char list[CAPTURE_POINTS * (PORTS_POINT + 16)] = TEXTS_NONE, point[TEXTS_ITEM];
    char only[PORTS_POINT], names[PORTS_POINT] = "";
    const struct value *v = &o->v[CAPTURE_F_POINTS];
    if (!v->set) {
        int r = ports_only(t, only, names);
        if (r == -ENOENT) {
            json_fault(f, "/points",
                       names[0] ? "points must be given; ports are %s%s"
                                : "there are no ports now%s%s",
                       names, "");
        } else if (r < 0 || texts_add(list, sizeof(list), only) < 0) {
            return -1;
        }
    } else {
        const char *at = v->text;
        for (unsigned i = 0; texts_next(&at, point) > 0; i++) {
            if (add_point(t, point, i, list, sizeof(list), f) < 0) {
                return -1;
            }
        }
    }
    if (object_set_text(o, CAPTURE_F_POINTS, list) < 0) {
        (void)api_problem(t, 503, NULL, "memory is short");
        return -1;
    }
    return 0;
}

/* -1 with the answer; 1: it will be known later. */
static int check_filter(struct api_turn *t, const struct object *o, struct json_faults *f)
{
    const struct api_conf *c = api_conf_of(t);
    const struct value *v = &o->v[CAPTURE_F_FILTER];
    struct error err = {""};
    if (!v->set || !v->text[0] || strcmp(o->v[CAPTURE_F_TYPE].text, "ethernet") == 0) {
        return 0;
    }
    int r = c->edges->check_filter(c->user, v->text, api_waiter(t), &err);
    if (r == -EINVAL) {
        json_fault(f, "/filter", "%s", err.text);
        return 0;
    }
    if (r < 0 && r != -EAGAIN) {
        (void)api_problem(t, 503, NULL, "the filter cannot be checked now: %s", err.text);
        return -1;
    }
    return r == -EAGAIN;
}

/* Those of the owner (NULL: of all) that have not ended. -1 with the answer. */
static int count_active(struct api_turn *t, const struct object *of, uint64_t *ret)
{
    const struct store_filter whose[] = {
        {FIELD_OF_OWNER, of ? &of->v[FIELD_OF_OWNER] : NULL},
        {FIELD_OF_PROJECT, of ? &of->v[FIELD_OF_PROJECT] : NULL},
    };
    struct captures_queries q;
    uint64_t n = 0, all = 0;
    captures_queries(CAPTURES_ACTIVE, whose, of ? ARRAY_SIZE(whose) : 0, &q);
    for (size_t i = 0; i < CAPTURES_STATES; i++) {
        if (api_count(t, &kind_capture, &q.at[i], &n) < 0) {
            return -1;
        }
        all += n;
    }
    *ret = all;
    return 0;
}

static bool has_room(struct api_turn *t, const struct object *o)
{
    uint64_t own = 0, all = 0;
    if (count_active(t, o, &own) < 0 || count_active(t, NULL, &all) < 0) {
        return false;
    }
    if (own >= CAPTURES_OF_OWNER) {
        (void)api_problem(t, 429, NULL,
                          "%s has %" PRIu64 " captures that have not ended, and may have %d",
                          t->who.name, own, CAPTURES_OF_OWNER);
        return false;
    }
    if (all >= CAPTURES_AT_ONCE) {
        (void)api_problem(t, 409, NULL, "%" PRIu64 " captures have not ended, and there may be %d",
                          all, CAPTURES_AT_ONCE);
        return false;
    }
    return true;
}

int capture_new_check(struct api_turn *t, struct object *o, struct json_faults *f)
{
    captures_check_new(o, t->now_ns, f);
    return check_points(t, o, f) < 0 ? -1 : check_filter(t, o, f);
}

int capture_new_put(struct api_turn *t, struct object *o)
{
    if (!has_room(t, o) || api_put(t, o) < 0 ||
        api_event(t, "capture.created", o, "%s on %s", o->v[CAPTURE_F_TYPE].text,
                  o->v[CAPTURE_F_POINTS].text) < 0) {
        return -1;
    }
    t->after_changed = true;
    return 0;
}
