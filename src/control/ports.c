/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ports.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "model/kinds.h"

enum {
    WORD = 72, /* characters of a word that are compared for likeness */
};

void ports_name(const struct object *port, char ret[PORTS_POINT])
{
    const char *agent = port->v[PORT_F_AGENT].text, *name = port->v[PORT_F_NAME].text;
    bool far = agent && *agent;
    snprintf(ret, PORTS_POINT, "%s%s%s", far ? agent : "", far ? ":" : "", name ? name : "");
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
    char found[PORTS_POINT], near[PORTS_POINT];
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
    char name[PORTS_POINT];
    if (!port->v[PORT_F_THERE].set || !port->v[PORT_F_THERE].n) {
        return 0;
    }
    ports_name(port, name);
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

int ports_find(struct api_turn *t, const char *point, char ret[PORTS_POINT],
               char ret_near[PORTS_POINT])
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct search s = {.point = point};
    int r = api_each(t, &kind_port, &q, look, &s);
    if (r < 0) {
        return r == -ENOENT ? -EIO : r;
    }
    memcpy(s.rank ? ret : ret_near, s.rank ? s.found : s.near, PORTS_POINT);
    return s.rank ? 0 : -ENOENT;
}

struct names {
    unsigned n;
    char first[PORTS_POINT], all[PORTS_POINT];
};

static int add_name(void *user, const struct object *port)
{
    struct names *s = user;
    char name[PORTS_POINT];
    if (!port->v[PORT_F_THERE].set || !port->v[PORT_F_THERE].n) {
        return 0;
    }
    size_t at = strlen(s->all);
    ports_name(port, name);
    if (at + strlen(name) + sizeof(", …") < sizeof(s->all)) {
        snprintf(s->all + at, sizeof(s->all) - at, "%s%s", at ? ", " : "", name);
    }
    memcpy(s->first, name, s->n++ ? 0 : sizeof(s->first));
    return 0;
}

int ports_only(struct api_turn *t, char ret[PORTS_POINT], char ret_names[PORTS_POINT])
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct names s = {0};
    int r = api_each(t, &kind_port, &q, add_name, &s);
    if (r < 0) {
        return r == -ENOENT ? -EIO : r;
    }
    memcpy(s.n == 1 ? ret : ret_names, s.n == 1 ? s.first : s.all, PORTS_POINT);
    return s.n == 1 ? 0 : -ENOENT;
}
