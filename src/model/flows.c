/* SPDX-License-Identifier: Apache-2.0 */
#include "model/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ledger.h"

enum {
    ASKED = 8, /* clocks that are asked for a flow that leaves early, beside the packet's own */
    NONE = 0,  /* no entry: their numbers begin with 1 */
    BUCKETS_MIN = 64,
};

/* The state of an entry. */
enum {
    FIN_0 = 1, /* end 0 has sent its last, … */
    FIN_1 = 2, /* … and end 1 */
    CLOSED = 4,
};

/* Entries in the order in which they leave: a doubly linked list. */
struct line {
    uint32_t oldest, newest;
};

#define BEFORE (INT64_MIN / 2) /* the time of a clock that nobody has told any */

/* The time of a point, or of all, and the flows that leave by it. */
struct clock {
    struct line open, closed; /* by their last packet; by when they were closed */
    int64_t time_ns;          /* the latest */
    uint32_t flows;           /* in both lines */
    uint32_t place;           /* among those that have flows */
};

struct flows {
    struct flows_conf conf;
    struct clock *clock;       /* by the point's index; or one */
    uint32_t *busy;            /* indices of those that have flows, in any order, … */
    uint32_t n_busy;           /* … so many */
    uint32_t turn;             /* the next of them to be asked for a flow that leaves early */
    struct flows_entry *entry; /* [most + 1] */
    uint32_t *bucket;          /* the first entry of each chain */
    uint32_t mask;             /* of a hash */
    uint32_t used;             /* entries that were in use at some time */
    uint32_t spare;            /* the first of those that are not now; linked by `next` */
    uint32_t now;
    int64_t quiet_ns;  /* an open flow leaves after so long; 0: never */
    int64_t closed_ns; /* and a closed one */
    uint64_t evicted;
};

unsigned flows_key_order(struct flows_key *k)
{
    int order = memcmp(k->addr[0], k->addr[1], sizeof(k->addr[0]));
    if (order < 0 || (order == 0 && k->port[0] <= k->port[1])) {
        return 0;
    }
    const uint16_t port = k->port[0];
    uint8_t addr[sizeof(k->addr[0])];
    memcpy(addr, k->addr[0], sizeof(addr));
    memcpy(k->addr[0], k->addr[1], sizeof(addr));
    memcpy(k->addr[1], addr, sizeof(addr));
    k->port[0] = k->port[1];
    k->port[1] = port;
    return 1;
}

/* ---- lists ---- */

static void line_take(struct flows *f, struct line *l, const struct flows_entry *e)
{
    uint32_t *before = e->older ? &f->entry[e->older].newer : &l->oldest;
    uint32_t *behind = e->newer ? &f->entry[e->newer].older : &l->newest;
    *before = e->newer;
    *behind = e->older;
}

static void line_put(struct flows *f, struct line *l, uint32_t i)
{
    struct flows_entry *e = &f->entry[i];
    e->older = l->newest;
    e->newer = NONE;
    *(l->newest ? &f->entry[l->newest].newer : &l->oldest) = i;
    l->newest = i;
}

static struct clock *clock_at(const struct flows *f, uint16_t point)
{
    return &f->clock[f->conf.clocks ? point : 0];
}

static struct line *line_of(const struct flows *f, const struct flows_entry *e)
{
    struct clock *c = clock_at(f, e->key.point);
    return e->state & CLOSED ? &c->closed : &c->open;
}

/* ---- clocks ---- */

/* It has a flow more. */
static void clock_take(struct flows *f, struct clock *c)
{
    if (c->flows++ == 0) {
        c->place = f->n_busy;
        f->busy[f->n_busy++] = (uint32_t)(c - f->clock);
    }
}

/* And one less. */
static void clock_drop(struct flows *f, struct clock *c)
{
    if (--c->flows == 0) {
        const uint32_t last = f->busy[--f->n_busy];
        f->busy[c->place] = last;
        f->clock[last].place = c->place;
    }
}

/* ---- entries ---- */

static uint32_t find(const struct flows *f, const struct flows_packet *p)
{
    uint32_t i = f->bucket[p->hash & f->mask];
    while (i != NONE && memcmp(&f->entry[i].key, &p->key, sizeof(p->key)) != 0) {
        i = f->entry[i].next;
    }
    return i;
}

