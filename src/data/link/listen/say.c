/* SPDX-License-Identifier: Apache-2.0
 *
 * The sentences about taps, in the log and in the collector's history. A tap can cause sentences as
 * fast as it begins sessions: of each tap so many are told in a time, and then the number of the
 * others.
 */
#include <stdarg.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"

void listener_say(struct listener *s, bool error, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->conf.ops->say(s->conf.user, error, text);
}

void listener_event(struct listener *s, enum history_kind kind, const char *subject,
                    const char *words)
{
    history_add(&s->history, wall_now(), kind, subject, "%s", words);
}

const struct history *listener_history(const struct listener *s)
{
    return &s->history;
}

static bool over(const struct listener_told *t, struct mono now)
{
    return mono_due(now, mono_add_ms(t->since, LISTENER_TOLD_MS));
}

static bool may_tell(struct listener *s, struct listener_told *t)
{
    struct mono now = mono_now();
    if (t->since.ns == 0 || (over(t, now) && t->more == 0)) {
        *t = (struct listener_told){.since = now};
    }
    if (t->n < LISTENER_TOLD) {
        t->n++;
        return true;
    }
    s->untold += t->more++ == 0;
    return false;
}

void listener_tell(struct listener *s, struct peer *t, bool error, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (may_tell(s, &t->said)) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        listener_say(s, error, "tap %s%s", t->name, text);
    }
}

void listener_tell_event(struct listener *s, struct peer *t, enum history_kind kind,
                         const char *words)
{
    t->event_kind = kind;
    if (may_tell(s, &t->events)) {
        listener_event(s, kind, t->name, words);
    }
}

void listener_tell_rest(struct listener *s, struct peer *t)
{
    if (t->said.more > 0) {
        listener_say(s, true, "tap %s: … and %u more sentences about it in the last minute",
                     t->name, t->said.more);
        t->said = (struct listener_told){0};
        s->untold--;
    }
    if (t->events.more > 0) {
        char words[64];
        snprintf(words, sizeof(words), "… and %u more events in the last minute", t->events.more);
        listener_event(s, t->event_kind, t->name, words);
        t->events = (struct listener_told){0};
        s->untold--;
    }
}

void listener_tell_tick(struct listener *s, struct mono now)
{
    for (unsigned i = 0; s->untold > 0 && i < s->n_peers; i++) {
        struct peer *t = s->peer[i];
        if ((t->said.more > 0 && over(&t->said, now)) ||
            (t->events.more > 0 && over(&t->events, now))) {
            listener_tell_rest(s, t);
        }
    }
}
