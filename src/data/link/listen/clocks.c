/* SPDX-License-Identifier: Apache-2.0
 *
 * The taps' clocks against the collector's: each REPORT of a session is an exchange for its model
 * (model/clock.h), and a clock that was set, a tap's or our own, is an event.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"

/* "on by 3.000 s": a jump as people read it. */
static void jump_words(int64_t by, char ret[48])
{
    const double s = (double)(by < 0 ? -by : by) / (double)NSEC_PER_SEC;
    snprintf(ret, 48, "%s by %.*f s", by < 0 ? "back" : "on", s < 1 ? 6 : 3, s);
}

void listener_clock_report(struct listener *s, struct session *ss, const struct link_report *r,
                           struct mono now)
{
    const struct clock_exchange e = {.sent = link_clock_echoed(&ss->clock, r),
                                     .came = now,
                                     .held = r->echo_age,
                                     .wall = r->now,
                                     .steady = r->steady};
    int64_t by = 0;
    if (clock_model_take(&ss->model, &e, &by) == CLOCK_JUMPED) {
        char words[HISTORY_WORDS + 1], how[48];
        jump_words(by, how);
        snprintf(words, sizeof(words), "the tap's clock jumped %s", how);
        ss->peer->clock_jumps++;
        listener_tell(s, ss->peer, false, ": its clock jumped %s", how);
        listener_tell_event(s, ss->peer, HISTORY_CLOCK_JUMP, words);
    }
}

void listener_clock_tick(struct listener *s)
{
    const struct time_pair t = time_pair();
    const int64_t ahead = t.wall.ns - t.mono.ns, by = s->ahead ? ahead - s->ahead : 0;
    s->ahead = ahead;
    if (by <= CLOCK_JUMP_NS && by >= -CLOCK_JUMP_NS) {
        return;
    }
    for (unsigned i = 0; i < RECEIVER_SESSIONS;
         i++) { /* the monotonic clock may have stood still */
        if (s->session[i]) {
            clock_model_forget(&s->session[i]->model, t.mono);
        }
    }
    s->era++;
    char words[HISTORY_WORDS + 1], how[48];
    jump_words(by, how);
    snprintf(words, sizeof(words), "the collector's clock jumped %s", how);
    listener_say(s, false, "%s", words);
    listener_event(s, HISTORY_CLOCK_JUMP, "collector", words);
}

/* Frames tell of it again where it has moved by more than the bound that they told, or that bound
 * is another by a factor of two. A jump, which is known well beyond doubt, does not wait. */
static bool worth_telling(const struct session *ss, const struct clock_estimate *c, bool anew,
                          struct mono now)
{
    const int64_t moved = llabs(c->offset - ss->aligned.offset), told = ss->aligned.bound;
    if (anew || ss->aligned.of.ns == 0 || moved > 2 * (told + c->bound)) {
        return true;
    }
    return mono_due(now, mono_add_ms(ss->aligned.told, LISTENER_ALIGN_MS)) &&
           (moved > told || c->bound < told / 2 || c->bound / 2 > told);
}

void listener_clock_align(struct listener *s, struct session *ss)
{
    const struct time_pair t = time_pair();
    const int64_t ahead = t.wall.ns - t.mono.ns;
    const bool anew = ss->aligned.era != s->era;
    struct clock_estimate c;
    if (!s->conf.align || !clock_model_estimate(&ss->model, t.mono, ahead, &c) ||
        (ss->model.now.at.ns == ss->aligned.of.ns && !anew)) {
        return;
    }
    const struct align to = {.offset = c.offset,
                             .bound = c.bound,
                             .ahead = ahead,
                             .tell = worth_telling(ss, &c, anew, t.mono),
                             .anew = anew};
    if (receiver_align(s->receiver[ss->thread], ss->id, &to) < 0) {
        return; /* at the next tick */
    }
    ss->aligned.of = ss->model.now.at;
    ss->aligned.era = s->era;
    if (to.tell) {
        ss->aligned.offset = c.offset;
        ss->aligned.bound = c.bound;
        ss->aligned.told = t.mono;
    }
}

bool listener_clock(const struct session *ss, struct clock_estimate *ret)
{
    const struct time_pair t = time_pair();
    return clock_model_estimate(&ss->model, t.mono, t.wall.ns - t.mono.ns, ret);
}
