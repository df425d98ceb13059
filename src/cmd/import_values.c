/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/import_values.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/parse.h"

bool import_is_interface(const char *name)
{
    const size_t n = strlen(name);
    return n > 0 && n < IFNAMSIZ && !strpbrk(name, "/:\\{}*?[] \t") && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

int import_collector(const char *host, uint16_t port, char *ret, size_t cap, struct error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ".:-_%[]";
    struct host_port parsed;
    const bool bare = host[0] != '[' && strchr(host, ':');
    if (host[strspn(host, allowed)]) {
        return error_set(err, EINVAL, "\"%s\" is no name or address of a host", host);
    }
    snprintf(ret, cap, bare ? "[%s]:%u" : "%s:%u", host, port);
    return parse_host_port(ret, &parsed, err);
}

/* The day that the text begins with, of which `n` bytes are in the list; 0: none. */
static unsigned day_of(const char *text, size_t n)
{
    while (n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        n--;
    }
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) {
        n--;
    }
    return n == 1 && *text >= '1' && *text <= '7' ? (unsigned)(*text - '0') : 0;
}

/* The days of a set, of which bit 0 is Monday. */
static void day_words(unsigned set, char ret[IMPORT_DAYS])
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    size_t at = 0;
    ret[0] = '\0';
    for (unsigned first = 0, last; first < 7; first = last + 1) {
        last = first;
        if (!(set >> first & 1)) {
            continue;
        }
        while (last < 6 && set >> (last + 1) & 1) {
            last++;
        }
        last = last - first >= 2 ? last : first;
        at +=
            (size_t)snprintf(ret + at, IMPORT_DAYS - at, "%s%s", at > 0 ? ", " : "", names[first]);
        if (last > first) {
            at += (size_t)snprintf(ret + at, IMPORT_DAYS - at, "-%s", names[last]);
        }
    }
}

int import_days(const char *text, char ret[IMPORT_DAYS], const char **ret_wrong)
{
    const unsigned all = 0x7f;
    unsigned set = 0;
    *ret_wrong = NULL;
    for (const char *end; text; text = *end ? end + 1 : NULL) {
        end = text + strcspn(text, ",");
        const unsigned day = day_of(text, (size_t)(end - text));
        if (day > 0) {
            set |= 1U << (day + 5) % 7; /* Sunday ends the week here */
        } else if (!*ret_wrong) {
            *ret_wrong = text;
        }
    }
    day_words(set == all ? 0 : set, ret);
    return set == 0 ? -EINVAL : 0;
}
