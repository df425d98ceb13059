/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan check`: tells every mistake of a configuration file, and prints what holds.
 */
#include <getopt.h>
#include <stdlib.h>

#include "base/conf_file.h"
#include "cmd/check_read.h"
#include "cmd/cmd.h"
#include "cmd/tables.h"
#include "sys/read_file.h"

static const char intro[] = "Usage: farspan check FILE [--print]\n"
                            "\n"
                            "Reads a configuration file, as taps, collectors and services do with "
                            "--config, and tells each\n"
                            "mistake with its line. Exits with 1 if there is any.\n";

struct check {
    struct check_read read;
    bool print;
};

static const struct conf_row rows[] = {
    {0, "print", NULL, "print all settings as they hold", CONF_FLAG_AT(struct check, print),
     .manual = "Print all settings of the sections that the file has, as they hold: those of\n"
               "the file, and the defaults of others, as a file that says the same."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static const struct conf_table table = {"check", &part, 1};
const struct options check_options = {&table, intro, 24, NULL, NULL, NULL, CONF_FILE};

static void check_section(struct check *c, const struct conf_table *t, conf_check *const *checks)
{
    char where[32];
    struct error err = {""};
    snprintf(where, sizeof(where), " [%s]:", t->name);
    for (; check_settings_has(&c->read.settings, t) && *checks; checks++) {
        if ((*checks)(check_structure(&c->read, t), &err) < 0) {
            check_tell(&c->read, where, err.text);
        }
    }
}

static int check(struct check *c)
{
    char *text = NULL;
    size_t len = 0;
    struct error err = {""};
    if (read_file(c->read.path, CONF_FILE_MAX, &text, &len, &err) < 0) {
        say("check", "%s", err.text);
        return EXIT_FAILURE;
    }
    check_read(&c->read, text, len);
    if (c->read.mistakes == 0 && c->read.settings.n == 0) {
        check_tell(&c->read, "", "nothing is set in it");
    }
    check_section(c, &tap_table, tap_checks);
    check_section(c, &collector_table, collector_checks);
    check_section(c, &collector_table, collector_start_checks);
    if (c->print && c->read.mistakes == 0) {
        check_settings_print(&c->read.settings, stdout);
    }
    check_settings_done(&c->read.settings);
    collector_line_done(&c->read.collector);
    serve_line_done(&c->read.serve);
    free(text);
    return end_output("check", c->read.mistakes > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int cmd_check(int argc, char **argv)
{
    struct check c = {0};
    int r = options_parse(&check_options, &c, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    c.read.path = optind < argc ? argv[optind++] : NULL;
    if (!c.read.path || optind < argc) {
        return c.read.path
                   ? usage_error("check", "one file at a time: \"%s\" is too much", argv[optind])
                   : usage_error("check", "a file is needed: farspan check FILE");
    }
    return check(&c);
}
