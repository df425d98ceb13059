/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a calendar. One that is accepted opens sometimes, and is written out again minute by
 * minute, which must be read as the same; one that is not has a sentence without odd characters.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/calendar.h"

enum {
    SPAN = sizeof("sun 00:00-00:00,"),
    MOST = CALENDAR_DAYS * CALENDAR_MINUTES / 2 * SPAN,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool minute_is_open(const struct calendar *c, unsigned day, unsigned minute)
{
    return calendar_is_open(c, day, minute * 60);
}

/* Each span of each day, to midnight at most. How many there are. */
static unsigned write_out(const struct calendar *c, char *to, size_t cap)
{
    static const char days[CALENDAR_DAYS][4] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    unsigned n = 0;
    size_t at = 0;
    for (unsigned d = 0; d < CALENDAR_DAYS; d++) {
        for (unsigned m = 0, from; m < CALENDAR_MINUTES; m++) {
            if (!minute_is_open(c, d, m)) {
                continue;
            }
            for (from = m; m < CALENDAR_MINUTES && minute_is_open(c, d, m); m++) {
            }
            at += (size_t)snprintf(to + at, cap - at, "%s%s %02u:%02u-%02u:%02u", n++ ? "," : "",
                                   days[d], from / 60, from % 60, m / 60, m % 60);
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char plain[MOST];
    struct calendar c, again;
    struct error err = {""};
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (calendar_parse(text, "it", &c, &err) < 0) {
        assert(err.text[0] != '\0' && text_is_clean(err.text));
    } else {
        assert(write_out(&c, plain, sizeof(plain)) > 0);
        int r = calendar_parse(plain, "it", &again, &err);
        assert(r == 0 && memcmp(&c, &again, sizeof(c)) == 0);
        (void)r;
    }
    free(text);
    return 0;
}
