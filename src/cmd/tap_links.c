/* SPDX-License-Identifier: Apache-2.0
 *
 * The lives of what a tap watches: interfaces that go down, vanish, come back as others, those that
 * a pattern takes up, and the namespace that they are in. Each keeps its observation point, its
 * capture and its counts; only the ring is another one after each return.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "cmd/tap.h"

enum {
    ASK_MS = 2000,    /* an answer that is not complete by then was lost */
    SETTLE_MS = 3000, /* for the first answer, before the link is begun */
    FULL_MS = 60000,  /* between two complaints about the same limit */
};

/* ---- what the kernel tells ---- */

/* Once for each interface: some are matched by a pattern and cannot be. */
static void refuse(struct tap *t, const struct netif *link, const char *why)
{
    for (unsigned i = 0; i < MIN(t->n_refused, (unsigned)TAP_REFUSED); i++) {
        if (t->refused[i] == link->index) {
            return;
        }
    }
    t->refused[t->n_refused++ % TAP_REFUSED] = link->index;
    tap_event(t, HISTORY_IF_REFUSED, link->name, "is not tapped: %s", why);
}

static void appeared(struct tap *t, const struct netif *link, struct tap_interface *ti)
{
    struct error err = {""};
    const struct tap_word *word = tap_word_for(&t->conf, link->name);
    if (!word) {
        return;
    }
    /* A collector lists its device a moment after it has made it, and before it brings it up. */
    if (word->pattern && strcmp(link->kind, "tun") == 0 && !(link->flags & IFF_UP)) {
        return;
    }
    if (tap_may_carry(&t->conf, link, &err) < 0) {
        refuse(t, link, err.text);
        return;
    }
    const struct tap_opened kind = {.flags = link->flags, .arphrd = link->arphrd};
    if (!ti && tap_add(t, link->name, word, &kind, &ti, &err) < 0) {
        if (t->full_said.ns == 0 || mono_due(mono_now(), mono_add_ms(t->full_said, FULL_MS))) {
            t->full_said = mono_now();
            tap_event(t, HISTORY_IF_REFUSED, link->name, "%s", err.text);
        }
        return;
    }
    tap_take(t, ti);
}

/* It is the one that is tapped; what is different? */
static void changed(struct tap *t, struct tap_interface *ti, const struct netif *link)
{
    struct tap_opened old = ti->now;
    ti->seen = true;
    ti->now.flags = link->flags;
    ti->now.mtu = link->mtu;
    if ((old.flags ^ link->flags) & IFF_UP) {
        bool up = link->flags & IFF_UP;
        tap_event(t, up ? HISTORY_IF_UP : HISTORY_IF_DOWN, ti->name, "%s",
                  up ? "came up" : "went down; capture goes on when it comes up again");
    }
    if (old.mtu != link->mtu) {
        tap_event(t, HISTORY_IF_MTU, ti->name, "has MTU %u now, before %u", link->mtu, old.mtu);
    }
    if (old.arphrd == link->arphrd &&
        netif_framing(old.arphrd, old.flags) == netif_framing(link->arphrd, link->flags)) {
        return;
    }
    tap_event(t, HISTORY_IF_TYPE, ti->name, "is of another kind now (ARPHRD %u, before %u)",
              link->arphrd, old.arphrd);
    ti->now.arphrd = link->arphrd;
    tap_let_go(t, ti); /* its frames begin in another way: a ring of that kind */
    struct error err = {""};
    int r = tap_may_carry(&t->conf, link, &err);
    r = r < 0 ? r : tap_bring_up(t, ti, &err);
    if (r < 0) {
        refuse(t, link, err.text);
    }
}

static void link_is(struct tap *t, const struct netif *link)
{
    struct tap_interface *ti = tap_by_index(t, link->index);
    const struct tap_word *word = tap_word_for(&t->conf, link->name);
    if (word && word->pattern && tap_is_own(t, link)) {
        if (ti) { /* a collector has taken it only now */
            tap_let_go(t, ti);
        }
        return;
    }
    if (ti && strcmp(ti->name, link->name) != 0) {
        tap_event(t, HISTORY_IF_RENAMED, ti->name, "is called %s now", link->name);
        tap_let_go(t, ti);
        ti = NULL;
    }
    ti = ti ? ti : tap_by_name(t, link->name);
    if (ti && ti->there && ti->now.index == (uint32_t)link->index) {
        changed(t, ti, link);
    } else if (ti && ti->there) { /* another one, of which more was not heard yet */
        tap_take(t, ti);
    } else if (ti && ti->ending) { /* a moment, and it is a new one */
        t->crowded = true;
    } else if (!ti || ti->retry.ns == 0) {
        appeared(t, link, ti);
    }
}

static void link_gone(struct tap *t, struct tap_interface *ti)
{
    tap_event(t, HISTORY_IF_GONE, ti->name, "is gone");
    tap_let_go(t, ti);
}

/* ---- all of them ---- */

static void ask(struct tap *t)
{
    t->lost = false;
    t->asked = mono_now();
    for (unsigned i = 0; i < t->n; i++) {
        t->interface[i]->seen = false;
    }
    if (ifwatch_ask(t->watch) < 0) {
        t->lost = true;
    }
}

/* The answer is complete: what it did not mention is not there. */
static void sweep(struct tap *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = t->interface[i];
        if (ti->there && !ti->seen) {
            link_gone(t, ti);
        }
    }
}

