/* SPDX-License-Identifier: Apache-2.0 */
#include "model/time_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"

enum {
    DAY_S = 24 * 60 * 60,
    ERA_DAYS = 146097, /* 400 years */
    EPOCH = 719468,    /* days from the first of March of the year 0 to 1970 */
};

/* ---- the calendar ---- */

/* Days since 1970. Years begin in March, so that the leap day is the last one of its year. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (int64_t)((month + 9) % 12) + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH;
}

/* Its inverse; any number of days that an int64_t of ns has. */
static void date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += EPOCH; /* positive: an int64_t of ns begins in 1677 */
    int64_t era = days / ERA_DAYS, of_era = days % ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *ret_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *ret_year = era * 400 + year + (*ret_month <= 2);
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* ---- out ---- */

void time_text(int64_t ns, char ret[TIME_TEXT])
{
    int64_t s = ns / NSEC_PER_SEC, frac = ns % NSEC_PER_SEC;
    if (frac < 0) {
        frac += NSEC_PER_SEC;
        s--;
    }
    int64_t days = s / DAY_S, of_day = s % DAY_S;
    if (of_day < 0) {
        of_day += DAY_S;
        days--;
    }
    int64_t year;
    unsigned month, day, sec = (unsigned)of_day;
    date_of(days, &year, &month, &day);
    int n = snprintf(ret, TIME_TEXT, "%04d-%02u-%02uT%02u:%02u:%02u", (int)year, month, day,
                     sec / 3600, sec / 60 % 60, sec % 60);
    if (frac) {
        n += snprintf(ret + n, TIME_TEXT - (size_t)n, ".%09" PRId64, frac);
        while (ret[n - 1] == '0') {
            n--;
        }
    }
    ret[n] = 'Z';
    ret[n + 1] = '\0';
}

/* ---- in ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly `n` digits, and then the letter. */
static bool take_number(const char **at, unsigned n, char then, unsigned *ret)
{
    unsigned v = 0;
    for (unsigned i = 0; i < n; i++, (*at)++) {
        if (!is_digit(**at)) {
            return false;
        }
        v = v * 10 + (unsigned)(**at - '0');
    }
    *ret = v;
    if (then == '\0') {
        return true;
    }
    return *(*at)++ == then;
}

/* A fraction behind whole seconds, if there is one: ".5". False: a point without digits. */
static bool take_fraction(const char **at, int64_t *ret_ns)
{
    int64_t worth = NSEC_PER_SEC / 10;
    *ret_ns = 0;
    if (**at != '.') {
        return true;
    }
    (*at)++;
    if (!is_digit(**at)) {
        return false;
    }
    for (; is_digit(**at); (*at)++) {
        *ret_ns += worth * (**at - '0');
        worth /= 10;
    }
    return true;
}

/* "Z" or "+01:00", in seconds, and the end of the text. */
static bool take_offset(const char **at, int64_t *ret_s)
{
    const char sign = *(*at)++;
    unsigned hours = 0, minutes = 0;
    if (sign == '+' || sign == '-') {
        if (!take_number(at, 2, ':', &hours) || !take_number(at, 2, '\0', &minutes)) {
            return false;
        }
    } else if (sign != 'Z' && sign != 'z') {
        return false;
    }
    *ret_s = ((int64_t)hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return hours < 24 && minutes < 60 && **at == '\0';
}

int time_parse_rfc3339(const char *text, int64_t *ret)
{
    unsigned year, month, day, hour, minute, second;
    int64_t frac, offset;
    if (!take_number(&text, 4, '-', &year) || !take_number(&text, 2, '-', &month) ||
        !take_number(&text, 2, '\0', &day) || (*text != 'T' && *text != 't' && *text != ' ')) {
        return -EINVAL;
    }
    text++;
    if (!take_number(&text, 2, ':', &hour) || !take_number(&text, 2, ':', &minute) ||
        !take_number(&text, 2, '\0', &second) || !take_fraction(&text, &frac) ||
        !take_offset(&text, &offset)) {
        return -EINVAL;
    }
    if (year < 1969 || year > 2200 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month) || hour > 23 || minute > 59 || second > 60) {
        return -EINVAL;
    }
    int64_t s = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset;
    if ((second == 60 && s % DAY_S != 0) || s < 0 || s >= TIME_TEXT_END / NSEC_PER_SEC) {
        return -EINVAL;
    }
    *ret = s * NSEC_PER_SEC + frac;
    return 0;
}

/* Whole seconds below the end of times. */
static bool take_seconds(const char **at, int64_t *ret_ns)
{
    int64_t s = 0, frac = 0;
    if (!is_digit(**at)) {
        return false;
    }
    for (; is_digit(**at); (*at)++) {
        s = s * 10 + (**at - '0');
        if (s >= TIME_TEXT_END / NSEC_PER_SEC) {
            return false;
        }
    }
    if (!take_fraction(at, &frac)) {
        return false;
    }
    *ret_ns = s * NSEC_PER_SEC + frac;
    return true;
}

int time_parse_seconds(const char *text, int64_t *ret)
{
    int64_t ns;
    if (!take_seconds(&text, &ns) || *text != '\0') {
        return -EINVAL;
    }
    *ret = ns;
    return 0;
}

/* "30s", "1.5h": from now on. */
static int parse_ahead(const char *text, int64_t now_ns, int64_t *ret)
{
    static const struct {
        const char *word;
        int64_t ns; /* a thousandth of it */
    } units[] = {
        {"ms", 1000},
        {"s", NSEC_PER_MSEC},
        {"min", 60 * NSEC_PER_MSEC},
        {"h", 3600 * NSEC_PER_MSEC},
        {"d", DAY_S * NSEC_PER_MSEC},
    };
    int64_t n; /* of units, times 10^9 */
    if (!take_seconds(&text, &n)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        int64_t ns, sum;
        if (strcmp(text, units[i].word) != 0) {
            continue;
        }
        n /= NSEC_PER_MSEC; /* thousandths of a unit are left */
        if (__builtin_mul_overflow(n, units[i].ns, &ns) ||
            __builtin_add_overflow(now_ns, ns, &sum) || sum < 0 || sum >= TIME_TEXT_END) {
            return -EINVAL;
        }
        *ret = sum;
        return 0;
    }
    return -EINVAL;
}

int time_parse(const char *text, int64_t now_ns, int64_t *ret)
{
    if (strcmp(text, "now") == 0) {
        *ret = now_ns;
        return 0;
    }
    if (text[0] == '+') {
        return parse_ahead(text + 1, now_ns, ret);
    }
    return time_parse_rfc3339(text, ret) == 0 ? 0 : time_parse_seconds(text, ret);
}
