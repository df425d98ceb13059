/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket to the collector and the two addresses at its ends: the session goes on when either
 * end has another. Keys and numbering are bound to no address: a new socket is all it takes, and
 * the collector answers to where the newest record came from.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/link/dial/impl.h"

void dialer_close_socket(struct dialer *c)
{
    loop_del_fd(c->loop, TAKE_PTR(c->io_event));
    if (c->io.fd >= 0) {
        close(TAKE_FD(c->io.fd));
    }
    udp_shared_unref(TAKE_PTR(c->io.shared));
}

int dialer_use_socket(struct dialer *c, int fd)
{
    struct ether_flow flow;
    socklen_t len = sizeof(c->peer.v6);
    struct udp_shared *shared = NULL;
    dialer_close_socket(c);
    int r = udp_shared_new(&shared);
    r = r < 0 ? r : loop_add_fd(c->loop, fd, EPOLLIN, c->readable, c, &c->io_event);
    if (r < 0) {
        udp_shared_unref(shared);
        close(fd);
        return r;
    }
    c->io = (struct udp_io){.fd = fd, .shared = shared};
    c->peer.len = getpeername(fd, &c->peer.sa, &len) == 0 ? len : 0;
    udp_addr_text(&c->peer, c->status.address);
    c->local = (struct udp_addr){0};
    c->headers = udp_headers(fd);
    c->unsendable = false;
    if (udp_local(fd, &c->local) == 0 && ether_flow_make(&c->local.sa, &c->peer.sa, &flow) == 0) {
        c->conf.ops->flow(c->conf.user, &flow);
    }
    return 0;
}

static bool same_host(const struct udp_addr *a, const struct udp_addr *b)
{
    struct udp_addr x = *a;
    x.v4.sin_port = b->v4.sin_port; /* at the same place in both families */
    return udp_addr_equal(&x, b);
}

static bool same_way(const struct dialer *c, int fd)
{
    struct udp_addr local = {0}, peer = {.len = sizeof(peer.v6)};
    return udp_local(fd, &local) == 0 && getpeername(fd, &peer.sa, &peer.len) == 0 &&
           same_host(&local, &c->local) && udp_addr_equal(&peer, &c->peer);
}

/* The session goes on over this socket. */
static void move(struct dialer *c, int fd)
{
    if (dialer_use_socket(c, fd) < 0) {
        return; /* without a socket the session ends by its silence, and begins anew */
    }
    c->status.moves++;
    dialer_path_begin(c);
    dialer_senders_rekey(c);
    dialer_send_report(c, false);
    char text[UDP_ADDR_TEXT], words[2 * UDP_ADDR_TEXT + 16];
    udp_addr_text(&c->local, text);
    snprintf(words, sizeof(words), "from %s to %s", text, c->status.address);
    dialer_note(c, HISTORY_MOVED, words);
    dialer_say(c, false, "the way to the collector at %s has changed: going on from %s to %s",
               c->conf.collector, text, c->status.address);
}

/* Nothing comes, or nothing goes. Would a new socket have other addresses at its ends? This host's
 * may have changed, or its way out; later in the silence the collector's is looked up too, once, as
 * that may take seconds. */
static bool look_for_another_way(struct dialer *c, bool lookup, struct mono now)
{
    struct error err = {""};
    int fd = -1;
    c->next_move = mono_add_ms(now, DIALER_MOVE_MS);
    enum dialer_where where = lookup ? DIALER_WHERE_NAME : DIALER_WHERE_FOUND;
    if (c->conf.ops->connect(c->conf.user, where, &fd, &err) < 0) {
        return false;
    }
    c->looked_up |= lookup;
    if (same_way(c, fd) && !c->unsendable) {
        close(fd);
    } else {
        move(c, fd);
    }
    return lookup;
}

bool dialer_move_tick(struct dialer *c, struct mono now)
{
    bool silent = mono_due(now, mono_add_ms(c->uplink.heard, DIALER_SILENT_MS)) || c->uplink.held;
    bool lookup = mono_due(now, mono_add_ms(c->uplink.heard, DIALER_LOOKUP_MS)) && !c->looked_up;
    c->looked_up &= silent;
    if ((silent || c->unsendable) && (lookup || !c->next_move.ns || mono_due(now, c->next_move))) {
        return look_for_another_way(c, lookup, now);
    }
    return false;
}
