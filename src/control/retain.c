/* SPDX-License-Identifier: Apache-2.0 */
#include "control/retain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/captures_each.h"
#include "model/kinds.h"
#include "model/uuid.h"

struct kept {
    char id[KIND_ID], project[65];
};

struct look {
    struct kept *kept; /* owned; by their items' numbers */
    struct retention_item *items;
    size_t n, cap;
};

static void look_done(struct look *l)
{
    free(l->kept);
    free(l->items);
}

static int make_room(struct look *l)
{
    size_t cap = l->cap ? 2 * l->cap : 64;
    struct kept *kept = realloc(l->kept, cap * sizeof(*kept));
    l->kept = kept ? kept : l->kept;
    struct retention_item *items = realloc(l->items, cap * sizeof(*items));
    l->items = items ? items : l->items;
    if (!kept || !items) {
        return -ENOMEM;
    }
    l->cap = cap;
    return 0;
}

/* One that ended before anybody noted when is as old as its making. */
static int add(void *user, const struct object *o)
{
    struct look *l = user;
    const struct value *ended = &o->v[CAPTURE_F_ENDED], *bytes = &o->v[CAPTURE_F_BYTES];
    if (l->n == l->cap && make_room(l) < 0) {
        return -ENOMEM;
    }
    struct kept *k = &l->kept[l->n];
    (void)snprintf(k->id, sizeof(k->id), "%s", o->v[FIELD_OF_ID].text);
    (void)snprintf(k->project, sizeof(k->project), "%s",
                   o->v[FIELD_OF_PROJECT].set ? o->v[FIELD_OF_PROJECT].text : "");
    l->items[l->n] = (struct retention_item){
        .number = l->n,
        .ended_ns = ended->set ? ended->n : o->v[FIELD_OF_CREATED].n,
        .bytes = bytes->set && bytes->n > 0 ? (uint64_t)bytes->n : 0,
    };
    l->n++;
    return 0;
}

static int remove_one(struct store *s, const struct kept *k, int64_t now_ns, struct error *err)
{
    struct store_event e = {.time_ns = now_ns, .what = "capture.deleted", .kind = "capture"};
    (void)snprintf(e.id, sizeof(e.id), "%s", k->id);
    (void)snprintf(e.project, sizeof(e.project), "%s", k->project);
    (void)snprintf(e.who, sizeof(e.who), "retention");
    (void)snprintf(e.words, sizeof(e.words), "it was kept as long as captures are");
    int r = s->ops->remove(s, &kind_capture, k->id, err);
    return r < 0 ? r : s->ops->add_event(s, &e, err);
}

static int remove_all(struct store *s, const struct look *l, int64_t now_ns, struct error *err)
{
    int r = s->ops->begin(s, err), n = 0;
    for (size_t i = 0; i < l->n && n < RETAIN_MOST && r == 0; i++) {
        if (l->items[i].remove) {
            r = remove_one(s, &l->kept[l->items[i].number], now_ns, err);
            n++;
        }
    }
    r = r < 0 ? r : s->ops->commit(s, err);
    if (r < 0) {
        s->ops->rollback(s);
    }
    return r < 0 ? r : n;
}

static void tell(const struct retain_conf *c, const struct look *l, int n)
{
    uint8_t id[16];
    for (size_t i = 0; i < l->n && n > 0; i++) {
        if (!l->items[i].remove) {
            continue;
        }
        n--;
        if (uuid_parse(l->kept[l->items[i].number].id, id) == 0) {
            c->deleted(c->user, id);
        }
    }
}

int retain_look(const struct retain_conf *c, int64_t now_ns, struct error *err)
{
    struct look l = {0};
    int r = captures_each(c->store, CAPTURES_ENDED, NULL, 0, add, &l, err);
    if (r == 0 && retention_choose(&c->retention, now_ns, l.items, l.n) > 0) {
        r = remove_all(c->store, &l, now_ns, err);
        tell(c, &l, r);
    }
    look_done(&l);
    return r;
}
