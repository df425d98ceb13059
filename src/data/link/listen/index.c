/* SPDX-License-Identifier: Apache-2.0
 *
 * How the collector's control thread finds sessions, taps and keys: nothing that a datagram or a
 * handshake causes walks over what all others have.
 */
#include <string.h>

#include "data/link/listen/impl.h"

int listener_index_init(struct listener *s, uint64_t seed)
{
    int r = table_init(&s->sessions_by_tag, RECEIVER_SESSIONS, seed);
    if (r == 0) {
        r = table_init(&s->sessions_by_address, RECEIVER_SESSIONS, seed);
    }
    return r < 0 ? r : table_init(&s->peers_by_name, LISTENER_PEERS, seed);
}

void listener_index_done(struct listener *s)
{
    table_done(&s->sessions_by_tag);
    table_done(&s->sessions_by_address);
    table_done(&s->peers_by_name);
}

struct receiver *listener_receiver(const struct listener *s, uint32_t index)
{
    return s->receiver[index % s->conf.n_threads];
}

static uint64_t address_hash(const struct listener *s, const struct udp_addr *a)
{
    uint8_t bytes[2 + 16] = {0};
    memcpy(bytes, &a->v4.sin_port, 2); /* at the same place in both families */
    if (a->sa.sa_family == AF_INET) {
        memcpy(bytes + 2, &a->v4.sin_addr, 4);
    } else {
        memcpy(bytes + 2, &a->v6.sin6_addr, 16);
    }
    return table_hash(&s->sessions_by_address, bytes, sizeof(bytes));
}

struct session *listener_session_at(const struct listener *s, const struct udp_addr *from)
{
    const struct table *t = &s->sessions_by_address;
    for (struct table_link *l = table_first(t, address_hash(s, from)); l; l = table_next(l)) {
        struct session *ss = CONTAINER_OF(l, struct session, by_address);
        if (!ss->closing && udp_addr_equal(&ss->key->from, from)) {
            return ss;
        }
    }
    return NULL;
}

void listener_session_moved(struct listener *s, struct session *ss)
{
    table_remove(&ss->by_address);
    if (ss->key) {
        table_add(&s->sessions_by_address, &ss->by_address, address_hash(s, &ss->key->from));
    }
}

static uint64_t tag_hash(const struct listener *s, uint64_t tag)
{
    return table_hash(&s->sessions_by_tag, &tag, sizeof(tag));
}

struct session *listener_session_tagged(const struct listener *s, uint64_t tag,
                                        const struct allow_entry *entry)
{
    const struct table *t = &s->sessions_by_tag;
    for (struct table_link *l = table_first(t, tag_hash(s, tag)); l; l = table_next(l)) {
        struct session *ss = CONTAINER_OF(l, struct session, by_tag);
        if (!ss->closing && ss->tag == tag && ss->entry == entry) {
            return ss;
        }
    }
    return NULL;
}

void listener_session_add(struct listener *s, struct session *ss)
{
    while (s->session[s->next_session]) { /* one is free: n_sessions is bounded */
        s->next_session = (s->next_session + 1) % RECEIVER_SESSIONS;
    }
    ss->id = s->next_session;
    s->next_session = (s->next_session + 1) % RECEIVER_SESSIONS;
    s->session[ss->id] = ss;
    s->n_sessions++;
    table_add(&s->sessions_by_tag, &ss->by_tag, tag_hash(s, ss->tag));
}

void listener_session_remove(struct listener *s, struct session *ss)
{
    table_remove(&ss->by_tag);
    table_remove(&ss->by_address);
    s->session[ss->id] = NULL;
    s->n_sessions--;
}

struct peer *listener_peer_named(const struct listener *s, const char *name)
{
    const struct table *t = &s->peers_by_name;
    for (struct table_link *l = table_first(t, table_hash(t, name, strlen(name))); l;
         l = table_next(l)) {
        struct peer *tap = CONTAINER_OF(l, struct peer, by_name);
        if (strcmp(tap->name, name) == 0) {
            return tap;
        }
    }
    return NULL;
}
