/* SPDX-License-Identifier: Apache-2.0 */
#include "node/describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/link.h"
#include "sys/udp.h"

struct describe_entry {
    char name[UDP_ADDR_TEXT]; /* of a tap, or an address as udp_addr_text writes it */
    char text[DESCRIBE_TEXT + 1];
};

/* "192.0.2.7" of "192.0.2.7:1234", "2001:db8::1" of "[2001:db8::1]:1234". */
static void host_of(const char *address, char ret[UDP_ADDR_TEXT])
{
    const bool brackets = address[0] == '[';
    const char *from = address + (brackets ? 1 : 0);
    const char *end = brackets ? strchr(from, ']') : strrchr(from, ':');
    snprintf(ret, UDP_ADDR_TEXT, "%.*s", (int)(end ? end - from : (long)strlen(from)), from);
}

/* The one way to write an address; else the name as it is. */
static void canonical(const char *name, char ret[UDP_ADDR_TEXT])
{
    struct udp_addr a = {0};
    char text[UDP_ADDR_TEXT];
    snprintf(ret, UDP_ADDR_TEXT, "%s", name);
    if (udp_addr_parse(name, &a) == 0) {
        udp_addr_text(&a, text);
        host_of(text, ret);
    }
}

/* The place of the name, or where it would be. */
static size_t place(const struct describe_list *l, const char *name, bool *ret_there)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (strcmp(l->at[mid].name, name) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    *ret_there = lo < l->n && strcmp(l->at[lo].name, name) == 0;
    return lo;
}

static int make_room(struct describe_list *l)
{
    if (l->n < l->room) {
        return 0;
    }
    const size_t room = l->room ? 2 * l->room : 16;
    struct describe_entry *at = reallocarray(l->at, room, sizeof(*at));
    if (!at) {
        return -ENOMEM;
    }
    l->at = at;
    l->room = room;
    return 0;
}

/* Without the quotation marks around it. */
static const char *unquoted(const char *text, size_t *ret_len)
{
    size_t n = strlen(text);
    const bool quoted = n >= 2 && text[0] == '"' && text[n - 1] == '"';
    *ret_len = quoted ? n - 2 : n;
    return quoted ? text + 1 : text;
}

static int check(const char *name, size_t len, struct error *err)
{
    struct udp_addr a = {0};
    if (!link_name_ok(name, strlen(name)) && udp_addr_parse(name, &a) < 0) {
        return error_set(err, EINVAL,
                         "neither a tap's name (1 to %d of A-Z a-z 0-9 . _ -) nor an IP address",
                         LINK_NAME_MAX);
    }
    if (len == 0 || len > DESCRIBE_TEXT) {
        return error_set(err, EINVAL, "%s: a description has 1 to %d bytes", name, DESCRIBE_TEXT);
    }
    return 0;
}

int describe_add(struct describe_list *l, const char *name, const char *text, struct error *err)
{
    char key[UDP_ADDR_TEXT];
    size_t len = 0;
    bool there = false;
    text = unquoted(text, &len);
    int r = check(name, len, err);
    if (r < 0) {
        return r;
    }
    canonical(name, key);
    const size_t at = place(l, key, &there);
    if (there) {
        return error_set(err, EEXIST, "%s is described a second time", name);
    }
    if (l->n == DESCRIBE_MAX) {
        return error_set(err, ENOSPC, "at most %d taps can be described", DESCRIBE_MAX);
    }
    if (make_room(l) < 0) {
        return error_sys(err, ENOMEM, "%s", name);
    }
    memmove(&l->at[at + 1], &l->at[at], (l->n - at) * sizeof(l->at[0]));
    l->n++;
    snprintf(l->at[at].name, sizeof(l->at[at].name), "%s", key);
    snprintf(l->at[at].text, sizeof(l->at[at].text), "%.*s", (int)len, text);
    return 0;
}

const char *describe_find(const struct describe_list *l, const char *name, const char *address)
{
    char host[UDP_ADDR_TEXT];
    bool there = false;
    size_t at = place(l, name, &there);
    if (!there) {
        host_of(address, host);
        at = place(l, host, &there);
    }
    return there ? l->at[at].text : NULL;
}

void describe_done(struct describe_list *l)
{
    free(l->at);
    *l = (struct describe_list){0};
}