static void on_link(void *user, enum ifwatch_kind kind, const struct netif *link)
{
    struct tap *t = user;
    struct tap_interface *ti;
    switch (kind) {
    case IFWATCH_IS:
        link_is(t, link);
        break;
    case IFWATCH_GONE:
        tap_own_forget(t, link->index);
        ti = tap_by_index(t, link->index);
        if (ti) {
            link_gone(t, ti);
        }
        break;
    case IFWATCH_ALL:
        t->asked = (struct mono){0};
        if (!t->lost) {
            sweep(t);
        }
        break;
    case IFWATCH_LOST:
        t->lost = true;
        break;
    }
}

static void close_watch(struct tap *t)
{
    loop_del_fd(t->loop, TAKE_PTR(t->watch_event));
    if (t->watch >= 0) {
        close(TAKE_FD(t->watch));
    }
    t->asked = (struct mono){0};
}

static void read_watch(struct tap *t)
{
    int r = ifwatch_read(t->watch, on_link, t);
    if (r < 0) {
        t->lost = true;
    }
    if (t->lost && t->asked.ns == 0) {
        ask(t);
    }
}

static void on_watch(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    read_watch(user);
}

static int open_watch(struct tap *t, struct error *err)
{
    int r = broker_call(t->broker, TAP_WATCH, NULL, 0, NULL, NULL, &t->watch, err);
    if (r < 0) {
        return r;
    }
    r = loop_add_fd(t->loop, t->watch, EPOLLIN, on_watch, t, &t->watch_event);
    if (r < 0) {
        return error_sys(err, -r, "cannot watch the interfaces");
    }
    ask(t);
    return 0;
}

/* ---- the namespace ---- */

static void netns_gone(struct tap *t, uint64_t id)
{
    const char *what = t->conf.netns_text;
    close_watch(t);
    for (unsigned i = 0; i < t->n; i++) {
        if (t->interface[i]->there) {
            link_gone(t, t->interface[i]);
        }
    }
    t->n_own = 0;
    tap_event(t, HISTORY_NETNS_GONE, what, "%s",
              id != 0 ? "the namespace of this name is another one now"
              : strspn(what, "0123456789") == strlen(what)
                  ? "the process has ended; its namespace is let go and will not come back"
                  : "the namespace is gone; one of this name will be tapped when it comes");
}

static void netns_back(struct tap *t)
{
    struct error err = {""};
    tap_event(t, HISTORY_NETNS_BACK, t->conf.netns_text, "the namespace is there again");
    if (open_watch(t, &err) < 0) {
        say("tap", "%s", err.text);
        close_watch(t);
        t->netns_id = 0; /* once more at the next tick */
    }
}

static int look_for_netns(struct tap *t, uint64_t *ret)
{
    uint8_t data[8];
    size_t len = sizeof(data);
    int r = broker_call(t->broker, TAP_NETNS, NULL, 0, data, &len, NULL, NULL);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    uint64_t id = rd_u64(&rd);
    if (r == 0 && rd_ok(&rd)) {
        *ret = id;
    }
    return r == 0 && !rd_ok(&rd) ? -EBADMSG : r;
}

static void check_netns(struct tap *t)
{
    uint64_t id = 0;
    if (!t->conf.netns_text || look_for_netns(t, &id) < 0 || id == t->netns_id) {
        return;
    }
    if (t->netns_id != 0) {
        netns_gone(t, id);
    }
    t->netns_id = id;
    if (id != 0) {
        netns_back(t);
    }
}

/* ---- start, tick, end ---- */

void tap_links_tick(struct tap *t)
{
    struct mono now = mono_now();
    check_netns(t);
    bool late = t->asked.ns != 0 && mono_due(now, mono_add_ms(t->asked, ASK_MS));
    if (t->watch >= 0 && (late || (t->lost && t->asked.ns == 0))) {
        ask(t);
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct tap_interface *ti = t->interface[i];
        if (!ti->there && mono_due(now, ti->retry)) {
            tap_take(t, ti);
        }
    }
    tap_forget_gone(t);
}

/* Until it is known what there is. */
static void settle(struct tap *t)
{
    struct mono end = mono_add_ms(mono_now(), SETTLE_MS);
    while (t->asked.ns != 0 && !mono_due(mono_now(), end)) {
        struct pollfd p = {t->watch, POLLIN, 0};
        if (poll(&p, 1, 100) > 0) {
            read_watch(t);
        }
    }
    for (unsigned w = 0; w < t->conf.n_words; w++) {
        bool found = !t->conf.word[w].pattern;
        for (unsigned i = 0; i < t->n; i++) {
            found |= t->interface[i]->word == &t->conf.word[w];
        }
        if (!found) {
            say("tap", "no interface matches \"%s\" yet: waiting for one", t->conf.word[w].text);
        }
    }
}

int tap_links_start(struct tap *t, struct error *err)
{
    int r = open_watch(t, err);
    if (r == 0 && t->conf.netns_text) {
        r = look_for_netns(t, &t->netns_id);
        r = r < 0 ? error_sys(err, -r, "--netns %s", t->conf.netns_text) : 0;
    }
    for (unsigned i = 0; r == 0 && i < t->conf.n_words; i++) {
        const struct tap_word *w = &t->conf.word[i];
        struct tap_interface *ti = NULL;
        if (!w->pattern) {
            r = tap_add(t, w->text, w, &(struct tap_opened){0}, &ti, err);
            r = r < 0 ? r : tap_bring_up(t, ti, err);
        }
        if (r == 0 && ti) {
            say("tap", "listening on %s, sending to %s", w->text, t->conf.collector_text);
        }
    }
    if (r == 0) {
        say("tap", "%s",
            t->conf.take_links ? "datagrams of farspan links are taken, but for this tap's own"
                               : "datagrams of farspan links are left out (--take-links)");
        settle(t);
    }
    return r;
}

void tap_links_stop(struct tap *t)
{
    close_watch(t);
}
