/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of options that the test makes up: how they are listed, carried out and refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"

/* The options of a command that is none. */
struct conf {
    const char *file, *from;
    bool list, quick;
    unsigned n_words;
    uint32_t number;
    char words[64];
};

static int add_word(void *to, const struct conf_given *given, struct error *err)
{
    struct conf *c = to;
    size_t used = strlen(c->words);
    snprintf(c->words + used, sizeof(c->words) - used, "%s=%s ", given->label, given->text);
    c->n_words++;
    return strcmp(given->text, "bad") == 0 ? error_set(err, 22, "no such word") : 0;
}

static int check_from(void *to, const struct conf_given *given, struct error *err)
{
    *(const char **)to = given->text;
    return strcmp(given->text, "here") == 0
               ? 0
               : error_set(err, 22, "%s is not %s", given->label, given->text);
}

static const struct conf_row one[] = {
    {'w', "word", "WORD", "a word", add_word, .flags = CONF_REPEAT},
    {'f', "file", "FILE", "first line\nsecond line", CONF_TEXT_AT(struct conf, file)},
};
static const struct conf_row another[] = {
    {0, "from", "PLACE", "from there", check_from, CONF_AT(struct conf, from, const char *)},
    {'l', "list", NULL, "list", CONF_FLAG_AT(struct conf, list)},
    {0, "longer-than-all-of-them", NULL, "on its own line", CONF_FLAG_AT(struct conf, quick)},
    {0, "as-long-as-one", NULL, "too", CONF_FLAG_AT(struct conf, quick)},
};
static const struct conf_row more[] = {
    {0, "number", "N", "a number", CONF_U32_AT(struct conf, number), .max = 9, .dflt = "7"},
};
static const struct conf_group groups[] = {{"One way:", one, ARRAY_SIZE(one)},
                                           {"Another way:", another, ARRAY_SIZE(another)},
                                           {NULL, more, ARRAY_SIZE(more)}};
static const struct conf_part parts[] = {{&groups[0], 0}, {&groups[1], 0}, {&groups[2], 0}};
static const struct conf_table all = {"try", parts, 3}, only_more = {"try", &parts[2], 1};
static const struct options table = {&all, "Usage: try\n", 22, NULL, NULL, NULL, CONF_NOTHING};
static const struct options first = {&all, "Usage: try\n", 22, "file", NULL, NULL, CONF_NOTHING};
static const struct options plain = {&only_more, "Usage: try\n", 22,          NULL,
                                     NULL,       NULL,           CONF_NOTHING};

static void assert_help(const struct options *t, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    options_help(t, to);
    fclose(to);
    assert_string_equal(text, want);
    free(text);
}

static void help_has_columns(void **state)
{
    (void)state;
    assert_help(&table, "Usage: try\n"
                        "\n"
                        "One way:\n"
                        "  -w, --word WORD     a word\n"
                        "  -f, --file FILE     first line\n"
                        "                      second line\n"
                        "\n"
                        "Another way:\n"
                        "      --from PLACE    from there\n"
                        "  -l, --list          list\n"
                        "      --longer-than-all-of-them\n"
                        "                      on its own line\n"
                        "      --as-long-as-one\n"
                        "                      too\n"
                        "      --number N      a number (default 7)\n"
                        "  -h, --help          print this help\n"
                        "  -V, --version       print the version\n");
    assert_help(&plain, "Usage: try\n"
                        "\n"
                        "      --number N      a number (default 7)\n"
                        "  -h, --help          print this help\n"
                        "  -V, --version       print the version\n");
}

/* A command line and what came of it. */
struct run {
    struct conf conf;
    char line[128];  /* the words, which `conf` points into */
    char said[256];  /* on standard output and standard error */
    int argc, first; /* the first word that is no option */
};

static int parse(const struct options *t, const char *line, struct run *ret)
{
    FILE *const out = stdout, *const error = stderr;
    char name[] = "try", *argv[16] = {name}, *rest = ret->line, *text = NULL;
    size_t len = 0;
    *ret = (struct run){.argc = 1};
    snprintf(ret->line, sizeof(ret->line), "%s", line);
    for (char *word; (word = strsep(&rest, " "));) {
        argv[ret->argc++] = word;
    }
    stdout = stderr = open_memstream(&text, &len);
    optind = 0; /* glibc's way to begin again */
    int r = options_parse(t, &ret->conf, ret->argc, argv, NULL);
    ret->first = optind;
    fclose(stderr);
    stdout = out;
    stderr = error;
    snprintf(ret->said, sizeof(ret->said), "%s", text);
    free(text);
    return r;
}

static void rows_are_carried_out(void **state)
{
    (void)state;
    struct run r = {0};
    assert_int_equal(parse(&table, "-w a -lw b --file x --from=here --longer -l rest", &r), 0);
    assert_string_equal(r.said, "");
    assert_string_equal(r.conf.words, "-w=a -w=b ");
    assert_string_equal(r.conf.file, "x");
    assert_string_equal(r.conf.from, "here");
    assert_true(r.conf.list && r.conf.quick);
    assert_int_equal(r.conf.number, 7);
    assert_int_equal(r.first, r.argc - 1);
    assert_int_equal(parse(&table, "-f -l", &r), 0);
    assert_string_equal(r.conf.file, "-l");
    assert_false(r.conf.list || r.conf.quick);
}

/* Words that are no options end them, or stand anywhere. */
static void words_between(void **state)
{
    (void)state;
    struct run r = {0};
    assert_int_equal(parse(&first, "-w a word -l", &r), 0);
    assert_false(r.conf.list);
    assert_int_equal(r.first, r.argc - 2);
    assert_int_equal(parse(&table, "-w a word -l", &r), 0);
    assert_true(r.conf.list);
    assert_int_equal(r.first, r.argc - 1);
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } wrong[] = {
        {"-x", "there is no option -x"},
        {"-lxl", "there is no option -x"},
        {"-lw", "option -w needs a value"},
        {"--nothing", "there is no option --nothing"},
        {"--list=1", "there is no option --list=1"},
        {"--l", "there is no option --l"},
        {"-l -w", "option -w needs a value"},
        {"--from", "option --from needs a value"},
        {"-f a --file b", "-f is given twice"},
        {"--from here -l --from here", "--from is given twice"},
        {"--from there", "--from is not there"},
        {"-w bad -x", "no such word"},
        {"--number 10", "--number: 10 is not between 0 and 9"},
        {"--number 1 -l --number 1", "--number is given twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct run r = {0};
        char want[256];
        snprintf(want, sizeof(want), "farspan try: %s\nTry \"farspan try --help\".\n",
                 wrong[i].says);
        assert_int_equal(parse(&table, wrong[i].line, &r), -1 - EXIT_USAGE);
        assert_string_equal(r.said, want);
    }
}

/* -h and -V end the line where they stand. */
static void help_and_version(void **state)
{
    (void)state;
    struct run r = {0};
    assert_int_equal(parse(&table, "-l --version -x", &r), -1 - EXIT_SUCCESS);
    assert_string_equal(r.said, "farspan " FARSPAN_VERSION "\n");
    assert_int_equal(parse(&plain, "-h", &r), -1 - EXIT_SUCCESS);
    assert_non_null(strstr(r.said, "      --number N      a number (default 7)\n"));
    assert_int_equal(parse(&table, "-x --help", &r), -1 - EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_has_columns), cmocka_unit_test(rows_are_carried_out),
        cmocka_unit_test(words_between),    cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(help_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
