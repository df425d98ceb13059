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

bool ports_means(const struct object *port, const char *word)
{
    const struct value *alias = &port->v[PORT_F_ALIAS];
    char name[PORTS_POINT];
    ports_name(port, name);
    word += strncmp(word, PORTS_HOME, sizeof(PORTS_HOME) - 1) == 0 ? sizeof(PORTS_HOME) - 1 : 0;
    return strcmp(name, word) == 0 || (alias->set && strcmp(alias->text, word) == 0);
}

static int each_seen(struct api_turn *t, bool there_only,
                     int (*each)(void *user, const struct object *port), void *user)
{
    const struct value there = {.set = true, .n = true},
                       project = {.set = true, .text = t->who.project};
    struct store_query q = {.sort = PORT_F_NAME};
    if (there_only) {
        q.filter[q.n_filters++] = (struct store_filter){PORT_F_THERE, &there};
    }
    if (!api_sees_all(t)) {
        q.filter[q.n_filters++] = (struct store_filter){FIELD_OF_PROJECT, &project};
    }
    const int r = api_each(t, &kind_port, &q, each, user);
    return r == -ENOENT ? -EIO : r;
}

int ports_each_there(struct api_turn *t, int (*each)(void *user, const struct object *port),
                     void *user)
{
    return each_seen(t, true, each, user);
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
    if (strcasecmp(port->v[FIELD_OF_ID].text, point) == 0) {
        return 3;
    }
    return strcmp(name, point) == 0 ? 2 : ports_means(port, point);
}

struct copy {
    const char *word;
    unsigned rank;
    struct object port; /* with a rank */
};

static int look_copy(void *user, const struct object *port)
{
    struct copy *c = user;
    char name[PORTS_POINT];
    ports_name(port, name);
    const unsigned r = rank(port, name, c->word);
    if (r <= c->rank) {
        return 0;
    }
    if (c->rank > 0) {
        object_done(&c->port);
    }
    c->rank = 0;
    object_init(&c->port, &kind_port);
    if (object_copy(&c->port, port) < 0) {
        return -ENOMEM;
    }
    c->rank = r;
    return 0;
}

static int take_first(void *user, const struct object *port)
{
    struct copy *c = user;
    object_init(&c->port, &kind_port);
    if (object_copy(&c->port, port) < 0) {
        return -ENOMEM;
    }
    c->rank = 1;
    return 1;
}

/* The port of that id, or that whoever manages it knows by that id. */
static int get_by_id(struct api_turn *t, const char *id, struct object *ret)
{
    const struct value is = {.set = true, .text = (char *)id},
                       project = {.set = true, .text = t->who.project};
    static const unsigned by[] = {FIELD_OF_ID, PORT_F_CLAIM};
    struct copy c = {.rank = 0};
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(by) && c.rank == 0 && r >= 0; i++) {
        const struct store_query q = {.filter = {{by[i], &is}, {FIELD_OF_PROJECT, &project}},
                                      .n_filters = api_sees_all(t) ? 1 : 2,
                                      .sort = FIELD_OF_ID,
                                      .limit = 1};
        r = api_each(t, &kind_port, &q, take_first, &c);
    }
    if (c.rank > 0) {
        *ret = c.port;
        return 0;
    }
    return r == -ENOENT ? -EIO : r < 0 ? r : -ENOENT;
}

int ports_get(struct api_turn *t, const char *word, struct object *ret)
{
    uint8_t bytes[UUID_BYTES];
    char id[UUID_TEXT];
    if (uuid_parse(word, bytes) == 0) {
        uuid_text(bytes, id);
        return get_by_id(t, id, ret);
    }
    struct copy c = {.word = word};
    const int r = each_seen(t, false, look_copy, &c);
    if (r == 0 && c.rank > 0) {
        *ret = c.port;
        return 0;
    }
    if (c.rank > 0) {
        object_done(&c.port);
    }
    return r < 0 ? r : -ENOENT;
}

static int look(void *user, const struct object *port)
{
    struct search *s = user;
    char name[PORTS_POINT];
    ports_name(port, name);
    const unsigned r = rank(port, name, s->point);
    if (r > s->rank) {
        s->rank = r;
        memcpy(s->found, name, sizeof(s->found));
    }
    if (s->rank > 0) {
        return 0;
    }
    const unsigned d = distance(s->point, name);
    if (!s->near[0] || d < s->distance) {
        s->distance = d;
        memcpy(s->near, name, sizeof(s->near));
    }
    return 0;
}

int ports_find(struct api_turn *t, const char *point, char ret[PORTS_POINT],
               char ret_near[PORTS_POINT])
{
    struct search s = {.point = point};
    const int r = ports_each_there(t, look, &s);
    if (r < 0) {
        return r;
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
    struct names s = {0};
    const int r = ports_each_there(t, add_name, &s);
    if (r < 0) {
        return r;
    }
    memcpy(s.n == 1 ? ret : ret_names, s.n == 1 ? s.first : s.all, PORTS_POINT);
    return s.n == 1 ? 0 : -ENOENT;
}
