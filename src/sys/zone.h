/* SPDX-License-Identifier: Apache-2.0
 *
 * Time zones: the edge to the C library's local time. The zone is loaded before the sandbox is
 * entered (sys/sandbox.h), as its file cannot be read behind it; from then on the time of day, with
 * summer time, is worked out from memory.
 */
#pragma once

#include "base/error.h"
#include "base/time.h"

enum {
    ZONE_NAME_MAX = 64,
};

/* A name such as "Europe/Berlin", and that the system has such a zone. `what` names the setting in
 * the sentence. -EINVAL, -ENOENT. */
int zone_check(const char *name, const char *what, struct error *err);
/* Local time of this process is that of the zone from now on; NULL: of the host's, as TZ of the
 * environment or /etc/localtime has it. Before threads are started. 0 or -errno with a sentence. */
int zone_load(const char *name, struct error *err);

/* A moment on a clock on the wall. */
struct zone_time {
    unsigned weekday; /* 0: Sunday */
    unsigned second;  /* of the day, as the clock shows it */
};

struct zone_time zone_local(struct wall t);
/* How far clocks on the wall are ahead of UTC then, in ns; 0 where a year is beyond all calendars.
 */
int64_t zone_offset_ns(struct wall t);