static int64_t first_ns(const struct flows_entry *e)
{
    const struct flows_way *w = e->way;
    return w[0].packets == 0   ? w[1].first_ns
           : w[1].packets == 0 ? w[0].first_ns
                               : MIN(w[0].first_ns, w[1].first_ns);
}

static int64_t last_ns(const struct flows_entry *e)
{
    const struct flows_way *w = e->way;
    return w[0].packets == 0   ? w[1].last_ns
           : w[1].packets == 0 ? w[0].last_ns
                               : MAX(w[0].last_ns, w[1].last_ns);
}

/* The entry leaves. */
static void end(struct flows *f, uint32_t i, enum flows_end why)
{
    struct flows_entry *e = &f->entry[i];
    uint32_t *at = &f->bucket[e->hash & f->mask];
    while (*at != i) {
        at = &f->entry[*at].next;
    }
    *at = e->next;
    line_take(f, line_of(f, e), e);
    clock_drop(f, clock_at(f, e->key.point));
    f->conf.record(f->conf.user, e, why);
    e->next = f->spare;
    f->spare = i;
    f->now--;
}

/* The clock's flow that was quiet for longest, and for how long; it has one. */
static uint32_t quietest(const struct flows *f, const struct clock *c, int64_t *ret_ns)
{
    const uint32_t a = c->open.oldest, b = c->closed.oldest;
    const bool closed = !a || (b && last_ns(&f->entry[b]) <= last_ns(&f->entry[a]));
    const uint32_t i = closed ? b : a;
    *ret_ns = c->time_ns - last_ns(&f->entry[i]);
    return i;
}

/* The one that was quiet for longest gives its place away: of the point of the packet that comes
 * and some others, which take turns where there are many. */
static void evict(struct flows *f, const struct clock *own)
{
    int64_t longest = 0, ns;
    uint32_t found = own->flows ? quietest(f, own, &longest) : NONE;
    for (unsigned k = 0; k < MIN(f->n_busy, (uint32_t)ASKED); k++) {
        f->turn = (f->turn + 1) % f->n_busy;
        const uint32_t i = quietest(f, &f->clock[f->busy[f->turn]], &ns);
        if (!found || ns > longest) {
            found = i;
            longest = ns;
        }
    }
    f->evicted++;
    end(f, found, FLOWS_EVICTED);
}

static uint32_t make(struct flows *f, const struct flows_packet *p)
{
    struct clock *c = clock_at(f, p->key.point);
    if (f->now == f->conf.most) {
        evict(f, c);
    }
    uint32_t i = f->spare;
    if (i) {
        f->spare = f->entry[i].next;
    } else {
        i = ++f->used;
    }
    uint32_t *chain = &f->bucket[p->hash & f->mask];
    const bool answer = p->tcp_flags & FLOWS_SYN && p->tcp_flags & FLOWS_ACK;
    f->entry[i] = (struct flows_entry){.key = p->key,
                                       .initiator = (uint8_t)(answer ? !p->way : p->way),
                                       .hash = (uint32_t)p->hash,
                                       .next = *chain};
    memcpy(f->entry[i].mac[p->way], p->mac[0], sizeof(p->mac[0]));
    memcpy(f->entry[i].mac[!p->way], p->mac[1], sizeof(p->mac[1]));
    *chain = i;
    f->now++;
    line_put(f, &c->open, i);
    clock_take(f, c);
    return i;
}

/* ---- time ---- */

static bool is_syn(const struct flows_packet *p)
{
    return p->tcp_flags & FLOWS_SYN && !(p->tcp_flags & FLOWS_ACK);
}

/* Why a flow ends that is quiet by that time; 0: it is not. Flows stand in the order of their
 * packets, which is nearly that of time: one that is quiet may stand behind another that is not
 * yet. */
static int ends_by(const struct flows *f, const struct flows_entry *e, int64_t now_ns)
{
    const int64_t quiet = now_ns - last_ns(e), idle = f->conf.idle_ns;
    if (e->state & CLOSED) {
        return quiet >= f->closed_ns ? FLOWS_ENDED : 0;
    }
    if (f->quiet_ns == 0 || quiet < f->quiet_ns) {
        return 0;
    }
    return idle && quiet >= idle ? FLOWS_IDLE : FLOWS_ACTIVE;
}

