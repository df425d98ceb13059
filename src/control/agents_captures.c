/* SPDX-License-Identifier: Apache-2.0
 *
 * The look at what is wanted, out of the store, and reports of it into the store. A look changes
 * nothing while it goes through a list; what has to be changed is kept until then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "control/agents_impl.h"
#include "control/capture_object.h"
#include "control/captures_each.h"
#include "sys/crypto/kdf.h"

void agents_wants_done(struct agents_wants *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->at[i].body);
    }
    w->n = 0;
}

static int by_id(const void *a, const void *b)
{
    const struct agents_want *x = a, *y = b;
    return memcmp(x->id, y->id, sizeof(x->id));
}

static struct agents_want *find(struct agents *a, const uint8_t id[WANTED_ID])
{
    struct agents_want key = {.version = 0};
    memcpy(key.id, id, sizeof(key.id));
    return bsearch(&key, a->wants.at, a->wants.n, sizeof(key), by_id);
}

/* ---- changes ---- */

/* Into the object and the store, with what people are to hear of it. */
static void put(struct agents *a, struct object *o, const struct capture *c,
                enum capture_state before)
{
    const char *id = o->v[FIELD_OF_ID].text;
    struct error err = {""};
    if (capture_into_object(c, o) < 0) {
        (void)error_set(&err, ENOMEM, "memory is short for the capture %s", id);
        agents_say(a, &err);
        return;
    }
    if (agents_put(a, o) < 0) {
        return;
    }
    agents_publish(a, id, c->published, capture_has_ended(c));
    if (capture_has_ended(c)) {
        agents_event(a, "capture.ended", o, "%s: %s", o->v[CAPTURE_F_STATE].text, c->reason);
    } else if (before == CAPTURE_SCHEDULED && c->state != before) {
        agents_event(a, "capture.started", o, "it has begun");
    }
}

/* ---- the look ---- */

struct look {
    struct agents *a;
    struct mono now;
    struct agents_wants *wants;
    struct objects ended;
    bool too_many;
};

static int64_t silent_ms(struct agents *a, const struct object *o, struct mono now)
{
    uint8_t id[WANTED_ID];
    const struct agents_want *w = uuid_parse(o->v[FIELD_OF_ID].text, id) == 0 ? find(a, id) : NULL;
    return mono_diff(now, w ? w->heard : a->began) / NSEC_PER_MSEC;
}

/* -ENOMEM. */
static int add(struct look *l, const struct wanted *w)
{
    uint8_t buf[WANTED_MESSAGE_MAX], hash[KDF_HASH_LEN];
    struct wr wr = wr_make(buf, sizeof(buf));
    if (l->wants->n == WANTED_MAX || wanted_put(&wr, w) < 0) {
        l->too_many = true;
        return 0;
    }
    struct agents_want *to = &l->wants->at[l->wants->n];
    const struct agents_want *before = find(l->a, w->id);
    *to = (struct agents_want){.body = malloc(wr_len(&wr)), .len = wr_len(&wr)};
    if (!to->body) {
        return -ENOMEM;
    }
    memcpy(to->body, buf, to->len);
    memcpy(to->id, w->id, sizeof(to->id));
    sha256(buf, to->len, hash);
    memcpy(&to->version, hash, sizeof(to->version));
    to->heard = before ? before->heard : l->now;
    to->told_ns = before ? before->told_ns : 0;
    l->wants->n++;
    return 0;
}

static int look_at(void *user, const struct object *o)
{
    struct look *l = user;
    struct agents *a = l->a;
    struct capture c;
    struct wanted w;
    struct error err = {""};
    if (capture_of_object(o, &c) < 0) {
        return 0;
    }
    if (capture_expire(&c, a->life, silent_ms(a, o, l->now), a->wall.ns)) {
        return objects_keep(&l->ended, o);
    }
    if (!capture_is_wanted(&c, a->wall.ns)) {
        return 0;
    }
    if (capture_wish(o, &c, a->life, &w, &err) < 0) {
        return objects_keep(&l->ended, o);
    }
    return add(l, &w);
}

/* Those that nobody will carry out any more, and those that nobody can. */
static void end_one(struct agents *a, struct object *o, struct mono now)
{
    struct capture c;
    struct wanted w;
    struct error err = {""};
    if (capture_of_object(o, &c) < 0) {
        return;
    }
    const enum capture_state before = c.state;
    if (!capture_expire(&c, a->life, silent_ms(a, o, now), a->wall.ns)) {
        (void)capture_wish(o, &c, a->life, &w, &err);
        const struct capture_report r = {
            .state = CAPTURE_FAILED, .code = CAPTURE_CODE_REFUSED, .words = err.text};
        (void)capture_take(&c, &r, a->wall.ns);
    }
    put(a, o, &c, before);
}

static void want(struct agents *a, struct agents_wants *wants, struct mono now)
{
    struct plan_item items[WANTED_MAX];
    qsort(wants->at, wants->n, sizeof(wants->at[0]), by_id);
    for (size_t i = 0; i < wants->n; i++) {
        memcpy(items[i].id, wants->at[i].id, sizeof(items[i].id));
        items[i].version = wants->at[i].version;
    }
    (void)plan_want(&a->plan, items, wants->n, now);
    agents_wants_done(&a->wants);
    a->wants = *wants;
    wants->n = 0;
}

void agents_look(struct agents *a, struct mono now)
{
    struct agents_wants *wants = calloc(1, sizeof(*wants));
    struct look l = {.a = a, .now = now, .wants = wants};
    struct error err = {""};
    const int r =
        wants ? captures_each(a->conf.store, CAPTURES_ACTIVE, NULL, 0, look_at, &l, &err) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < l.ended.n; i++) {
        end_one(a, &l.ended.at[i], now);
    }
    if (r == 0) {
        want(a, wants, now);
    }
    if (l.too_many) {
        (void)error_set(&err, E2BIG, "more than %d captures are wanted at once", WANTED_MAX);
    }
    agents_say(a, &err);
    objects_done(&l.ended);
    if (wants) {
        agents_wants_done(wants);
    }
    free(wants);
}

/* ---- reports ---- */

void agents_was_told(struct agents *a)
{
    for (size_t i = 0; i < a->wants.n; i++) {
        struct agents_want *w = &a->wants.at[i];
        w->told_ns = w->told_ns != 0 ? w->told_ns : a->wall.ns;
    }
}

void agents_was_born(struct agents *a)
{
    for (size_t i = 0; i < a->wants.n; i++) {
        a->wants.at[i].told_ns = 0;
    }
}

void agents_report(struct agents *a, const struct wanted_is *is, struct mono now)
{
    struct store *s = a->conf.store;
    struct agents_want *w = find(a, is->id);
    struct error err = {""};
    struct object o;
    struct capture c;
    char id[KIND_ID];
    if (!w) {
        return; /* it was not told of it, or what it says was told before */
    }
    w->heard = now;
    uuid_text(is->id, id);
    const int r = s->ops->get(s, &kind_capture, id, &o, &err);
    if (r < 0) {
        if (r != -ENOENT) { /* it was deleted */
            agents_say(a, &err);
        }
        return;
    }
    if (capture_of_object(&o, &c) == 0) {
        const enum capture_state before = c.state;
        struct capture_report report = capture_report_of(is, a->life);
        report.late = w->told_ns >= c.stop_ns;
        if (capture_take(&c, &report, a->wall.ns)) {
            a->changed |= capture_has_ended(&c);
            put(a, &o, &c, before);
        }
    }
    object_done(&o);
}
