/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_taps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/text.h"
#include "node/filter_memfd.h"
#include "node/mirror_requests.h"
#include "sys/crypto/kdf.h"

enum {
    BUCKETS = 4096,
    LOOK_MS = 1000,  /* between two looks at what is, and at what should be */
    READY_MS = 2000, /* before it is asked again whether the kernel can do it */
    SOON_MS = 2,
    AT_ONCE = 256,    /* flows that the broker is told of in one tick */
    TELL_RATE = 2000, /* reports in LOOK_MS: control takes more than twice as many for a flood */
};

enum progress {
    FRESH,    /* its filter is not compiled yet */
    COMPILES, /* it is being compiled */
    COMPILED, /* the broker is to be told of it */
    PUT,      /* the broker has it */
    REFUSED,  /* it cannot be done: `why` */
};

struct tap {
    struct table_link by_id;
    unsigned place;
    struct engine_taps *taps;
    struct tap_want want;
    enum progress stage;
    struct filter_prog program;
    struct error why;
    bool wanted;   /* told of in this session */
    bool told;     /* `is` is what was told last */
    bool outdated; /* it was wanted otherwise while its filter was compiled */
    struct tap_is is;
};

struct engine_taps {
    struct engine_taps_conf conf;
    struct table by_id;
    struct tap *at[TAPWANT_MAX];
    unsigned n;
    bool whole;   /* the set is being told as a whole */
    bool began;   /* the broker knows that all is told anew … */
    bool settled; /* … and that all has been */
    bool ready, apply;
    uint64_t life; /* of the broker, who counts */
    struct error unready;
    struct mono ready_at, look_at;
    uint64_t generation; /* to be told as carried out; 0: none */
    unsigned next;       /* of `at`: where telling goes on */
    unsigned may_tell;   /* so many reports … */
    struct mono more_at; /* … until then */
    struct rolemsg message;
};

static struct tap *find(const struct engine_taps *t, const uint8_t id[WANTED_ID])
{
    const uint64_t hash = table_hash(&t->by_id, id, WANTED_ID);
    for (struct table_link *l = table_first(&t->by_id, hash); l; l = table_next(l)) {
        struct tap *p = CONTAINER_OF(l, struct tap, by_id);
        if (memcmp(p->want.id, id, WANTED_ID) == 0) {
            return p;
        }
    }
    return NULL;
}

static void free_tap(struct tap *p)
{
    struct engine_taps *t = p->taps;
    broker_forget(t->conf.broker, p);
    table_remove(&p->by_id);
    t->at[p->place] = t->at[--t->n];
    t->at[p->place]->place = p->place;
    filter_done(&p->program);
    free(p);
}

/* ---- what is wanted ---- */

static struct tap *add(struct engine_taps *t, const uint8_t id[WANTED_ID])
{
    struct tap *p = t->n < TAPWANT_MAX ? calloc(1, sizeof(*p)) : NULL;
    if (p) {
        p->taps = t;
        p->place = t->n;
        memcpy(p->want.id, id, WANTED_ID);
        t->at[t->n++] = p;
        table_add(&t->by_id, &p->by_id, table_hash(&t->by_id, id, WANTED_ID));
    }
    return p;
}

static bool is_alike(const struct tap_want *a, const struct tap_want *b)
{
    return memcmp(a->service, b->service, sizeof(a->service)) == 0 &&
           strcmp(a->source, b->source) == 0 && strcmp(a->destination, b->destination) == 0 &&
           a->dir == b->dir && a->super == b->super && a->has_vlans == b->has_vlans &&
           (!a->has_vlans || memcmp(&a->vlans, &b->vlans, sizeof(a->vlans)) == 0) &&
           strcmp(a->filter, b->filter) == 0;
}

static int want(struct engine_taps *t, const struct tap_want *w)
{
    struct tap *p = find(t, w->id);
    const bool is_new = p == NULL;
    if (is_new && !(p = add(t, w->id))) {
        return t->n == TAPWANT_MAX ? -ENOSPC : -ENOMEM;
    }
    if (is_new || !is_alike(&p->want, w)) {
        const bool same_filter = !is_new && strcmp(p->want.filter, w->filter) == 0;
        p->want = *w;
        p->is.state = 0; /* that was of another one */
        if (p->stage == COMPILES) {
            p->outdated = p->outdated || !same_filter;
        } else if (!same_filter || p->stage != PUT || w->filter[0]) {
            filter_done(&p->program);
            p->stage = FRESH;
        } else {
            p->stage = COMPILED;
        }
    }
    p->wanted = true;
    p->told = false;
    t->look_at = (struct mono){1}; /* at once */
    return 0;
}

static void unwant(struct engine_taps *t, struct tap *p)
{
    if (t->ready) {
        (void)mirror_request_drop(t->conf.broker, p->want.id, NULL);
    }
    t->apply = true;
    free_tap(p);
}

/* The set is complete. */
static int set(struct engine_taps *t, const struct rolemsg *m)
{
    for (unsigned i = 0; t->whole && i < t->n;) {
        if (t->at[i]->wanted) {
            i++;
        } else {
            unwant(t, t->at[i]);
        }
    }
    t->whole = false;
    t->generation = m->generation;
    t->look_at = (struct mono){1};
    return t->n == m->taps ? 0 : -EBADMSG;
}

