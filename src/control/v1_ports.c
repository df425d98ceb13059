/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports: their aliases, and which port a client means by a word.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "control/v1_impl.h"
#include "model/kinds.h"

enum {
    WORD = 72, /* characters of a word that are compared for likeness */
};

/* "eth0", of an agent "web1:eth0". */
static void point_of(const struct object *port, char ret[V1_POINT])
{
    const char *agent = port->v[PORT_F_AGENT].text, *name = port->v[PORT_F_NAME].text;
    bool far = agent && *agent;
    snprintf(ret, V1_POINT, "%s%s%s", far ? agent : "", far ? ":" : "", name ? name : "");
}

/* How many characters have to be changed, added or left out (Levenshtein), in their first WORD. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD + 1];
    size_t n = strnlen(b, WORD);
    for (size_t j = 0; j <= n; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 0; i < WORD && a[i]; i++) {
        unsigned before = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 1; j <= n; j++) {
            unsigned change = before + (a[i] != b[j - 1]);
            before = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

struct search {
    const char *point;
    unsigned rank; /* of what is found: 1 an alias, 2 a name, 3 an id; 0: nothing yet */
    char found[V1_POINT], near[V1_POINT];
    unsigned distance;
};

static unsigned rank(const struct object *port, const char *name, const char *point)
{
    const struct value *alias = &port->v[PORT_F_ALIAS];
    if (strcasecmp(port->v[FIELD_OF_ID].text, point) == 0) {
        return 3;
    }
    return strcmp(name, point) == 0 ? 2 : alias->set && strcmp(alias->text, point) == 0;
}

static int look(void *user, const struct object *port)
{
    struct search *s = user;
    char name[V1_POINT];
    if (!port->v[PORT_F_THERE].set || !port->v[PORT_F_THERE].n) {
        return 0;
    }
    point_of(port, name);
    unsigned r = rank(port, name, s->point), d = distance(s->point, name);
    if (r > s->rank) {
        s->rank = r;
        memcpy(s->found, name, sizeof(s->found));
    }
    if (!s->near[0] || d < s->distance) {
        s->distance = d;
        memcpy(s->near, name, sizeof(s->near));
    }
    return 0;
}

int v1_port_find(struct api_turn *t, const char *point, char ret[V1_POINT], char ret_near[V1_POINT])
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct search s = {.point = point};
    int r = api_each(t, &kind_port, &q, look, &s);
    if (r < 0) {
        return r == -ENOENT ? -EIO : r;
    }
    memcpy(s.rank ? ret : ret_near, s.rank ? s.found : s.near, V1_POINT);
    return s.rank ? 0 : -ENOENT;
}

struct names {
    unsigned n;
    char first[V1_POINT], all[V1_POINT];
};

static int add_name(void *user, const struct object *port)
{
    struct names *s = user;
    char name[V1_POINT];
    if (!port->v[PORT_F_THERE].set || !port->v[PORT_F_THERE].n) {
        return 0;
    }
    size_t at = strlen(s->all);
    point_of(port, name);
    if (at + strlen(name) + sizeof(", …") < sizeof(s->all)) {
        snprintf(s->all + at, sizeof(s->all) - at, "%s%s", at ? ", " : "", name);
    }
    memcpy(s->first, name, s->n++ ? 0 : sizeof(s->first));
    return 0;
}

int v1_port_only(struct api_turn *t, char ret[V1_POINT], char ret_names[V1_POINT])
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct names s = {0};
    int r = api_each(t, &kind_port, &q, add_name, &s);
    if (r < 0) {
        return r == -ENOENT ? -EIO : r;
    }
    memcpy(s.n == 1 ? ret : ret_names, s.n == 1 ? s.first : s.all, V1_POINT);
    return s.n == 1 ? 0 : -ENOENT;
}

struct clash {
    const struct object *port;
    bool found;
};

static int look_clash(void *user, const struct object *other)
{
    struct clash *c = user;
    const char *alias = c->port->v[PORT_F_ALIAS].text, *theirs = other->v[PORT_F_ALIAS].text;
    char name[V1_POINT];
    point_of(other, name);
    c->found = c->found || (strcmp(other->v[FIELD_OF_ID].text, c->port->v[FIELD_OF_ID].text) != 0 &&
                            (strcmp(name, alias) == 0 || (theirs && strcmp(theirs, alias) == 0)));
    return 0;
}

/* A name that means one port already cannot mean another. False, with the answer. */
static bool alias_is_free(struct api_turn *t, const struct object *port)
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct clash c = {port, false};
    struct json_faults faults = {.n = 0};
    if (!port->v[PORT_F_ALIAS].set) {
        return true;
    }
    if (api_each(t, &kind_port, &q, look_clash, &c) < 0) {
        return false;
    }
    if (c.found) {
        json_fault(&faults, "/alias", "another port has this name or alias");
        (void)api_problem(t, 422, &faults, "/alias: another port has this name or alias");
    }
    return !c.found;
}

enum api_result v1_port_update(struct api_turn *t)
{
    struct object o;
    if (api_get(t, &kind_port, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, true, &o) == 0 && alias_is_free(t, &o) && api_put(t, &o) == 0 &&
        api_event(t, "port.changed", &o, "%s is %s now", o.v[PORT_F_NAME].text,
                  o.v[PORT_F_ALIAS].set ? o.v[PORT_F_ALIAS].text : "without an alias") == 0) {
        (void)api_object(t, 200, &o);
    }
    object_done(&o);
    return API_DONE;
}
