/* SPDX-License-Identifier: Apache-2.0
 *
 * The dialer's sentences for a person, and its events in the tap's history.
 */
#include <stdarg.h>
#include <string.h>

#include "data/link/dial/impl.h"

/* A trouble of hours is said once a minute, not at each try, also where two sentences take turns.
 */
static bool said_lately(struct dialer *c, const struct error *e, struct mono now)
{
    unsigned at = 0;
    for (unsigned i = 0; i < DIALER_SAID; i++) {
        if (strcmp(c->said[i].words.text, e->text) == 0) {
            at = i;
            break;
        }
        at = c->said[i].at.ns < c->said[at].at.ns ? i : at;
    }
    if (strcmp(c->said[at].words.text, e->text) == 0 &&
        !mono_due(now, mono_add_ms(c->said[at].at, 60000))) {
        return true;
    }
    c->said[at].words = *e;
    c->said[at].at = now;
    return false;
}

void dialer_say(struct dialer *c, bool error, const char *fmt, ...)
{
    struct error e;
    struct mono now = mono_now();
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    if (error && said_lately(c, &e, now)) {
        return;
    }
    if (!error) {
        memset(c->said, 0, sizeof(c->said));
    }
    c->conf.ops->say(c->conf.user, error, e.text);
}

void dialer_note(struct dialer *c, enum history_kind kind, const char *words)
{
    history_add(c->conf.history, wall_now(), kind, c->conf.collector, "%s", words);
}
