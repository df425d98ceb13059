/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of allowed taps is replaced while sessions run. Everything that points into the old one
 * (sessions, keys) points into the new one afterwards, or is gone.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"
#include "sys/crypto/kdf.h"

static bool unchanged(const struct allow_entry *a, const struct allow_entry *b)
{
    return strcmp(a->name, b->name) == 0 && a->has_psk == b->has_psk &&
           secure_equal(a->psk, b->psk, KEY_LEN);
}

/* How the lists differ. */
static void count_changes(const struct allow_list *old, const struct allow_list *list,
                          struct listener_allowed *ret)
{
    size_t kept = 0;
    for (size_t i = 0; old && i < list->n; i++) {
        const struct allow_entry *was = allow_find(old, list->entries[i].key);
        if (was) {
            ret->changed += !unchanged(was, &list->entries[i]);
            kept++;
        }
    }
    ret->taps = list->n;
    ret->added = list->n - kept;
    ret->removed = (old ? old->n : 0) - kept;
}

static void cut_off(struct listener *s, struct session *ss, enum link_close why)
{
    listener_say(s, true,
                 why == LINK_CLOSE_REVOKED
                     ? "tap %s is not on the list any more: its session is closed"
                     : "tap %s has another name or key on the list: its session is closed",
                 ss->peer->name);
    if (ss->key) {
        listener_send_close(s, ss, why);
    }
    listener_event(s, HISTORY_REVOKED, ss->peer->name,
                   why == LINK_CLOSE_REVOKED ? "not on the list any more" : "changed on the list");
    ss->peer->end = LISTENER_REVOKED;
    listener_session_end(s, ss);
    s->counters.revoked++;
}

static void move_sessions(struct listener *s, const struct allow_list *list,
                          struct listener_allowed *ret)
{
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        struct session *ss = s->session[i];
        if (!ss || !ss->entry) {
            continue;
        }
        const struct allow_entry *is = allow_find(list, ss->entry->key);
        if (!ss->closing && (!is || !unchanged(ss->entry, is))) {
            cut_off(s, ss, is ? LINK_CLOSE_CHANGED : LINK_CLOSE_REVOKED);
            ret->sessions++;
        }
        ss->entry = is;
    }
}

/* Half-open keys go with their entries; those of sessions that are closed go with these. */
static void move_keys(struct listener *s, const struct allow_list *list)
{
    for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
        struct key *k = s->key[i];
        const struct allow_entry *was = k ? k->handshake.entry : NULL;
        const struct allow_entry *is = was ? allow_find(list, was->key) : NULL;
        if (was && !k->session && (!is || !unchanged(was, is))) {
            listener_drop_key(s, k);
        } else if (was) {
            k->handshake.entry = is;
        }
    }
}

void listener_set_allow(struct listener *s, struct allow_list *list, struct listener_allowed *ret)
{
    const struct allow_list *old = s->conf.handshake.allow;
    *ret = (struct listener_allowed){0};
    count_changes(old, list, ret);
    move_sessions(s, list, ret);
    move_keys(s, list);
    allow_done(&s->allow);
    s->allow = *list;
    *list = (struct allow_list){0};
    s->conf.handshake.allow = &s->allow;
    char words[96];
    snprintf(words, sizeof(words), "%zu taps, %zu added, %zu removed, %zu changed", ret->taps,
             ret->added, ret->removed, ret->changed);
    listener_event(s, HISTORY_LIST_READ, "list of taps", words);
}
