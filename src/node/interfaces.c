/* SPDX-License-Identifier: Apache-2.0 */
#include "node/interfaces.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum {
    ASK_MS = 2000,  /* an answer that is not complete by then was lost */
    FULL_MS = 60000 /* between two complaints about the same limit */
};

static void say(const struct interfaces *all, const char *fmt, ...) _printf_(2, 3);
static void say(const struct interfaces *all, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    all->room.ops->say(all->room.user, text);
}

static struct interface *by_name(const struct interfaces *all, const char *name)
{
    for (unsigned k = 0; k < all->n; k++) {
        if (strcmp(all->at[k]->name, name) == 0) {
            return all->at[k];
        }
    }
    return NULL;
}

/* Only of those that are there. */
static struct interface *by_index(const struct interfaces *all, int index)
{
    for (unsigned k = 0; k < all->n; k++) {
        if (all->at[k]->there && all->at[k]->now.index == (uint32_t)index) {
            return all->at[k];
        }
    }
    return NULL;
}

static int add(struct interfaces *all, const char *name, const struct selection_word *word,
               const struct tapped *kind, struct mono now, struct interface **ret,
               struct error *err)
{
    if (all->n == INTERFACES_MAX) {
        all->crowded = true;
        return error_set(err, ENOSPC, "%s is not %s: no more than %d interfaces are", name,
                         all->room.verb, INTERFACES_MAX);
    }
    int r = interface_new(&all->room, name, word, kind, now, ret, err);
    if (r < 0) {
        all->crowded |= r == -ENOSPC;
        return r;
    }
    all->at[all->n++] = *ret;
    return 0;
}

/* ---- what the kernel tells ---- */

/* Once for each interface: some are matched by a pattern and cannot be. */
static void refuse(struct interfaces *all, const struct netif *link, const char *why)
{
    for (unsigned k = 0; k < MIN(all->n_refused, (unsigned)INTERFACES_REFUSED); k++) {
        if (all->refused[k] == link->index) {
            return;
        }
    }
    all->refused[all->n_refused++ % INTERFACES_REFUSED] = link->index;
    interface_event(&all->room, HISTORY_IF_REFUSED, link->name, "is not %s: %s", all->room.verb,
                    why);
}

static void appeared(struct interfaces *all, const struct netif *link, struct interface *i,
                     struct mono now)
{
    struct error err = {""};
    const struct selection_word *word = selection_word_for(all->room.select, link->name);
    if (!word) {
        return;
    }
    /* A collector lists its device a moment after it has made it, and before it brings it up. */
    if (word->pattern && strcmp(link->kind, "tun") == 0 && !(link->flags & IFF_UP)) {
        return;
    }
    if (selection_may_carry(all->room.select, link, &err) < 0) {
        refuse(all, link, err.text);
        return;
    }
    const struct tapped kind = {.flags = link->flags, .arphrd = link->arphrd};
    if (!i && add(all, link->name, word, &kind, now, &i, &err) < 0) {
        if (all->full_said.ns == 0 || mono_due(now, mono_add_ms(all->full_said, FULL_MS))) {
            all->full_said = now;
            interface_event(&all->room, HISTORY_IF_REFUSED, link->name, "%s", err.text);
        }
        return;
    }
    interface_take(&all->room, i, now);
}

static void changed(struct interfaces *all, struct interface *i, const struct netif *link,
                    struct mono now)
{
    struct error err = {""};
    if (interface_changed(&all->room, i, link, now, &err) < 0) {
        refuse(all, link, err.text);
    }
}

/* Is it a collector's device, which no pattern takes up? */
static bool is_own(struct interfaces *all, const struct netif *link)
{
    if (strcmp(link->kind, "tun") != 0) {
        return false;
    }
    if (!all->ops->own(all->room.user, link->index)) {
        own_forget(&all->own, link->index);
        return false;
    }
    if (own_tell(&all->own, link->index)) {
        interface_event(&all->room, HISTORY_OWN_DEVICE, link->name,
                        "is the device of a collector on this host, and is not %s", all->room.verb);
    }
    return true;
}

static void link_is(struct interfaces *all, const struct netif *link, struct mono now)
{
    struct interface *i = by_index(all, link->index);
    const struct selection_word *word = selection_word_for(all->room.select, link->name);
    if (word && word->pattern && is_own(all, link)) {
        if (i) { /* a collector has taken it only now */
            interface_let_go(&all->room, i, now);
        }
        return;
    }
    if (i && strcmp(i->name, link->name) != 0) {
        interface_event(&all->room, HISTORY_IF_RENAMED, i->name, "is called %s now", link->name);
        interface_let_go(&all->room, i, now);
        i = NULL;
    }
    i = i ? i : by_name(all, link->name);
    if (i && i->there && i->now.index == (uint32_t)link->index) {
        changed(all, i, link, now);
    } else if (i && i->there) { /* another one, of which more was not heard yet */
        interface_take(&all->room, i, now);
    } else if (i && i->ending) { /* a moment, and it is a new one */
        all->crowded = true;
    } else if (!i || i->retry.ns == 0) {
        appeared(all, link, i, now);
    }
}

