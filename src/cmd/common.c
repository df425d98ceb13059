/* SPDX-License-Identifier: Apache-2.0
 *
 * The sentences of all commands on standard error, and the names of this host and its system.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/text.h"
#include "cmd/cmd.h"

static void say_words(const char *command, const char *fmt, va_list ap)
{
    char line[1024], clean[2 * sizeof(line)];
    vsnprintf(line, sizeof(line), fmt, ap);
    text_line(clean, sizeof(clean), line); /* with names and texts that others chose */
    fprintf(stderr, "farspan%s%s: %s\n", command[0] ? " " : "", command, clean);
}

void say(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_words(command, fmt, ap);
    va_end(ap);
}

int usage_error(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_words(command, fmt, ap);
    va_end(ap);
    fprintf(stderr, "Try \"farspan%s%s --help\".\n", command[0] ? " " : "", command);
    return EXIT_USAGE;
}

int end_output(const char *command, int status)
{
    const bool flushed = fflush(stdout) == 0;
    if (flushed && !ferror(stdout)) {
        return status;
    }
    say(command, "cannot write to standard output%s%s", flushed ? "" : ": ",
        flushed ? "" : strerror(errno));
    return EXIT_FAILURE;
}

void host_name(char ret[LINK_NAME_MAX + 1])
{
    struct utsname u;
    size_t n = 0;
    const char *p = uname(&u) == 0 ? u.nodename : "host";
    for (; *p && *p != '.' && n < LINK_NAME_MAX; p++) {
        ret[n] = *p;
        n += link_name_ok(ret, n + 1) ? 1 : 0;
    }
    ret[n] = '\0';
    if (n == 0) {
        snprintf(ret, LINK_NAME_MAX + 1, "host");
    }
}

void system_words(char *ret, size_t cap)
{
    struct utsname u;
    if (uname(&u) == 0) {
        snprintf(ret, cap, "%s %s %s", u.sysname, u.release, u.machine);
    } else {
        snprintf(ret, cap, "Linux");
    }
}