int engine_taps_take(struct engine_taps *t, const struct rolemsg *m)
{
    struct tap *p;
    if (m->type == ROLEMSG_TAP) {
        return want(t, &m->tap);
    }
    if (m->type == ROLEMSG_TAPS) {
        return set(t, m);
    }
    p = find(t, m->id);
    if (p) {
        unwant(t, p);
    }
    return 0;
}

void engine_taps_begun(struct engine_taps *t)
{
    t->whole = true;
    t->generation = 0;
    t->next = 0;
    for (unsigned i = 0; i < t->n; i++) {
        t->at[i]->wanted = false;
        t->at[i]->told = false;
    }
}

void engine_taps_look(struct engine_taps *t)
{
    t->apply = true;
    t->look_at = (struct mono){1};
}

/* ---- filters ---- */

/* The broker may have it as it was wanted before. */
static void refuse(struct tap *p, const struct error *err)
{
    if (p->taps->ready) {
        (void)mirror_request_drop(p->taps->conf.broker, p->want.id, NULL);
        p->taps->apply = true;
    }
    p->stage = REFUSED;
    p->why = *err;
}

static void on_program(void *user, int result, const uint8_t *data, size_t len, int fd,
                       const struct error *err)
{
    struct tap *p = user;
    _cleanup_(closep) int own = fd;
    struct error why = *err;
    (void)data;
    (void)len;
    filter_done(&p->program);
    const int r = result < 0 ? result : filter_of_memfd(own, &p->program);
    p->taps->look_at = (struct mono){1};
    if (p->outdated) {
        p->outdated = false;
        filter_done(&p->program);
        p->stage = FRESH;
    } else if (r < 0) {
        if (result >= 0) {
            (void)error_sys(&why, -r, "the filter's program");
        }
        refuse(p, &why);
    } else {
        p->stage = COMPILED;
    }
}

/* One that cannot be compiled now is tried again. */
static void compile(struct tap *p)
{
    struct broker *b = p->taps->conf.broker;
    if (p->want.filter[0] == '\0') {
        p->stage = COMPILED;
        return;
    }
    p->why.text[0] = '\0';
    if (mirror_request_keep(b, &p->why) < 0) {
        return;
    }
    const int r = mirror_ask_compile(b, p->want.filter, on_program, p, &p->why);
    if (r == 0) {
        p->stage = COMPILES;
    } else if (r == -EAGAIN) {
        p->why.text[0] = '\0';
    } else {
        const struct error why = p->why;
        refuse(p, &why);
    }
}

/* ---- the broker ---- */

/* The interface's own name, of its escaped one; false: it is none. */
static bool plain_name(const char *escaped, char ret[IFNAMSIZ])
{
    return text_name_read(ret, IFNAMSIZ, escaped) > 0;
}

static void put(struct tap *p)
{
    const struct tap_want *w = &p->want;
    struct mirror_flow f = {.dir = w->dir,
                            .super = w->super,
                            .has_vlans = w->has_vlans,
                            .vlans = w->vlans,
                            .n_filter = (uint16_t)p->program.n};
    struct error err = {""};
    if (!plain_name(w->source, f.source) || !plain_name(w->destination, f.destination)) {
        (void)error_set(&err, EINVAL, "no interface has a name like that");
        refuse(p, &err);
        return;
    }
    memcpy(f.id, w->id, sizeof(f.id));
    memcpy(f.service, w->service, sizeof(f.service));
    if (mirror_request_put(p->taps->conf.broker, &f, p->program.insns, &err) < 0) {
        refuse(p, &err);
    } else {
        p->stage = PUT;
        filter_done(&p->program);
    }
    p->taps->apply = true;
}

/* True: all of them are as far as they can be brought. */
static bool go_on(struct engine_taps *t)
{
    bool all = true;
    unsigned puts = 0;
    for (unsigned i = 0; i < t->n; i++) {
        struct tap *p = t->at[i];
        if (p->stage == FRESH) {
            compile(p);
        }
        if (p->stage == COMPILED && puts < AT_ONCE) {
            put(p);
            puts++;
        }
        const bool waits = p->stage == FRESH && p->why.text[0]; /* for the next look */
        all = all && (p->stage == PUT || p->stage == REFUSED || waits);
    }
    return all;
}

static void get_ready(struct engine_taps *t, struct mono now)
{
    /* Without any flow, a broker that has those of an earlier life is to give them up. */
    const bool has_reason = t->n > 0 || (t->generation != 0 && !t->settled);
    if (t->ready || !has_reason || (t->ready_at.ns != 0 && !mono_due(now, t->ready_at))) {
        return;
    }
    t->ready_at = mono_add_ms(now, READY_MS);
    t->unready.text[0] = '\0';
    t->ready = mirror_request_ready(t->conf.broker, &t->life, &t->unready) == 0;
    if (t->ready && !t->began) {
        t->began = mirror_request_round(t->conf.broker, false, NULL) == 0;
    }
}

