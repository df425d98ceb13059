/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan check`: tells every mistake of a configuration file, and prints what holds.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_file.h"
#include "base/text.h"
#include "cmd/check_print.h"
#include "cmd/cmd.h"
#include "cmd/collector_line.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "cmd/tap_line.h"
#include "sys/read_file.h"

static const char intro[] =
    "Usage: farspan check FILE [--print]\n"
    "\n"
    "Reads a configuration file, as taps and collectors do with --config, and tells each mistake "
    "with\n"
    "its line. Exits with 1 if there is any.\n";

struct check {
    const char *path;
    bool print;
    unsigned mistakes;
    struct tap_line tap;
    struct collector_line collector;
    struct check_settings settings;
};

static const struct conf_row rows[] = {
    {0, "print", NULL, "print all settings as they hold", CONF_FLAG_AT(struct check, print),
     .manual = "Print all settings of the sections that the file has, as they hold: those of\n"
               "the file, and the defaults of others, as a file that says the same."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static const struct conf_table table = {"check", &part, 1};
const struct options check_options = {&table, intro, 24, NULL, NULL, CONF_FILE};

static void tell(struct check *c, const char *where, const char *sentence)
{
    char clean[TEXT_ESCAPE * sizeof(((struct error *)NULL)->text)];
    text_line(clean, sizeof(clean), sentence);
    fprintf(stderr, "%s:%s %s\n", c->path, where, clean);
    c->mistakes++;
}

static void on_mistake(void *user, unsigned line, const char *sentence)
{
    char where[16];
    snprintf(where, sizeof(where), "%u:", line);
    tell(user, where, sentence);
}

static void *structure(struct check *c, const struct conf_table *t)
{
    return t == &tap_table ? (void *)&c->tap : (void *)&c->collector;
}

/* A filter is looked at as the tap will do: it has to compile. */
static int try_filter(const struct conf_table *t, const struct conf_row *row, const char *value,
                      struct error *err)
{
    struct filter_prog prog = {0};
    if (t != &tap_table || strcmp(row->name, "filter") != 0) {
        return 0;
    }
    int r = filter_compile(value, NULL, NETIF_ETHERNET, 0, &prog, err);
    filter_done(&prog);
    return r == -EINVAL ? r : 0; /* others say that this host cannot tell */
}

static void on_setting(void *user, const struct conf_table *t, size_t i, char *value, unsigned line)
{
    struct check *c = user;
    struct error err = {""};
    const struct conf_row *row = conf_row_at(t, i, NULL);
    int r = conf_put(t, i, structure(c, t), row->name, value, &err);
    r = r < 0 ? r : try_filter(t, row, value, &err);
    r = r < 0 ? r : check_settings_add(&c->settings, t, i, value, &err);
    if (r < 0) {
        on_mistake(c, line, err.text);
    }
}

static void check_section(struct check *c, const struct conf_table *t, conf_check *const *checks)
{
    char where[32];
    struct error err = {""};
    snprintf(where, sizeof(where), " [%s]:", t->name);
    for (; check_settings_has(&c->settings, t) && *checks; checks++) {
        if ((*checks)(structure(c, t), &err) < 0) {
            tell(c, where, err.text);
        }
    }
}

static int check(struct check *c)
{
    char *text = NULL;
    size_t len = 0;
    struct error err = {""};
    if (read_file(c->path, CONF_FILE_MAX, &text, &len, &err) < 0) {
        say("check", "%s", err.text);
        return EXIT_FAILURE;
    }
    conf_file_read(config_tables, text, len, &(struct conf_reader){on_setting, on_mistake, c});
    if (c->mistakes == 0 && c->settings.n == 0) {
        tell(c, "", "nothing is set in it");
    }
    check_section(c, &tap_table, tap_checks);
    check_section(c, &collector_table, collector_checks);
    if (c->print && c->mistakes == 0) {
        check_settings_print(&c->settings, stdout);
    }
    check_settings_done(&c->settings);
    free(text);
    return c->mistakes > 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_check(int argc, char **argv)
{
    struct check c = {0};
    int r = options_parse(&check_options, &c, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    c.path = optind < argc ? argv[optind++] : NULL;
    if (!c.path || optind < argc) {
        return c.path ? usage_error("check", "one file at a time: \"%s\" is too much", argv[optind])
                      : usage_error("check", "a file is needed: farspan check FILE");
    }
    return check(&c);
}
