/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said of a tap, in the log and in the collector's history. A tap can cause sentences as
 * fast as it begins sessions: of each tap so many are told in a time, and then how many more there
 * were.
 */
#include <stdarg.h>

#include "base/cleanup.h"
#include "data/server_impl.h"

static bool over(const struct server_told *t, struct mono now)
{
    return mono_due(now, mono_add_ms(t->since, SERVER_TOLD_MS));
}

static bool may_tell(struct server *s, struct server_told *t)
{
    struct mono now = mono_now();
    if (t->since.ns == 0 || (over(t, now) && t->more == 0)) {
        *t = (struct server_told){.since = now};
    }
    if (t->n < SERVER_TOLD) {
        t->n++;
        return true;
    }
    s->untold += t->more++ == 0;
    return false;
}

void server_tell(struct server *s, struct tap *t, bool error, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (may_tell(s, &t->said)) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        server_say(s, error, "tap %s%s", t->name, text);
    }
}

void server_tell_event(struct server *s, struct tap *t, enum history_kind kind, const char *words)
{
    t->event_kind = kind;
    if (may_tell(s, &t->events)) {
        server_event(s, kind, t->name, words);
    }
}

void server_tell_rest(struct server *s, struct tap *t)
{
    if (t->said.more > 0) {
        server_say(s, true, "tap %s: … and %u more sentences about it in the last minute", t->name,
                   t->said.more);
        t->said = (struct server_told){0};
        s->untold--;
    }
    if (t->events.more > 0) {
        char words[64];
        snprintf(words, sizeof(words), "… and %u more events in the last minute", t->events.more);
        server_event(s, t->event_kind, t->name, words);
        t->events = (struct server_told){0};
        s->untold--;
    }
}

void server_tell_tick(struct server *s, struct mono now)
{
    for (unsigned i = 0; s->untold > 0 && i < s->n_taps; i++) {
        struct tap *t = s->tap[i];
        if ((t->said.more > 0 && over(&t->said, now)) ||
            (t->events.more > 0 && over(&t->events, now))) {
            server_tell_rest(s, t);
        }
    }
}