static void link_gone(struct interfaces *all, struct interface *i, struct mono now)
{
    interface_event(&all->room, HISTORY_IF_GONE, i->name, "is gone");
    interface_let_go(&all->room, i, now);
}

/* ---- all of them ---- */

static void ask(struct interfaces *all, struct mono now)
{
    all->lost = false;
    all->asked = now;
    for (unsigned k = 0; k < all->n; k++) {
        all->at[k]->seen = false;
    }
    if (all->ops->ask(all->room.user) < 0) {
        all->lost = true;
    }
}

/* The answer is complete: what it did not mention is not there. */
static void sweep(struct interfaces *all, struct mono now)
{
    for (unsigned k = 0; k < all->n; k++) {
        if (all->at[k]->there && !all->at[k]->seen) {
            link_gone(all, all->at[k], now);
        }
    }
}

void interfaces_hear(struct interfaces *all, enum ifwatch_kind kind, const struct netif *link,
                     struct mono now)
{
    struct interface *i;
    switch (kind) {
    case IFWATCH_IS:
        link_is(all, link, now);
        break;
    case IFWATCH_GONE:
        own_forget(&all->own, link->index);
        i = by_index(all, link->index);
        if (i) {
            link_gone(all, i, now);
        }
        break;
    case IFWATCH_ALL:
        all->asked = (struct mono){0};
        if (!all->lost) {
            sweep(all, now);
        }
        break;
    case IFWATCH_LOST:
        all->lost = true;
        break;
    }
}

void interfaces_heard(struct interfaces *all, struct mono now)
{
    if (all->lost && all->asked.ns == 0) {
        ask(all, now);
    }
}

/* ---- the watch and the namespace ---- */

static void unwatch(struct interfaces *all)
{
    all->ops->unwatch(all->room.user);
    all->watching = false;
    all->asked = (struct mono){0};
}

static int watch(struct interfaces *all, struct mono now, struct error *err)
{
    int r = all->ops->watch(all->room.user, err);
    if (r == 0) {
        all->watching = true;
        ask(all, now);
    }
    return r;
}

static void netns_gone(struct interfaces *all, uint64_t id, struct mono now)
{
    const char *what = all->room.select->netns;
    if (all->watching) {
        unwatch(all);
    }
    for (unsigned k = 0; k < all->n; k++) {
        if (all->at[k]->there) {
            link_gone(all, all->at[k], now);
        }
    }
    all->own.n = 0;
    if (id == 0 && strspn(what, "0123456789") != strlen(what)) {
        interface_event(&all->room, HISTORY_NETNS_GONE, what,
                        "the namespace is gone; one of this name will be %s when it comes",
                        all->room.verb);
        return;
    }
    interface_event(&all->room, HISTORY_NETNS_GONE, what, "%s",
                    id != 0
                        ? "the namespace of this name is another one now"
                        : "the process has ended; its namespace is let go and will not come back");
}

static void netns_back(struct interfaces *all, struct mono now)
{
    struct error err = {""};
    interface_event(&all->room, HISTORY_NETNS_BACK, all->room.select->netns,
                    "the namespace is there again");
    if (watch(all, now, &err) < 0) {
        say(all, "%s", err.text);
        all->netns_id = 0; /* once more at the next tick */
    }
}

static void check_netns(struct interfaces *all, struct mono now)
{
    uint64_t id = 0;
    if (!all->room.select->netns || all->ops->netns(all->room.user, &id) < 0 ||
        id == all->netns_id) {
        return;
    }
    if (all->netns_id != 0) {
        netns_gone(all, id, now);
    }
    all->netns_id = id;
    if (id != 0) {
        netns_back(all, now);
    }
}

/* ---- those that are gone ---- */

static bool may_forget(const struct interface *i)
{
    return i->word->pattern && !i->there && !i->ending && i->retry.ns == 0;
}

/* Begins to forget what has been gone for longest, where more than INTERFACES_GONE are, or others
 * want their place. */
static void forget_gone(struct interfaces *all, struct mono now)
{
    unsigned gone = 0;
    bool session = all->ops->session(all->room.user);
    for (unsigned k = 0; session && k < all->n; k++) { /* without one they may have frames left */
        gone += !all->at[k]->there && !all->at[k]->ending;
    }
    while (gone > (all->crowded ? 0 : INTERFACES_GONE)) {
        struct interface *oldest = NULL;
        for (unsigned k = 0; k < all->n; k++) {
            struct interface *i = all->at[k];
            if (may_forget(i) && (!oldest || i->gone.ns < oldest->gone.ns)) {
                oldest = i;
            }
        }
        if (!oldest || !mono_due(now, mono_add_ms(oldest->gone, INTERFACES_GONE_MS))) {
            return;
        }
        interface_end(&all->room, oldest);
        gone--;
    }
}

