/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/describe.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/align.h"
#include "data/limit.h"
#include "model/ladder.h"

int describe_point(const struct point_offer *point, uint32_t snaplen, uint16_t linktype,
                   uint8_t **ret, uint32_t *ret_len)
{
    char name[256], description[256];
    _cleanup_(freep) uint8_t *room = malloc(PCAPNG_META_MAX);
    if (!room) {
        return -ENOMEM;
    }
    const bool here = point->tap[0] == '\0'; /* an interface of this host */
    snprintf(name, sizeof(name), here ? "%s%s" : "%s:%s", point->tap, point->ifname);
    int n = snprintf(description, sizeof(description), here ? "%s%s" : "%s on tap %s",
                     point->ifname, point->tap);
    if (point->snaplen > 0 && n > 0 && (size_t)n < sizeof(description)) {
        snprintf(description + n, sizeof(description) - (size_t)n, ", cut to %u bytes",
                 point->snaplen);
    }
    struct pcapng_idb idb = {.linktype = linktype,
                             .snaplen = snaplen,
                             .speed = point->speed_bps,
                             .name = pcapng_text(name),
                             .description = pcapng_text(description),
                             .filter = pcapng_text(point->filter),
                             .os = pcapng_text(point->os)};
    struct wr w = wr_make(room, PCAPNG_META_MAX);
    pcapng_put_idb(&w, &idb);
    uint8_t *exact = malloc(wr_len(&w));
    if (!exact) {
        return -ENOMEM;
    }
    memcpy(exact, room, wr_len(&w));
    *ret = exact;
    *ret_len = (uint32_t)wr_len(&w);
    return 0;
}

/* The time that was taken off, from the frame on, and its bound. */
static void clock_words(const struct frame *f, char ret[128])
{
    const double s = (double)f->clock_offset / (double)NSEC_PER_SEC;
    snprintf(ret, 128,
             "clock: %+.6f s against the collector's, taken off, wrong by %.6f s at most%s", s,
             (double)f->clock_bound_us / 1e6,
             f->clock & ALIGN_FIRST ? "; times before are its own" : "");
}

struct pcapng_text describe_frame(const struct frame *f, char ret[DESCRIBE_COMMENT])
{
    char step[48] = "", clock[128] = "", stands[48] = "";
    if (f->more == 0 && !f->rung && !f->clock) {
        return pcapng_text(NULL);
    }
    if (f->rung) {
        const struct ladder_step s = limit_unpack(f->rung);
        ladder_words(&s, step);
    }
    if (f->more > 0) {
        snprintf(stands, sizeof(stands), "stands for %u frames", f->more + 1);
    }
    if (f->clock) {
        clock_words(f, clock);
    }
    int n = snprintf(ret, DESCRIBE_COMMENT, "%s%s%s%s%s%s", step[0] ? "limit-rung: " : "", step,
                     step[0] && stands[0] ? "; " : "", stands,
                     (step[0] || stands[0]) && clock[0] ? "; " : "", clock);
    return (struct pcapng_text){ret, (uint32_t)MIN(MAX(n, 0), DESCRIBE_COMMENT - 1)};
}