/* Why the entry's record ends before the packet; 0: the packet is part of it. */
static int ends_before(const struct flows *f, const struct flows_entry *e,
                       const struct flows_packet *p)
{
    const int64_t active = f->conf.active_ns;
    if (e->state & CLOSED && is_syn(p)) {
        return FLOWS_ENDED;
    }
    const int why = ends_by(f, e, MAX(clock_at(f, p->key.point)->time_ns, p->ts_ns));
    const bool late = p->ts_ns - first_ns(e) >= active || last_ns(e) - p->ts_ns >= active;
    return why || active == 0 || !late ? why : FLOWS_ACTIVE;
}

static int64_t due(const struct flows *f, const struct line *l, int64_t quiet_ns)
{
    if (!l->oldest || quiet_ns == 0) {
        return INT64_MAX;
    }
    const int64_t last = last_ns(&f->entry[l->oldest]);
    return last > INT64_MAX - quiet_ns ? INT64_MAX : last + quiet_ns;
}

int64_t flows_due(const struct flows *f)
{
    int64_t first = INT64_MAX;
    for (uint32_t k = 0; k < f->n_busy; k++) {
        const struct clock *c = &f->clock[f->busy[k]];
        first = MIN(first, MIN(due(f, &c->closed, f->closed_ns), due(f, &c->open, f->quiet_ns)));
    }
    return first;
}

static void end_clock(struct flows *f, const struct clock *c)
{
    while (c->closed.oldest) {
        end(f, c->closed.oldest, FLOWS_ENDED);
    }
    while (c->open.oldest) {
        end(f, c->open.oldest, FLOWS_FORCED);
    }
}

void flows_end(struct flows *f)
{
    while (f->n_busy > 0) {
        end_clock(f, &f->clock[f->busy[0]]);
    }
}

static void end_line(struct flows *f, uint32_t first, uint16_t point, enum flows_end why)
{
    for (uint32_t i = first; i;) {
        const uint32_t behind = f->entry[i].newer;
        if (f->entry[i].key.point == point) {
            end(f, i, why);
        }
        i = behind;
    }
}

void flows_end_point(struct flows *f, uint16_t point)
{
    struct clock *c = clock_at(f, point);
    end_line(f, c->closed.oldest, point, FLOWS_ENDED);
    end_line(f, c->open.oldest, point, FLOWS_FORCED);
    if (f->conf.clocks) {
        c->time_ns = BEFORE; /* the next of this index has its own */
    }
}

static void show_line(const struct flows *f, const struct line *l,
                      void (*fn)(void *user, const struct flows_entry *e), void *user)
{
    for (uint32_t i = l->oldest; i; i = f->entry[i].newer) {
        fn(user, &f->entry[i]);
    }
}

void flows_show(const struct flows *f, void (*fn)(void *user, const struct flows_entry *e),
                void *user)
{
    for (uint32_t k = 0; k < f->n_busy; k++) {
        const struct clock *c = &f->clock[f->busy[k]];
        show_line(f, &c->closed, fn, user);
        show_line(f, &c->open, fn, user);
    }
}

static void end_quiet(struct flows *f, const struct clock *c, const struct line *l)
{
    int why;
    while (l->oldest && (why = ends_by(f, &f->entry[l->oldest], c->time_ns)) != 0) {
        end(f, l->oldest, (enum flows_end)why);
    }
}

void flows_until(struct flows *f, uint16_t point, int64_t now_ns)
{
    struct clock *c = clock_at(f, point);
    if (f->quiet_ns && c->time_ns - now_ns > f->quiet_ns) {
        end_clock(f, c);
        c->time_ns = now_ns;
    }
    c->time_ns = MAX(c->time_ns, now_ns);
    end_quiet(f, c, &c->closed);
    end_quiet(f, c, &c->open);
}

/* ---- packets ---- */