void interfaces_stream_ended(struct interfaces *all, uint16_t stream)
{
    struct interface_counts c;
    struct interface_counts *sum = &all->gone.counts;
    unsigned k = 0;
    while (k < all->n && all->at[k]->stream != stream) {
        k++;
    }
    if (k == all->n) {
        return;
    }
    all->room.ops->counts(all->room.user, all->at[k], &c);
    all->gone.n++;
    sum->said.confirmed += c.said.confirmed;
    sum->said.reported_lost += c.said.reported_lost;
    sum->said.unconfirmed += c.said.unconfirmed;
    for (unsigned id = 0; id < LEDGER_COUNT; id++) {
        ledger_add(&sum->ledger, (enum ledger_id)id, ledger_get(&c.ledger, (enum ledger_id)id));
    }
    interface_free(&all->room, all->at[k]);
    all->at[k] = all->at[--all->n];
    if (all->crowded) { /* there may be one that found no place */
        all->crowded = false;
        all->lost = true;
    }
}

/* ---- start, tick, end ---- */

void interfaces_init(struct interfaces *all, const struct interfaces_conf *conf)
{
    *all = (struct interfaces){
        .room = {.verb = conf->verb, .select = conf->select, .ops = conf->each, .user = conf->user},
        .ops = conf->ops};
}

void interfaces_done(struct interfaces *all)
{
    while (all->n > 0) {
        interface_free(&all->room, all->at[--all->n]);
    }
    if (all->watching) {
        unwatch(all);
    }
}

int interfaces_start(struct interfaces *all, const char *to, struct mono now, struct error *err)
{
    const struct selection *s = all->room.select;
    int r = watch(all, now, err);
    if (r == 0 && s->netns) {
        r = all->ops->netns(all->room.user, &all->netns_id);
        r = r < 0 ? error_sys(err, -r, "--netns %s", s->netns) : 0;
    }
    for (unsigned w = 0; r == 0 && w < s->n_words; w++) {
        struct interface *i = NULL;
        if (s->word[w].pattern) {
            continue;
        }
        r = add(all, s->word[w].text, &s->word[w], &(struct tapped){0}, now, &i, err);
        r = r < 0 ? r : interface_bring_up(&all->room, i, now, err);
        if (r == 0 && to) {
            say(all, "listening on %s, sending to %s", s->word[w].text, to);
        } else if (r == 0) {
            say(all, "listening on %s", s->word[w].text);
        }
    }
    return r;
}

bool interfaces_settled(const struct interfaces *all)
{
    return all->asked.ns == 0;
}

void interfaces_say_waiting(const struct interfaces *all)
{
    const struct selection *s = all->room.select;
    for (unsigned w = 0; w < s->n_words; w++) {
        bool found = !s->word[w].pattern;
        for (unsigned k = 0; k < all->n; k++) {
            found |= all->at[k]->word == &s->word[w];
        }
        if (!found) {
            say(all, "no interface matches \"%s\" yet: waiting for one", s->word[w].text);
        }
    }
}

void interfaces_tick(struct interfaces *all, struct mono now)
{
    check_netns(all, now);
    bool late = all->asked.ns != 0 && mono_due(now, mono_add_ms(all->asked, ASK_MS));
    if (all->watching && (late || (all->lost && all->asked.ns == 0))) {
        ask(all, now);
    }
    for (unsigned k = 0; k < all->n; k++) {
        if (!all->at[k]->there && mono_due(now, all->at[k]->retry)) {
            interface_take(&all->room, all->at[k], now);
        }
    }
    forget_gone(all, now);
}

void interfaces_select(struct interfaces *all, const struct selection *select, struct mono now)
{
    all->room.select = select;
    for (unsigned k = 0; k < all->n; k++) {
        struct interface *i = all->at[k];
        const struct selection_word *word = selection_word_for(select, i->name);
        if (word) {
            i->word = word;
            interface_set_filter(&all->room, i);
        } else if (!i->ending) {
            interface_event(&all->room, HISTORY_IF_REFUSED, i->name,
                            "is not selected any more: it is not %s", all->room.verb);
            interface_let_go(&all->room, i, now);
            interface_end(&all->room, i);
        }
    }
    all->n_refused = 0;
    all->lost = true; /* each that there is, is looked at again */
}

void interfaces_flow(struct interfaces *all, const struct ether_flow *flow)
{
    struct interface_room *room = &all->room;
    room->has_former = room->has_flow || room->has_former;
    room->former = room->has_flow ? room->flow : room->former;
    room->has_flow = flow != NULL;
    if (flow) {
        room->flow = *flow;
    }
    for (unsigned k = 0; k < all->n; k++) {
        interface_set_filter(room, all->at[k]);
    }
}

void interfaces_tell(struct interfaces *all)
{
    for (unsigned k = 0; k < all->n; k++) {
        interface_tell(&all->room, all->at[k]);
    }
}
