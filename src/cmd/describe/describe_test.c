/* SPDX-License-Identifier: Apache-2.0
 *
 * Completions and a manual page of two commands made up here, whose options have all that an option
 * may have. What shells make of the real ones is tried where they are run.
 */
#include "cmd/test_golden.h"

#include <string.h>

#include "cmd/describe/describe.h"

static const struct conf_row rows[] = {
    {'i', "interface", "NAME", "an interface;\nor 'any' [of: all]", NULL, .flags = CONF_REPEAT,
     .offer = CONF_INTERFACE, .manual = "The interface.\nOr all."},
    {0, "far", "NAME", "more", NULL, .flags = CONF_REPEAT, .manual = "More."},
    {'w', "write", "FILE", "where to", NULL, .dflt = "x.pcapng", .offer = CONF_FILE,
     .manual = "The file."},
    {0, "direction", "WAY", "one of two", NULL, .words = "in|out", .flags = CONF_LIVE,
     .manual = "The way."},
    {'v', "verbose", NULL, "a switch \\ no value", NULL, .manual = "A switch."},
    {0, "csv", "FILE", "a value, perhaps", NULL, .flags = CONF_MAYBE, .manual = "Text."},
    {0, "netns", "NAME|PID", "a namespace", NULL, .offer = CONF_NETNS, .manual = "Where."},
    {0, "user", "NAME", "as whom", NULL, .offer = CONF_USER, .manual = "Who."},
    {'c', "collector", "HOST", "whither", NULL, .offer = CONF_HOST, .manual = "Whither."},
};

static const struct conf_row few[] = {
    {'n', "number", "N", "how many", conf_u32, .min = 1, .max = 9, .manual = "So many."},
};

static const struct conf_group group = {"All:", rows, sizeof(rows) / sizeof(rows[0])},
                               small = {NULL, few, 1};
static const struct conf_part parts[] = {{&group, 0}}, one_part[] = {{&small, 0}};
static const struct conf_table table = {.name = "look", .parts = parts, .n = 1},
                               other = {.name = "ask", .parts = one_part, .n = 1};
static const struct options look = {.table = &table, .rest = "filter"},
                            ask = {.table = &other, .words = CONF_STATUS};

static const struct command made_up[] = {{"look", "watch: 'this' [and] that", NULL, &look},
                                         {"ask", "ask it", NULL, &ask}};

static void written(void (*describe)(FILE *to), const char *file)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    describe(to);
    fclose(to);
    golden_equal(file, text);
    free(text);
}

static void bash(FILE *to)
{
    describe_bash(made_up, 2, to);
}

static void zsh(FILE *to)
{
    describe_zsh(made_up, 2, to);
}

static void manual(FILE *to)
{
    static char page[] = "LOOK(1)\n\n# OPTIONS\n\n@OPTIONS@\n# SEE ALSO\n\n@OPTIONS@ stays here\n";
    FILE *from = fmemopen(page, strlen(page), "r");
    describe_manual(&made_up[0], from, to);
    fclose(from);
}

static void manual_of_the_other(FILE *to)
{
    static char page[] = "@OPTIONS@\n";
    FILE *from = fmemopen(page, strlen(page), "r");
    describe_manual(&made_up[1], from, to);
    fclose(from);
}

static void all_that_is_described(void **state)
{
    (void)state;
    written(bash, "describe/bash.txt");
    written(zsh, "describe/zsh.txt");
    written(manual, "describe/manual.txt");
    written(manual_of_the_other, "describe/manual-ask.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
