/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: asks tshark, which shares no code with us, what it sees in a file that we wrote.
 */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Says why when it is not there; the test is then skipped. */
static inline bool judge_missing(void)
{
    bool missing = access("/usr/bin/tshark", X_OK) < 0;
    if (missing) {
        printf("tshark is not installed: its judgement is skipped\n");
    }
    return missing;
}

/* One line a frame, fields separated by '|'. `fields` is "-e a -e b …". Close with pclose(). */
static inline FILE *judge_open(const char *path, const char *fields)
{
    char cmd[1024];
    snprintf(cmd, sizeof(cmd),
             "exec /usr/bin/tshark -n -r '%s' -T fields -E separator='|' -E occurrence=f %s "
             "2>/dev/null",
             path, fields);
    return popen(cmd, "re");
}

/* A new file in /tmp with these bytes; unlink it. */
static inline void judge_file(char path[32], const void *data, size_t len)
{
    snprintf(path, 32, "/tmp/farspan-judge.XXXXXX");
    _cleanup_(closep) int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
        abort();
    }
}
