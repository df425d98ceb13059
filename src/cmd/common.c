/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd/cmd.h"

static void say_words(const char *command, const char *fmt, va_list ap)
{
    char line[1024];
    vsnprintf(line, sizeof(line), fmt, ap);
    fprintf(stderr, "farspan%s%s: %s\n", command[0] ? " " : "", command, line);
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

bool help_option(int opt, const char *help)
{
    if (opt == 'h') {
        fputs(help, stdout);
    } else if (opt == 'V') {
        puts("farspan " FARSPAN_VERSION);
    }
    return opt == 'h' || opt == 'V';
}

int option_error(const char *command, char **argv, int opt)
{
    const char *word = argv[optind > 0 ? optind - 1 : 0];
    if (optopt > ' ' && optopt < 127 && strncmp(word, "--", 2) != 0) {
        return usage_error(
            command, opt == ':' ? "option -%c needs a value" : "there is no option -%c", optopt);
    }
    return usage_error(command, opt == ':' ? "option %s needs a value" : "there is no option %s",
                       word);
}

int option_once(struct option_seen *seen, const char *command, const struct option *options,
                int opt, const char *arg, const char *repeat)
{
    const char *name = NULL;
    if (!arg || opt < 0 || opt >= OPTION_VALUES || (opt < 128 && strchr(repeat, opt))) {
        return 0;
    }
    if (!seen->opt[opt]) {
        seen->opt[opt] = true;
        return 0;
    }
    for (const struct option *o = options; opt >= 128 && o->name; o++) {
        name = o->val == opt ? o->name : name;
    }
    return name ? usage_error(command, "--%s is given twice", name)
                : usage_error(command, "-%c is given twice", opt);
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
