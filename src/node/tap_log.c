/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_log.h"

#include "base/cleanup.h"
#include "node/report_mirrors.h"
#include "node/report_tap_view.h"

static void tell(void *user, const struct listener_peer *tap)
{
    const struct tap_log *l = user;
    char line[TAP_LINE_MAX];
    report_tap_line(tap, describe_find(l->describe, tap->name, tap->address), line);
    teller_tell(l->teller, "%s", line);
}

static void on_timer(struct loop *loop, struct mono now, void *user)
{
    struct tap_log *l = user;
    (void)loop;
    (void)now;
    listener_each(l->listener, tell, l);
    if (l->mirrors) {
        report_mirrors_lines(l->mirrors, l->describe, l->teller);
    }
}

int tap_log_every(struct tap_log *l, uint32_t ms)
{
    if (ms == l->ms) {
        return 0;
    }
    tap_log_end(l);
    if (ms == 0) {
        return 0;
    }
    int r = loop_add_timer(l->loop, mono_add_ms(mono_now(), ms), ms * NSEC_PER_MSEC, on_timer, l,
                           &l->timer);
    l->ms = r < 0 ? 0 : ms;
    return r;
}

void tap_log_end(struct tap_log *l)
{
    if (l->timer) {
        loop_del_timer(l->loop, TAKE_PTR(l->timer));
    }
    l->ms = 0;
}
