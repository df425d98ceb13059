/* SPDX-License-Identifier: Apache-2.0
 *
 * Business hours as the product understands them, for a judge that knows time zones by itself: each
 * time at which they open or close, minute by minute, and the states at both ends.
 *
 *   openhours ZONE HOURS FROM TO      times in seconds since 1970
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/calendar.h"
#include "sys/zone.h"

int main(int argc, char **argv)
{
    struct calendar c;
    struct error err = {""};
    if (argc != 5) {
        fprintf(stderr, "Usage: openhours ZONE HOURS FROM TO\n");
        return 2;
    }
    if (zone_load(argv[1], &err) < 0 || calendar_parse(argv[2], "HOURS", &c, &err) < 0) {
        fprintf(stderr, "openhours: %s\n", err.text);
        return 1;
    }
    int64_t from = strtoll(argv[3], NULL, 10), to = strtoll(argv[4], NULL, 10);
    int before = -1;
    for (int64_t t = from; t < to; t += 60) {
        const struct zone_time z = zone_local((struct wall){t * NSEC_PER_SEC});
        int now = calendar_is_open(&c, z.weekday, z.second);
        if (now != before) {
            printf("%" PRId64 " %s\n", t, now ? "open" : "closed");
            before = now;
        }
    }
    return 0;
}
