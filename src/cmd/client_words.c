/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes, times and durations as people write them (client.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cmd/client.h"
#include "model/time_text.h"

int client_duration(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *word;
        int64_t ns;
    } units[] = {{"ms", NSEC_PER_MSEC},
                 {"s", NSEC_PER_SEC},
                 {"min", 60 * NSEC_PER_SEC},
                 {"h", 3600 * NSEC_PER_SEC},
                 {"d", 86400 * NSEC_PER_SEC}};
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || text[0] == '-' || text[0] == '+' || text[0] == ' ') {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(end, units[i].word) == 0 && n > 0 &&
            n <= (unsigned long long)(INT64_MAX / units[i].ns)) {
            *ret_ns = (int64_t)n * units[i].ns;
            return 0;
        }
    }
    return -EINVAL;
}

void client_size_words(int64_t bytes, char *ret, size_t cap)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t i = 0;
    double v = (double)bytes;
    while (v >= 999.5 && i + 1 < ARRAY_SIZE(units)) {
        v /= 1000;
        i++;
    }
    (void)snprintf(ret, cap, i > 0 && v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i]);
}

void client_span_words(int64_t ns, char *ret, size_t cap)
{
    const int64_t s = ns / NSEC_PER_SEC + (ns % NSEC_PER_SEC >= NSEC_PER_SEC / 2);
    const int64_t tenths =
        ns / (NSEC_PER_SEC / 10) + (ns % (NSEC_PER_SEC / 10) >= NSEC_PER_SEC / 20);
    if (tenths < 100 && tenths % 10 != 0) {
        (void)snprintf(ret, cap, "%lld.%lld s", (long long)(tenths / 10), (long long)(tenths % 10));
    } else if (s < 120) {
        (void)snprintf(ret, cap, "%lld s", (long long)s);
    } else if (s < 7200) {
        (void)snprintf(ret, cap, s % 60 ? "%lld min %lld s" : "%lld min", (long long)(s / 60),
                       (long long)(s % 60));
    } else {
        (void)snprintf(ret, cap, s % 3600 / 60 ? "%lld h %lld min" : "%lld h",
                       (long long)(s / 3600), (long long)(s % 3600 / 60));
    }
}

int64_t client_time(const char *text)
{
    int64_t ns;
    return time_parse(text, 0, &ns) == 0 ? ns : INT64_MIN;
}

void client_time_words(const char *text, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "%.19s%s", text, text[0] ? "Z" : "");
}
