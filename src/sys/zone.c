/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define ZONES "/usr/share/zoneinfo"

enum {
    MAGIC = 4, /* "TZif" (RFC 8536, 3.1) */
};

/* Letters, digits and a few signs, in parts with a slash between them: no way out of the folder, as
 * zones have no dots. */
static bool name_ok(const char *name)
{
    static const char with[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t n = strlen(name);
    return n > 0 && n <= ZONE_NAME_MAX && strspn(name, with) == n && name[0] != '/' &&
           name[n - 1] != '/' && !strstr(name, "//");
}

static void path_of(const char *name, char ret[sizeof(ZONES) + ZONE_NAME_MAX + 1])
{
    snprintf(ret, sizeof(ZONES) + ZONE_NAME_MAX + 1, ZONES "/%s", name);
}

static bool is_zone(const char *path)
{
    char magic[MAGIC] = "";
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && read(fd, magic, MAGIC) == MAGIC && memcmp(magic, "TZif", MAGIC) == 0;
}

/* The zone that was loaded, whose file may be out of reach by now. */
static char loaded[ZONE_NAME_MAX + 1];

int zone_check(const char *name, const char *what, struct error *err)
{
    char clean[TEXT_ESCAPE * ZONE_NAME_MAX + 1], path[sizeof(ZONES) + ZONE_NAME_MAX + 1];
    text_name(clean, sizeof(clean), name, strnlen(name, ZONE_NAME_MAX));
    if (!name_ok(name)) {
        return error_set(err, EINVAL,
                         "%s: \"%s\" is no name of a time zone: one is like Europe/Berlin or UTC",
                         what, clean);
    }
    path_of(name, path);
    if (strcmp(clean, loaded) == 0 || is_zone(path)) {
        return 0;
    }
    return access(ZONES, F_OK) < 0
               ? error_set(err, ENOENT,
                           "%s: this host has no time zones in " ZONES ": the package tzdata has "
                           "them",
                           what)
               : error_set(err, ENOENT,
                           "%s: there is no time zone \"%s\" in " ZONES
                           ": a name is like Europe/Berlin or UTC",
                           what, clean);
}

/* The C library looks again at a zone whose name it was not given: then it is given one, so that
 * nothing is looked up behind the walls. */
int zone_load(const char *name, struct error *err)
{
    char tz[sizeof(ZONES) + ZONE_NAME_MAX + 2] = ":/etc/localtime";
    int r = name ? zone_check(name, "time zone", err) : 0;
    if (r < 0) {
        return r;
    }
    if (name) {
        tz[0] = ':';
        path_of(name, tz + 1);
    }
    if (setenv("TZ", tz, name != NULL) < 0) {
        return error_sys(err, errno, "cannot set the time zone");
    }
    tzset();
    snprintf(loaded, sizeof(loaded), "%s", name ? name : "");
    return 0;
}

/* False: a year that no int can hold. */
static bool local(struct wall t, struct tm *ret)
{
    const time_t at = (time_t)(t.ns / NSEC_PER_SEC - (t.ns % NSEC_PER_SEC < 0));
    return localtime_r(&at, ret) != NULL;
}

int64_t zone_offset_ns(struct wall t)
{
    struct tm tm;
    return local(t, &tm) ? tm.tm_gmtoff * NSEC_PER_SEC : 0;
}

struct zone_time zone_local(struct wall t)
{
    struct tm tm;
    if (!local(t, &tm)) {
        return (struct zone_time){0};
    }
    return (struct zone_time){(unsigned)tm.tm_wday,
                              (unsigned)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec)};
}
