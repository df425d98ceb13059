/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The digits at *p up to a character that is none; -ERANGE past `max`, -EINVAL without a digit. */
static int take_number(const char **p, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    const char *s = *p;
    if (*s < '0' || *s > '9') {
        return -EINVAL;
    }
    for (; *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return -ERANGE;
        }
        v = v * 10 + digit;
    }
    *p = s;
    *ret = v;
    return v > max ? -ERANGE : 0;
}

int parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
              struct error *err)
{
    uint64_t v = 0;
    const char *p = text;
    int r = take_number(&p, max, &v);
    if (r == -EINVAL || *p) {
        return error_set(err, EINVAL, "%s: \"%s\" is not a whole number", what, text);
    }
    if (r < 0 || v < min) {
        return error_set(err, ERANGE, "%s: %s is not between %" PRIu64 " and %" PRIu64, what, text,
                         min, max);
    }
    *ret = v;
    return 0;
}

void parse_size_words(uint64_t v, char ret[24])
{
    static const char *const unit[] = {"", "K", "M", "G"};
    unsigned i = 0;
    for (; i < 3 && v > 0 && v % 1024 == 0; i++) {
        v /= 1024;
    }
    snprintf(ret, 24, "%" PRIu64 "%s", v, unit[i]);
}

int parse_size(const char *text, const char *what, bool zero, uint64_t min, uint64_t max,
               uint64_t *ret, struct error *err)
{
    static const char units[] = "KMG";
    uint64_t v = 0, unit = 1;
    const char *p = text;
    int r = take_number(&p, UINT64_MAX, &v);
    const char *u = *p ? strchr(units, *p) : NULL;
    if (u) {
        unit = UINT64_C(1) << (10 * (u - units + 1));
        p++;
    }
    if (r == -EINVAL || (r == 0 && *p)) {
        return error_set(err, EINVAL, "%s: \"%s\" is not a size such as 512K, 64M or 2G", what,
                         text);
    }
    if (r < 0 || v > max / unit || (v * unit < min && !(zero && v == 0))) {
        char from[24], to[24];
        parse_size_words(min, from);
        parse_size_words(max, to);
        return error_set(err, ERANGE, "%s: %s is not between %s and %s%s", what, text, from, to,
                         zero ? ", nor 0" : "");
    }
    *ret = v * unit;
    return 0;
}

const char *words_at(const char *words, unsigned place, size_t *ret_len)
{
    const char *at = words;
    for (; at && place > 0; place--) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
    }
    if (at) {
        *ret_len = strcspn(at, "|");
    }
    return at;
}

