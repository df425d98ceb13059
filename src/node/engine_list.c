/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/text.h"
#include "node/serve_requests.h"
#include "sys/ifwatch.h"

enum {
    ASK_MS = 2000, /* an answer that is not complete by then was lost */
};

struct listed {
    struct netif link;
    uint64_t speed_bps; /* as it was when the link had last changed; 0: unknown */
    bool faces_owner;
    bool seen; /* since all were asked for */
};

struct engine_list {
    struct engine_list_conf conf;
    int watch;
    struct loop_fd *event;
    struct listed *at[ENGINE_LIST_MAX];
    unsigned n;
    uint32_t round;    /* 0: the first answer is not complete */
    struct mono asked; /* for all interfaces; {0}: the answer is complete */
    bool lost, dirty;
};

static struct listed **find(struct engine_list *l, int index)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (l->at[i]->link.index == index) {
            return &l->at[i];
        }
    }
    return NULL;
}

static void drop(struct engine_list *l, struct listed **at)
{
    free(*at);
    *at = l->at[--l->n];
    l->dirty = true;
}

static bool is_port(const struct engine_list *l, const struct netif *link)
{
    return selection_word_for(l->conf.select, link->name) &&
           selection_may_carry(l->conf.select, link, NULL) == 0;
}

/* Both would be told alike. */
static bool is_alike(const struct netif *a, const struct netif *b)
{
    const unsigned told = IFF_UP | IFF_RUNNING;
    return strcmp(a->name, b->name) == 0 && a->mtu == b->mtu && a->mac_len == b->mac_len &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && ((a->flags ^ b->flags) & told) == 0;
}

/* Only these can be an end of a cable to a machine or container. */
static bool may_face(const struct netif *link)
{
    return strcmp(link->kind, "tun") == 0 || strcmp(link->kind, "veth") == 0;
}

static void is_there(struct engine_list *l, const struct netif *link)
{
    struct listed **at = find(l, link->index);
    if (!is_port(l, link)) {
        if (at) {
            drop(l, at);
        }
        return;
    }
    if (!at && l->n < ENGINE_LIST_MAX && (l->at[l->n] = calloc(1, sizeof(**at))) != NULL) {
        at = &l->at[l->n++];
        l->dirty = true;
    }
    if (at) {
        const bool other = (*at)->link.index == 0 || !is_alike(&(*at)->link, link);
        struct broker *b = l->conf.broker;
        struct listed now = {*link, (*at)->speed_bps, (*at)->faces_owner, true};
        if (other) {
            now.speed_bps = serve_request_speed(b, link->name);
            now.faces_owner = may_face(link) && mirror_request_faces(b, link->name);
            l->dirty = true;
        }
        **at = now;
    }
}

/* The answer is complete: what it did not have is gone. */
static void take_stock(struct engine_list *l)
{
    for (unsigned i = 0; i < l->n;) {
        if (l->at[i]->seen) {
            i++;
        } else {
            drop(l, &l->at[i]);
        }
    }
    l->dirty = l->dirty || l->round == 0;
}

static void on_link(void *user, enum ifwatch_kind kind, const struct netif *link)
{
    struct engine_list *l = user;
    struct listed **at;
    switch (kind) {
    case IFWATCH_IS:
        is_there(l, link);
        break;
    case IFWATCH_GONE:
        at = find(l, link->index);
        if (at) {
            drop(l, at);
        }
        break;
    case IFWATCH_ALL:
        l->asked = (struct mono){0};
        if (!l->lost) { /* else some of it may not have come, and it is asked again */
            take_stock(l);
        }
        break;
    case IFWATCH_LOST:
        l->lost = true;
        break;
    }
}

static void ask(struct engine_list *l, struct mono now)
{
    for (unsigned i = 0; i < l->n; i++) {
        l->at[i]->seen = false;
    }
    l->asked = now;
    l->lost = ifwatch_ask(l->watch) < 0;
}

static void on_watch(struct loop *loop, int fd, uint32_t events, void *user)
{
    struct engine_list *l = user;
    (void)loop;
    (void)events;
    if (ifwatch_read(fd, on_link, l) < 0) {
        l->lost = true;
    }
    if (l->dirty && (l->round > 0 || l->asked.ns == 0)) {
        l->round++;
        l->round += l->round == 0;
        l->dirty = false;
    }
}

void engine_list_tick(struct engine_list *l, struct mono now)
{
    const bool late = l->asked.ns != 0 && mono_due(now, mono_add_ms(l->asked, ASK_MS));
    if (late || (l->lost && l->asked.ns == 0)) {
        ask(l, now);
    }
}

/* An answer that is on its way was begun by the old one, and what it lacks may be there. */
void engine_list_select(struct engine_list *l, const struct selection *select)
{
    l->conf.select = select;
    l->lost = true;
}

int engine_list_new(const struct engine_list_conf *conf, struct engine_list **ret,
                    struct error *err)
{
    struct engine_list *l = calloc(1, sizeof(*l));
    if (!l) {
        return error_sys(err, ENOMEM, "cannot watch the interfaces");
    }
    l->conf = *conf;
    l->watch = -1;
    int r = interface_request_watch(conf->broker, &l->watch, err);
    if (r == 0) {
        r = loop_add_fd(conf->loop, l->watch, EPOLLIN, on_watch, l, &l->event);
        r = r < 0 ? error_sys(err, -r, "cannot watch the interfaces") : 0;
    }
    if (r < 0) {
        engine_list_free(l);
        return r;
    }
    ask(l, mono_now());
    *ret = l;
    return 0;
}

void engine_list_free(struct engine_list *l)
{
    if (!l) {
        return;
    }
    loop_del_fd(l->conf.loop, l->event);
    closep(&l->watch);
    for (unsigned i = 0; i < l->n; i++) {
        free(l->at[i]);
    }
    free(l);
}

uint32_t engine_list_round(const struct engine_list *l)
{
    return l->round;
}

unsigned engine_list_n(const struct engine_list *l)
{
    return l->n;
}

void engine_list_at(const struct engine_list *l, unsigned i, struct wanted_port *ret)
{
    const struct netif *link = &l->at[i]->link;
    *ret = (struct wanted_port){.ifindex = (uint32_t)link->index,
                                .mtu = link->mtu,
                                .speed_bps = l->at[i]->speed_bps,
                                .up = link->flags & IFF_UP,
                                .carrier = link->flags & IFF_RUNNING,
                                .faces_owner = l->at[i]->faces_owner};
    text_name(ret->name, sizeof(ret->name), link->name, strlen(link->name));
    memcpy(ret->mac, link->mac, link->mac_len == sizeof(ret->mac) ? sizeof(ret->mac) : 0);
}