/* ---- what is ---- */

static void be(struct tap *p, enum tap_state state, const char *words, const struct mirror_is *of)
{
    struct tap_is is = p->is;
    memcpy(is.id, p->want.id, sizeof(is.id));
    is.state = state;
    is.way = of && state == TAP_IS_FLOWING ? TAP_WAY_KERNEL : TAP_WAY_NONE;
    memset(is.words, 0, sizeof(is.words));
    (void)snprintf(is.words, sizeof(is.words), "%s", words);
    if (of) {
        const struct ebpf_taps_count *c = &of->counts;
        is.life = p->taps->life;
        is.frames = c->frames;
        is.bytes = c->bytes;
        is.dropped =
            c->failed_down + c->failed_gone + c->failed_big + c->failed_full + c->failed_other;
    }
    p->told = p->told && memcmp(&p->is, &is, sizeof(is)) == 0;
    p->is = is;
}

static void read_some(struct engine_taps *t, struct tap *const some[], unsigned n)
{
    uint8_t ids[MIRROR_ASKED][WANTED_ID];
    struct mirror_is is[MIRROR_ASKED];
    for (unsigned i = 0; i < n; i++) {
        memcpy(ids[i], some[i]->want.id, WANTED_ID);
    }
    if (n == 0 || mirror_request_is(t->conf.broker, ids, n, is, NULL) < 0) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (is[i].state == 0) {
            some[i]->stage = FRESH; /* the broker does not have it */
        } else if (is[i].state == TAP_IS_FLOWING || is[i].words[0]) {
            be(some[i], is[i].state, is[i].words, &is[i]);
        }
    }
}

static void read_all(struct engine_taps *t)
{
    struct tap *some[MIRROR_ASKED];
    unsigned n = 0;
    for (unsigned i = 0; i < t->n; i++) {
        struct tap *p = t->at[i];
        if (p->stage == REFUSED || (p->stage == FRESH && p->why.text[0])) {
            be(p, TAP_IS_FAILED, p->why.text, NULL);
        } else if (!t->ready && t->unready.text[0]) {
            be(p, TAP_IS_FAILED, t->unready.text, NULL);
        } else if (p->stage == PUT) {
            some[n++] = p;
        }
        if (n == MIRROR_ASKED) {
            read_some(t, some, n);
            n = 0;
        }
    }
    read_some(t, some, n);
}

void engine_taps_tick(struct engine_taps *t, struct mono now)
{
    bool more = false;
    if (t->more_at.ns == 0 || mono_due(now, t->more_at)) {
        t->may_tell = TELL_RATE;
        t->more_at = mono_add_ms(now, LOOK_MS);
    }
    if (!mono_due(now, t->look_at) && !t->apply) {
        return;
    }
    t->look_at = mono_add_ms(now, LOOK_MS);
    get_ready(t, now);
    if (t->ready) {
        const bool all = go_on(t);
        if (all && !t->settled && t->generation != 0) {
            t->settled = mirror_request_round(t->conf.broker, true, NULL) == 0;
        }
        t->apply = false;
        (void)mirror_request_apply(t->conf.broker, &more, NULL);
        more = more || !all;
    }
    read_all(t);
    if (!more && t->generation != 0) {
        t->message = (struct rolemsg){.type = ROLEMSG_TAPPED, .generation = t->generation};
        t->generation = t->conf.send(t->conf.user, &t->message) ? 0 : t->generation;
    }
    if (more || t->generation != 0) {
        t->look_at = mono_add_ms(now, SOON_MS);
    }
}

struct mono engine_taps_due(const struct engine_taps *t)
{
    return t->n == 0 && t->generation == 0 && !t->apply ? (struct mono){INT64_MAX} : t->look_at;
}

void engine_taps_tell(struct engine_taps *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct tap *p = t->at[(t->next + i) % t->n];
        if (p->told || !p->wanted || p->is.state == 0) {
            continue;
        }
        t->message = (struct rolemsg){.type = ROLEMSG_TAP_IS, .tap_is = p->is};
        if (t->may_tell == 0 || !t->conf.send(t->conf.user, &t->message)) {
            t->next = (t->next + i) % t->n;
            return;
        }
        p->told = true;
        t->may_tell--;
    }
    t->next = 0;
}

/* ---- its life ---- */

int engine_taps_new(const struct engine_taps_conf *conf, struct engine_taps **ret)
{
    struct engine_taps *t = calloc(1, sizeof(*t));
    uint64_t key = 0;
    int r = t ? random_bytes(&key, sizeof(key)) : -ENOMEM;
    r = r < 0 ? r : table_init(&t->by_id, BUCKETS, key);
    if (r < 0) {
        free(t);
        return r;
    }
    t->conf = *conf;
    t->look_at = (struct mono){1};
    *ret = t;
    return 0;
}

void engine_taps_free(struct engine_taps *t)
{
    if (!t) {
        return;
    }
    while (t->n > 0) {
        free_tap(t->at[t->n - 1]);
    }
    table_done(&t->by_id);
    free(t);
}
