/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures and observation points, as OpenTap's clients name them.
 */
#include <errno.h>
#include <string.h>

#include "control/opentap_impl.h"
#include "model/kinds.h"

const struct opentap_conf *opentap_conf_of(const struct api_turn *t)
{
    static const struct opentap_conf none;
    const struct opentap_settings *s = api_conf_of(t)->opentap_settings;
    return s && s->conf ? s->conf : &none;
}

const char *opentap_id(const struct object *o)
{
    const struct value *own = &o->v[CAPTURE_F_OPENTAP_ID];
    return own->set && own->text[0] ? own->text : o->v[FIELD_OF_ID].text;
}

/* ---- captures ---- */

struct search {
    struct object *ret;
    bool found;
    int failed;
};

static int take(void *user, const struct object *o)
{
    struct search *s = user;
    s->failed = object_copy(s->ret, o);
    s->found = s->failed == 0;
    return 1; /* the first is the last that was made */
}

int opentap_find(struct api_turn *t, const char *id, struct object *ret)
{
    char text[KIND_TEXT_MAX], project[KIND_TEXT_MAX];
    uint8_t bytes[16];
    if (strlen(id) >= sizeof(text)) {
        return -ENOENT;
    }
    (void)snprintf(text, sizeof(text), "%s", id);
    (void)snprintf(project, sizeof(project), "%s", t->who.project);
    const struct value is = {.set = true, .text = text}, own = {.set = true, .text = project};
    struct store_query q = {.filter = {{CAPTURE_F_OPENTAP_ID, &is}, {FIELD_OF_PROJECT, &own}},
                            .n_filters = api_sees_all(t) ? 1 : 2,
                            .sort = FIELD_OF_CREATED,
                            .down = true};
    struct object found;
    object_init(&found, &kind_capture);
    struct search s = {.ret = &found};
    int r = api_each(t, &kind_capture, &q, take, &s);
    if (s.found) {
        *ret = found;
        return 0;
    }
    object_done(&found);
    if (r < 0 || s.failed < 0) {
        return r == -ENOENT || r >= 0 ? api_problem(t, 503, NULL, "memory is short"), -EIO : r;
    }
    return uuid_parse(id, bytes) < 0 ? -ENOENT : api_get(t, &kind_capture, id, ret);
}

/* ---- points ---- */

static int default_point(struct api_turn *t, char ret[PORTS_POINT])
{
    char names[PORTS_POINT] = "";
    int r = ports_only(t, ret, names);
    if (r == -ENOENT) {
        (void)api_problem(t, 422, NULL,
                          names[0] ? "observationpt must be given; observation points are %s"
                                   : "there are no observation points now%s",
                          names);
    }
    return r < 0 ? -1 : 0;
}

int opentap_point(struct api_turn *t, const char *point, char ret[PORTS_POINT])
{
    const struct opentap_conf *c = opentap_conf_of(t);
    char near[PORTS_POINT] = "";
    if (!point || !point[0] || strcmp(point, "0") == 0) {
        point = c->default_point;
    }
    if (!point[0]) {
        return default_point(t, ret);
    }
    for (unsigned i = 0; i < c->n_aliases; i++) {
        if (strcmp(c->alias[i].name, point) == 0) {
            point = c->alias[i].ifname;
            break;
        }
    }
    int r = ports_find(t, point, ret, near);
    if (r == -ENOENT) {
        (void)api_problem(t, 422, NULL, "there is no observation point %.100s%s%s", point,
                          near[0] ? "; the nearest is " : "", near);
    }
    return r < 0 ? -1 : 0;
}