static void add_up(struct flows_entry *e, const struct flows_packet *p)
{
    struct flows_way *w = &e->way[p->way];
    if (w->packets == 0) {
        w->first_ns = w->last_ns = p->ts_ns;
        e->tos[p->way] = p->tos;
    }
    w->first_ns = MIN(w->first_ns, p->ts_ns);
    w->last_ns = MAX(w->last_ns, p->ts_ns);
    w->packets = MIN(w->packets + p->packets, LEDGER_MOST);
    w->bytes = MIN(w->bytes + p->bytes, LEDGER_MOST);
    e->tcp_flags[p->way] |= p->tcp_flags;
}

/* The connection's state by the packet's flags. */
static uint8_t state_behind(const struct flows_entry *e, const struct flows_packet *p)
{
    uint8_t state = e->state;
    if (p->tcp_flags & FLOWS_FIN) {
        state |= p->way == 0 ? FIN_0 : FIN_1;
    }
    const bool closed = p->tcp_flags & FLOWS_RST || (state & FIN_0 && state & FIN_1);
    return closed ? state | CLOSED : state;
}

static void fetch(const struct flows_entry *e)
{
    __builtin_prefetch(e);
    __builtin_prefetch((const uint8_t *)e + sizeof(*e) / 2);
    __builtin_prefetch((const uint8_t *)(e + 1) - 1);
}

void flows_fetch(const struct flows *f, uint64_t hash, enum flows_fetch step)
{
    const uint32_t *chain = &f->bucket[hash & f->mask];
    if (step == FLOWS_FETCH_CHAIN) {
        __builtin_prefetch(chain);
    } else if (step == FLOWS_FETCH_ENTRY) {
        fetch(&f->entry[*chain]);
    } else {
        const struct flows_entry *e = &f->entry[*chain];
        __builtin_prefetch(&f->entry[e->older].newer);
        __builtin_prefetch(&f->entry[e->newer].older);
    }
}

struct flows_entry *flows_add(struct flows *f, const struct flows_packet *p)
{
    uint32_t i = find(f, p);
    const int why = i ? ends_before(f, &f->entry[i], p) : 0;
    const bool begins = !i || why;
    if (why) {
        end(f, i, (enum flows_end)why);
    }
    if (begins) {
        i = make(f, p);
    }
    struct flows_entry *e = &f->entry[i];
    add_up(e, p);
    if (is_syn(p)) {
        e->initiator = (uint8_t)p->way;
    }
    line_take(f, line_of(f, e), e);
    e->state = state_behind(e, p);
    line_put(f, line_of(f, e), i);
    return begins ? e : NULL;
}

/* ---- its life ---- */

int flows_new(const struct flows_conf *conf, struct flows **ret)
{
    struct flows *f = calloc(1, sizeof(*f));
    uint32_t buckets = BUCKETS_MIN;
    while (buckets < conf->most) {
        buckets *= 2;
    }
    if (f) {
        f->entry = calloc((size_t)conf->most + 1, sizeof(*f->entry));
        f->bucket = calloc(buckets, sizeof(*f->bucket));
        f->clock = calloc(MAX(conf->clocks, 1u), sizeof(*f->clock));
        f->busy = calloc(MAX(conf->clocks, 1u), sizeof(*f->busy));
    }
    if (!f || !f->entry || !f->bucket || !f->clock || !f->busy) {
        flows_free(f);
        return -ENOMEM;
    }
    f->conf = *conf;
    f->mask = buckets - 1;
    f->quiet_ns = !conf->idle_ns     ? conf->active_ns
                  : !conf->active_ns ? conf->idle_ns
                                     : MIN(conf->idle_ns, conf->active_ns);
    f->closed_ns = f->quiet_ns ? MIN(f->quiet_ns, FLOWS_CLOSED_NS) : FLOWS_CLOSED_NS;
    for (uint32_t k = 0; k < MAX(conf->clocks, 1u); k++) {
        f->clock[k].time_ns = BEFORE;
    }
    *ret = f;
    return 0;
}

void flows_free(struct flows *f)
{
    if (f) {
        free(f->entry);
        free(f->bucket);
        free(f->clock);
        free(f->busy);
        free(f);
    }
}

uint32_t flows_now(const struct flows *f)
{
    return f->now;
}

uint64_t flows_evicted(const struct flows *f)
{
    return f->evicted;
}
