/* SPDX-License-Identifier: Apache-2.0 */
#include "model/calendar.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define EXAMPLE "'mon-fri 08:00-18:00, sat 09:00-12:00'"

enum {
    QUOTED = 16, /* bytes of the text in a sentence */
    LETTER = 0x20,
};

/* A text that is read. */
struct reading {
    const char *text, *at;
    const char *what;
    struct error *err;
};

static int mistake(const struct reading *r, const char *at, const char *right)
{
    char name[TEXT_ESCAPE * QUOTED + 1];
    size_t n = strlen(at);
    text_name(name, sizeof(name), at, MIN(n, (size_t)QUOTED));
    if (n == 0) {
        return error_set(r->err, EINVAL, "%s: at its end: %s", r->what, right);
    }
    return error_set(r->err, EINVAL, "%s: at character %zu, \"%s%s\": %s", r->what,
                     (size_t)(at - r->text) + 1, name, n > QUOTED ? "..." : "", right);
}

static void skip_blanks(struct reading *r)
{
    r->at += strspn(r->at, " \t");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | LETTER) >= 'a' && (c | LETTER) <= 'z';
}

/* ---- days ---- */

static int take_day(struct reading *r, unsigned *ret)
{
    static const char days[CALENDAR_DAYS][4] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    for (unsigned d = 0; d < CALENDAR_DAYS; d++) {
        unsigned n = 0;
        while (n < 3 && (r->at[n] | LETTER) == days[d][n]) {
            n++;
        }
        if (n == 3 && !is_letter(r->at[3])) {
            r->at += 3;
            *ret = d;
            return 0;
        }
    }
    return mistake(r, r->at,
                   "a day is mon, tue, wed, thu, fri, sat or sun, several are mon-fri or sat,sun");
}

/* "mon", or "fri-mon", which goes on over the week's end. Bit d of the result: day d. */
static int take_days(struct reading *r, unsigned *ret)
{
    unsigned from, to;
    int rc = take_day(r, &from);
    to = from;
    if (rc == 0 && *r->at == '-') {
        r->at++;
        rc = take_day(r, &to);
    }
    if (rc < 0) {
        return rc;
    }
    *ret |= 1U << to;
    for (unsigned d = from; d != to; d = (d + 1) % CALENDAR_DAYS) {
        *ret |= 1U << d;
    }
    return 0;
}

/* ---- times ---- */

/* "08:00", "8:00": a minute of the day, up to its end. */
static int take_time(struct reading *r, unsigned *ret)
{
    const char *const at = r->at;
    unsigned hour = 0, n = 0;
    for (; n < 2 && is_digit(at[n]); n++) {
        hour = hour * 10 + (unsigned)(at[n] - '0');
    }
    bool form =
        n > 0 && at[n] == ':' && is_digit(at[n + 1]) && is_digit(at[n + 2]) && !is_digit(at[n + 3]);
    if (!form) {
        return mistake(r, at, "times are HH:MM-HH:MM, as in " EXAMPLE);
    }
    unsigned minute = (unsigned)(at[n + 1] - '0') * 10 + (unsigned)(at[n + 2] - '0');
    if (minute > 59 || hour * 60 + minute > CALENDAR_MINUTES) {
        return mistake(r, at, "a time is from 00:00 to 24:00");
    }
    r->at += n + 3;
    *ret = hour * 60 + minute;
    return 0;
}

static void set_minutes(struct calendar *c, unsigned day, unsigned from, unsigned to)
{
    for (unsigned m = from; m < to; m++) {
        c->open[day][m / 64] |= UINT64_C(1) << (m % 64);
    }
}

static void set_span(struct calendar *c, unsigned days, unsigned from, unsigned to)
{
    for (unsigned d = 0; d < CALENDAR_DAYS; d++) {
        if (!(days >> d & 1)) {
            continue;
        }
        set_minutes(c, d, from, from < to ? to : (unsigned)CALENDAR_MINUTES);
        if (from > to) {
            set_minutes(c, (d + 1) % CALENDAR_DAYS, 0, to);
        }
    }
}

static int take_span(struct reading *r, struct calendar *c, unsigned days)
{
    const char *const at = r->at;
    unsigned from, to;
    int rc = take_time(r, &from);
    if (rc == 0 && *r->at != '-') {
        rc = mistake(r, at, "times are HH:MM-HH:MM, as in " EXAMPLE);
    }
    if (rc == 0) {
        r->at++;
        rc = take_time(r, &to);
    }
    if (rc < 0) {
        return rc;
    }
    if (from == CALENDAR_MINUTES) {
        return mistake(r, at, "24:00 is an end only; a day begins at 00:00");
    }
    if (from == to) {
        return mistake(r, at, "this never opens; a whole day is 00:00-24:00");
    }
    set_span(c, days, from, to);
    return 0;
}

/* ---- the whole ---- */

/* True where a comma is there, and behind it what is asked for. */
static bool goes_on(struct reading *r, bool (*with)(char))
{
    const char *at = r->at;
    if (*at == ',') {
        at++;
        at += strspn(at, " \t");
        if (with(*at)) {
            r->at = at;
            return true;
        }
    }
    return false;
}

/* Days, and then their times, if there are any. */
static int take_entry(struct reading *r, struct calendar *c)
{
    unsigned days = 0;
    int rc;
    do {
        rc = take_days(r, &days);
        skip_blanks(r);
    } while (rc == 0 && goes_on(r, is_letter));
    if (rc == 0 && *r->at == '\0') {
        set_span(c, days, 0, CALENDAR_MINUTES);
        return 0;
    }
    do {
        rc = rc < 0 ? rc : take_span(r, c, days);
        skip_blanks(r);
    } while (rc == 0 && goes_on(r, is_digit));
    return rc;
}

int calendar_parse(const char *text, const char *what, struct calendar *ret, struct error *err)
{
    struct calendar c = {0};
    struct reading r = {text, text, what, err};
    int rc = 0;
    skip_blanks(&r);
    if (*r.at == '\0') {
        return error_set(err, EINVAL, "%s never open: give days and times, as in " EXAMPLE, what);
    }
    do {
        rc = take_entry(&r, &c);
    } while (rc == 0 && goes_on(&r, is_letter));
    if (rc == 0 && *r.at != '\0') {
        rc = mistake(&r, r.at, "behind a time there is a comma and days, or the end");
    }
    if (rc == 0) {
        *ret = c;
    }
    return rc;
}

bool calendar_is_open(const struct calendar *c, unsigned weekday, unsigned second)
{
    unsigned m = MIN(second / 60, (unsigned)CALENDAR_MINUTES - 1);
    return weekday < CALENDAR_DAYS && c->open[weekday][m / 64] >> (m % 64) & 1;
}