int words_find(const char *words, const char *text)
{
    const char *at;
    size_t len = 0, n = strlen(text);
    for (unsigned i = 0; (at = words_at(words, i, &len)); i++) {
        if (n == len && memcmp(at, text, n) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

/* "in, out or both". */
static void list_words(const char *words, char *ret, size_t cap)
{
    const char *at;
    size_t len = 0, n = 0;
    ret[0] = '\0';
    for (unsigned i = 0; n < cap && (at = words_at(words, i, &len)); i++) {
        const char *between = i == 0 ? "" : at[len] == '\0' ? " or " : ", ";
        n += (size_t)snprintf(ret + n, cap - n, "%s%.*s", between, (int)len, at);
    }
}

int parse_word(const char *text, const char *what, const char *words, struct error *err)
{
    char all[128];
    const int at = words_find(words, text);
    if (at >= 0) {
        return at;
    }
    list_words(words, all, sizeof(all));
    return error_set(err, EINVAL, "%s is %s, not \"%s\"", what, all, text);
}

int parse_ms(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
             struct error *err)
{
    uint64_t v = 0;
    const char *p = text;
    int r = take_number(&p, UINT32_MAX, &v);
    bool seconds = strcmp(p, "s") == 0, none = strcmp(text, "0") == 0;
    if (r == -EINVAL || (!seconds && !none && strcmp(p, "ms") != 0)) {
        return error_set(err, EINVAL, "%s: \"%s\" is not a time such as 50ms or 2s", what, text);
    }
    v *= seconds ? 1000 : 1;
    if (r < 0 || v < min || v > max) {
        return error_set(err, ERANGE, "%s: %s is not between %" PRIu32 "ms and %" PRIu32 "ms", what,
                         text, min, max);
    }
    *ret = (uint32_t)v;
    return 0;
}

static const struct {
    const char *word;
    uint64_t bits;
} rate_units[] = {{"", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}};

void parse_rate_words(uint64_t v, char ret[32])
{
    unsigned i = 0;
    for (; i + 1 < ARRAY_SIZE(rate_units) && v > 0 && v % rate_units[i + 1].bits == 0; i++) {
    }
    snprintf(ret, 32, "%" PRIu64 "%s", v / rate_units[i].bits, rate_units[i].word);
}

/* The digits behind a decimal point, in billionths; those that are too many count as 0. */
static int take_fraction(const char **p, uint64_t *ret)
{
    uint64_t v = 0, digit = 100000000;
    const char *s = *p;
    if (*s < '0' || *s > '9') {
        return -EINVAL;
    }
    for (; *s >= '0' && *s <= '9'; s++, digit /= 10) {
        v += digit * (uint64_t)(*s - '0');
    }
    *p = s;
    *ret = v;
    return 0;
}

int parse_rate(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
               struct error *err)
{
    uint64_t whole = 0, part = 0, unit = 0;
    const char *p = text;
    int r = take_number(&p, UINT64_MAX, &whole);
    bool has_part = r == 0 && *p == '.';
    if (has_part) {
        p++;
        r = take_fraction(&p, &part);
    }
    for (size_t i = 0; r != -EINVAL && i < ARRAY_SIZE(rate_units); i++) {
        unit = strcmp(p, rate_units[i].word) == 0 ? rate_units[i].bits : unit;
    }
    bool known = r == -ERANGE || (unit > 0 && !(has_part && unit == 1));
    if (r == -EINVAL || !known) {
        return error_set(err, EINVAL,
                         "%s: \"%s\" is not a rate in bits a second such as 500kbit, 4.8mbit or "
                         "64000",
                         what, text);
    }
    bool fits = r == 0 && whole <= max / unit;
    uint64_t v = fits ? whole * unit + part * unit / 1000000000 : 0;
    if (!fits || v < min || v > max) {
        char from[32], to[32];
        parse_rate_words(min, from);
        parse_rate_words(max, to);
        return error_set(err, ERANGE, "%s: %s is not between %s and %s", what, text, from, to);
    }
    *ret = v;
    return 0;
}

/* Where the host is, and the port's colon, or the end of the text where there is none. False: the
 * text is neither. */
static bool find_host(const char *text, const char **ret_host, size_t *ret_len,
                      const char **ret_port)
{
    const char *end = text + strcspn(text, ":"), *port = end;
    *ret_host = text;
    if (*text == '[') {
        *ret_host = text + 1;
        end = *ret_host + strcspn(*ret_host, "]");
        port = *end ? end + 1 : end;
    }
    *ret_len = (size_t)(end - *ret_host);
    *ret_port = port;
    return *ret_len > 0 && *ret_len < sizeof(((struct host_port *)NULL)->host) &&
           (*text != '[' || *end == ']') &&
           (*port == '\0' || (*port == ':' && !strchr(port + 1, ':')));
}

int parse_host_port_or(const char *text, uint16_t port, struct host_port *ret, struct error *err)
{
    const char *host = NULL, *colon = NULL;
    size_t len = 0;
    uint64_t number = port;
    if (!find_host(text, &host, &len, &colon) || (port == 0 && *colon == '\0')) {
        return error_set(err, EINVAL,
                         "\"%s\" is not HOST%s (an IPv6 address stands in []: [::1]:1234)", text,
                         port ? "[:PORT]" : ":PORT");
    }
    const int r = *colon ? parse_u64(colon + 1, "port", 1, UINT16_MAX, &number, err) : 0;
    if (r < 0) {
        return r;
    }
    memcpy(ret->host, host, len);
    ret->host[len] = '\0';
    ret->port = (uint16_t)number;
    return 0;
}

int parse_host_port(const char *text, struct host_port *ret, struct error *err)
{
    return parse_host_port_or(text, 0, ret, err);
}

/* Ids up to `most`; `rises`: each id is above all those before it. */
static int parse_vlans(const char *text, unsigned most, bool rises, struct vlan_set *ret,
                       struct error *err)
{
    struct vlan_set set = {0};
    const char *p = text;
    uint64_t first = 0, last = 0;
    for (bool begins = true;; begins = false) {
        const uint64_t before = last;
        int r = take_number(&p, most, &first);
        last = first;
        if (r == 0 && *p == '-') {
            p++;
            r = take_number(&p, most, &last);
        }
        if (r == -ERANGE) {
            return error_set(err, EINVAL, "VLAN list \"%s\": a VLAN id is between 0 and %u", text,
                             most);
        }
        if (r < 0 || (*p && *p != ',')) {
            return error_set(err, EINVAL, "VLAN list \"%s\" is not of the form 100,200-210", text);
        }
        if (last < first) {
            return error_set(err, EINVAL,
                             "VLAN list \"%s\": the range %" PRIu64 "-%" PRIu64 " is empty", text,
                             first, last);
        }
        if (rises && !begins && first <= before) {
            return error_set(err, EINVAL,
                             "VLAN list \"%s\": %" PRIu64 " does not rise above %" PRIu64, text,
                             first, before);
        }
        for (uint64_t id = first; id <= last; id++) {
            set.bits[id / 64] |= UINT64_C(1) << (id % 64);
        }
        if (!*p) {
            break;
        }
        p++;
    }
    *ret = set;
    return 0;
}

int parse_vlan_list(const char *text, struct vlan_set *ret, struct error *err)
{
    return parse_vlans(text, VLAN_IDS - 2, false, ret, err);
}

int parse_vlan_filter(const char *text, struct vlan_set *ret, struct error *err)
{
    return parse_vlans(text, VLAN_IDS - 1, true, ret, err);
}
