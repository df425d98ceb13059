/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` that bound what it costs, and say what gives then.
 */
#include "cmd/tap_line.h"

static const struct conf_row tap_limit_rows[] = {
    {0, "rate", "RATE",
     "send no more than so many bits a second, such as 500kbit or\n"
     "4.8mbit (default: as many as there are)",
     CONF_RATE_AT(struct tap_line, conf.limit.rate.bits), .min = RATE_MIN, .max = RATE_MAX,
     .flags = CONF_LIVE,
     .manual =
         "Send no more than so many bits a second to the collector: a number, with *kbit*,\n"
         "*mbit* or *gbit* for 10^3, 10^6 or 10^9 of them (_500kbit_, _4.8mbit_). All packets\n"
         "count, of all interfaces together, with their IP and UDP headers. See *THE RATE*."},
    {0, "burst", "TIME", "what may leave at once, in time at that rate",
     CONF_MS_AT(struct tap_line, conf.limit.rate.burst_ms), .min = 1, .max = RATE_WINDOW_MS,
     .dflt = "10ms", .flags = CONF_LIVE,
     .manual =
         "How much may leave at once, as a time at that rate; two datagrams may always. Less\n"
         "is kinder to a path with short queues, more costs less CPU."},
    {0, "limit-queue", "TIME", "how long frames may wait for the rate",
     CONF_MS_AT(struct tap_line, conf.limit.queue_ms), .min = 1, .max = 60000, .dflt = "200ms",
     .flags = CONF_LIVE,
     .manual = "How long frames may wait for the rate: so much time at the rate, and 16 KiB at\n"
               "least. When the queue is full, the newest frames are dropped and counted."},
    {0, "on-limit", "LIST",
     "what gives where more is wished than --rate or --cpu-limit allow:\n"
     "some of headers, sample, flows, count in the order wanted; or\n"
     "drop; or stop",
     tap_set_on_limit, .dflt = "headers,sample,count", .flags = CONF_LIVE,
     .manual = "What gives where more is wished than *--rate* or *--cpu-limit* allow. Some of\n"
               "_headers_, _sample_, _flows_ and _count_, in the order in which detail is given\n"
               "up; or _drop_, or _stop_. See *THE LADDER*."},
    {0, "keep", "FILTER", "frames that match stay whole as long as any are sent", tap_set_keep,
     .flags = CONF_LIVE,
     .manual = "Frames that match a *pcap-filter*(7) expression stay whole as long as any are\n"
               "sent, and are dropped after the others."},
    {0, "cpu-limit", "PERCENT", "of one core's time, for the tap's threads, such as 30%",
     tap_set_cpu, .min = 1, .max = 6400, .flags = CONF_LIVE,
     .manual = "How much time of one core the tap's threads may use, such as _30%_. The time in\n"
               "which the kernel copies frames for the tap is that of others, and does not\n"
               "count. See *THE LADDER*."},
    {0, "check-interval", "TIME", "of --on-limit stop: how long an interval is",
     CONF_MS_AT(struct tap_line, conf.limiter.check_ms), .min = 1000, .max = 3600000, .dflt = "10s",
     .flags = CONF_LIVE,
     .manual = "With *--on-limit stop*: the interval in which the wish is compared with the\n"
               "rate."},
    {0, "breach-intervals", "N", "of --on-limit stop: the tap ends after so many in a row",
     CONF_U32_AT(struct tap_line, conf.limiter.breaches), .min = 1, .max = 100000, .dflt = "6",
     .flags = CONF_LIVE,
     .manual = "With *--on-limit stop*: the tap ends with status 3 after so many intervals in a\n"
               "row in which the wish reached the rate."},
};

const struct conf_group tap_limit_group = {"Limits:", tap_limit_rows, ARRAY_SIZE(tap_limit_rows)};
