/* SPDX-License-Identifier: Apache-2.0
 *
 * The one transaction of a call, and what is told once it is committed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/agents_impl.h"

/* The same failure each second is said once. */
void agents_say(struct agents *a, const struct error *err)
{
    if (strcmp(a->said.text, err->text) == 0) {
        return;
    }
    a->said = *err;
    if (a->conf.ops->say && err->text[0]) {
        a->conf.ops->say(a->conf.user, err->text);
    }
}

static int fail(struct agents *a, int r, const struct error *err)
{
    a->broken = -r;
    agents_say(a, err);
    return r;
}

static int begin(struct agents *a)
{
    struct error err = {""};
    if (a->under_way) {
        return -a->broken;
    }
    if (a->conf.ops->settle) {
        a->conf.ops->settle(a->conf.user);
    }
    const int r = a->conf.store->ops->begin(a->conf.store, &err);
    a->under_way = true;
    return r < 0 ? fail(a, r, &err) : 0;
}

int agents_put(struct agents *a, struct object *o)
{
    struct error err = {""};
    int r = begin(a);
    if (r == 0) {
        r = a->conf.store->ops->put(a->conf.store, o, &err);
        r = r < 0 ? fail(a, r, &err) : 0;
    }
    return r;
}

int agents_remove(struct agents *a, const struct object *o)
{
    struct error err = {""};
    int r = begin(a);
    if (r == 0) {
        r = a->conf.store->ops->remove(a->conf.store, o->kind, o->v[FIELD_OF_ID].text, &err);
        r = r < 0 ? fail(a, r, &err) : 0;
    }
    return r;
}

static const char *text_of(const struct object *o, unsigned field)
{
    return o && o->v[field].set && o->v[field].text ? o->v[field].text : "";
}

void agents_event(struct agents *a, const char *what, const struct object *of, const char *fmt, ...)
{
    struct store_event e = {.time_ns = a->wall.ns};
    struct error err = {""};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e.words, sizeof(e.words), fmt, ap);
    va_end(ap);
    (void)snprintf(e.what, sizeof(e.what), "%s", what);
    (void)snprintf(e.kind, sizeof(e.kind), "%s", of ? of->kind->name : "");
    (void)snprintf(e.id, sizeof(e.id), "%s", text_of(of, FIELD_OF_ID));
    (void)snprintf(e.project, sizeof(e.project), "%s", text_of(of, FIELD_OF_PROJECT));
    (void)snprintf(e.who, sizeof(e.who), "farspan");
    if (begin(a) == 0) {
        const int r = a->conf.store->ops->add_event(a->conf.store, &e, &err);
        if (r < 0) {
            (void)fail(a, r, &err);
        }
    }
}

void agents_publish(struct agents *a, const char *id, uint64_t published, bool ended)
{
    if (a->n_told == ARRAY_SIZE(a->told)) {
        return; /* more than are wanted: the next report tells */
    }
    struct agents_told *t = &a->told[a->n_told++];
    (void)snprintf(t->id, sizeof(t->id), "%s", id);
    t->published = published;
    t->ended = ended;
}

static bool end(struct agents *a)
{
    struct store *s = a->conf.store;
    struct error err = {""};
    if (a->broken != 0) {
        s->ops->rollback(s);
        return false;
    }
    const int r = s->ops->commit(s, &err);
    if (r < 0) {
        agents_say(a, &err);
    } else {
        a->said.text[0] = '\0';
    }
    return r == 0;
}

bool agents_commit(struct agents *a)
{
    const bool is_there = !a->under_way || end(a);
    for (size_t i = 0; is_there && a->conf.ops->published && i < a->n_told; i++) {
        const struct agents_told *t = &a->told[i];
        a->conf.ops->published(a->conf.user, t->id, t->published, t->ended);
    }
    a->n_told = 0;
    a->under_way = false;
    a->broken = 0;
    return is_there;
}
