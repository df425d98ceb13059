/* SPDX-License-Identifier: Apache-2.0 */
#include "control/aside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "model/time_text.h"

/* The database last: until it has gone, all of it is tried once more. */
static int rename_all(const char *folder, const char *file, const char *name, struct error *err)
{
    static const char *const ends[] = {"-wal", "-journal", ""};
    char from[PATH_MAX], to[PATH_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        snprintf(from, sizeof(from), "%s/%s%s", folder, file, ends[i]);
        snprintf(to, sizeof(to), "%s/%s%s", folder, name, ends[i]);
        if (rename(from, to) < 0 && errno != ENOENT) {
            return error_sys(err, errno, "cannot set the damaged %s aside", from);
        }
    }
    return 0;
}

int aside_put(const char *folder, const char *file, int64_t now_ns, char ret_name[ASIDE_NAME],
              struct error *err)
{
    char time[TIME_TEXT], name[ASIDE_NAME], path[PATH_MAX];
    time_text(now_ns, time);
    for (unsigned n = 1; n <= ASIDE_TRIES; n++) {
        int len = snprintf(name, sizeof(name), "%s.damaged-%s", file, time);
        if (n > 1) {
            snprintf(name + len, sizeof(name) - (size_t)len, ".%u", n);
        }
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (access(path, F_OK) == 0) {
            continue;
        }
        int r = rename_all(folder, file, name, err);
        if (r == 0) {
            snprintf(ret_name, ASIDE_NAME, "%s", name);
        }
        return r;
    }
    return error_set(err, EEXIST, "too many damaged databases of one moment in %s", folder);
}
