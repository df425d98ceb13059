/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ports.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "data/sink/port.h"
#include "node/collector_requests.h"

bool ports_wished(const struct output_list *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (list->spec[i].kind == OUTPUT_PORT) {
            return true;
        }
    }
    return false;
}

/* The sink of the output in that place, if it is one of the list; else NULL. */
static struct sink *listed_at(const struct ports *p, unsigned i)
{
    return p->outputs->place[i].spec ? p->outputs->place[i].sink : NULL;
}

/* The same if that is a port. */
static struct sink *port_at(const struct ports *p, unsigned i)
{
    struct sink *s = listed_at(p, i);
    return s && p->outputs->place[i].spec->kind == OUTPUT_PORT ? s : NULL;
}

static const char *const words_of[] = {
    [PORT_UP] = "has a carrier again",
    [PORT_NO_CARRIER] = "has no carrier: its frames are dropped until it has one",
    [PORT_DOWN] = "is down: its frames are dropped until it is up again",
    [PORT_GONE] = "is not there: its frames are dropped until it is again",
};

/* The state changes: it is told to the sink, and once to people. */
static void become(struct ports *p, unsigned i, enum port_state state, uint32_t mtu)
{
    struct sink *s = port_at(p, i);
    struct port_seen *seen = &p->seen[i];
    port_sink_tell(s, state, mtu);
    if (state != seen->state) {
        outputs_event(p->outputs, p->listener,
                      state == PORT_UP ? HISTORY_OUTPUT_BACK : HISTORY_OUTPUT_GONE, s->name,
                      words_of[state]);
    }
    seen->told_mtu = seen->told_mtu && mtu == seen->mtu;
    seen->state = state;
    seen->mtu = mtu;
}

/* Another interface has the name, or it has come back. */
static bool reopen(struct ports *p, unsigned i, const struct netif *link)
{
    struct sink *s = port_at(p, i);
    struct error err = {""};
    int fd = -1;
    int r = collector_request_output(p->broker, p->outputs->place[i].at, &fd, &err);
    r = r < 0 ? r : port_sink_renew(s, fd, &err);
    if (r < 0) {
        if (!p->seen[i].refused) {
            teller_tell(p->teller, "%s is no port as it is now: %s", link->name, err.text);
        }
        p->seen[i].refused = true;
        return false;
    }
    p->seen[i].refused = false;
    p->seen[i].ifindex = link->index;
    return true;
}

static void changed(struct ports *p, unsigned i, const struct netif *link)
{
    struct port_seen *seen = &p->seen[i];
    if (seen->ifindex != link->index && seen->ifindex != 0) {
        seen->ifindex = 0;
        become(p, i, PORT_GONE, 0);
    }
    if (seen->ifindex == 0 && !reopen(p, i, link)) {
        return;
    }
    become(p, i,
           !(link->flags & IFF_UP)        ? PORT_DOWN
           : !(link->flags & IFF_RUNNING) ? PORT_NO_CARRIER
                                          : PORT_UP,
           link->mtu);
}

void ports_hear(void *ports, enum ifwatch_kind kind, const struct netif *link)
{
    struct ports *p = ports;
    if (kind == IFWATCH_LOST) {
        (void)ifwatch_ask(p->watch);
        return;
    }
    if (kind == IFWATCH_ALL) {
        return;
    }
    for (unsigned i = 0; i < p->outputs->n; i++) {
        struct sink *s = port_at(p, i);
        if (!s || s != p->seen[i].sink) {
            continue;
        }
        bool named = strcmp(port_sink_wish(s)->name, link->name) == 0;
        if (kind == IFWATCH_IS && named) {
            changed(p, i, link);
        } else if (p->seen[i].ifindex == link->index) { /* removed, or renamed */
            p->seen[i].ifindex = 0;
            become(p, i, PORT_GONE, 0);
        }
    }
}

static void on_readable(struct loop *l, int fd, uint32_t events, void *user)
{
    struct ports *p = user;
    (void)l;
    (void)events;
    if (ifwatch_read(fd, ports_hear, p) < 0) {
        loop_del_fd(p->loop, TAKE_PTR(p->heard));
        teller_tell(p->teller, "the kernel tells nothing of interfaces any more: ports stay as "
                               "they are");
    }
}

/* Until the kernel has told of it, a port is up, with any MTU: it was there a moment ago. */
static int look_at_new(struct ports *p)
{
    bool ask = false;
    for (unsigned i = 0; i < FAN_SINKS; i++) {
        struct sink *s = listed_at(p, i), *port = port_at(p, i);
        if (s != p->seen[i].sink) {
            p->seen[i] = (struct port_seen){
                .sink = s, .ifindex = port ? port_sink_ifindex(port) : 0, .state = PORT_UP};
            ask = ask || port;
        }
    }
    return ask && p->watch >= 0 ? ifwatch_ask(p->watch) : 0;
}

int ports_begin(struct ports *p, struct error *err)
{
    int r = p->watch >= 0 ? loop_add_fd(p->loop, p->watch, EPOLLIN, on_readable, p, &p->heard) : 0;
    r = r < 0 ? r : look_at_new(p);
    return r < 0 ? error_sys(err, -r, "cannot hear of interfaces") : 0;
}

static void look_at_mtu(struct ports *p, struct sink *s, struct port_seen *seen)
{
    uint32_t wanted = s->ops->missed_mtu ? s->ops->missed_mtu(s) : 0;
    if (wanted > 0 && !seen->told_mtu) {
        char words[128];
        seen->told_mtu = true;
        snprintf(words, sizeof(words), "is too narrow for some frames: an MTU of %u would do",
                 wanted);
        outputs_event(p->outputs, p->listener, HISTORY_OUTPUT_NARROW, s->name, words);
    }
}

static void look_at_readers(struct ports *p, struct sink *s, struct port_seen *seen,
                            struct mono now)
{
    struct sink_readers r = {0};
    if (s->ops->readers) {
        s->ops->readers(s, &r);
    }
    const uint64_t refused = r.refused - seen->told.refused;
    if ((r.now != seen->told.now || refused > 0) &&
        (seen->next.ns == 0 || mono_due(now, seen->next))) {
        char words[128];
        int n = snprintf(words, sizeof(words), "has %u reader%s", r.now, r.now == 1 ? "" : "s");
        if (refused > 0) {
            snprintf(words + n, sizeof(words) - (size_t)n, "; %" PRIu64 " more were turned away",
                     refused);
        }
        seen->told = r;
        seen->next = mono_add_ms(now, PORTS_TELL_MS);
        outputs_event(p->outputs, p->listener, HISTORY_OUTPUT_READERS, s->name, words);
    }
}

void ports_look(struct ports *p, struct mono now)
{
    (void)look_at_new(p); /* what the kernel could not be asked it tells when that changes */
    for (unsigned i = 0; i < p->outputs->n; i++) {
        struct sink *s = listed_at(p, i);
        if (s) {
            look_at_mtu(p, s, &p->seen[i]);
            look_at_readers(p, s, &p->seen[i], now);
        }
    }
}

void ports_end(struct ports *p)
{
    loop_del_fd(p->loop, p->heard);
}
