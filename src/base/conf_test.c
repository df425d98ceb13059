/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of settings, the nearest names, and files: what is told of each line.
 */
#include "base/conf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct conf {
    bool flag;
    const char *text;
    uint16_t port;
    uint32_t number, ms;
    uint64_t size, rate;
};

static const struct conf_row rows[] = {
    {0, "flag", NULL, "", CONF_FLAG_AT(struct conf, flag)},
    {0, "text", "TEXT", "", CONF_TEXT_AT(struct conf, text), .flags = CONF_REPEAT},
    {'p', "port", "PORT", "", CONF_U16_AT(struct conf, port), .min = 1, .max = 65535},
    {0, "number", "N", "", CONF_U32_AT(struct conf, number), .max = 9, .dflt = "7"},
    {0, "time", "TIME", "", CONF_MS_AT(struct conf, ms), .min = 1, .max = 60000, .dflt = "2s"},
    {0, "size", "SIZE", "", CONF_SIZE_AT(struct conf, size), .min = 1 << 20, .max = 1 << 30,
     .flags = CONF_ZERO},
    {0, "rate", "RATE", "", CONF_RATE_AT(struct conf, rate), .min = 64000, .max = 2000000},
    {0, "secret", "WORD", "", CONF_TEXT_AT(struct conf, text), .flags = CONF_LINE},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static int no_own(void *to, const char *name, const char *value, struct error *err)
{
    (void)to;
    (void)name;
    (void)value;
    return error_set(err, EINVAL, "the reader does not call it");
}

static const struct conf_table one = {"one", &part, 1}, other = {"other", &part, 1},
                               named = {"named", &part, 1, .named = true},
                               names = {.name = "names", .own = no_own, .of = &one};
static const struct conf_table *const tables[] = {&one, &other, &named, &names, NULL};

static int put(struct conf *c, const char *name, char *text, struct error *err)
{
    return conf_put(&one, conf_find(&one, name), c, name, text, err);
}

static void values_are_set(void **state)
{
    (void)state;
    struct conf c = {.text = "before"};
    struct error err = {""};
    conf_defaults(&one, &c);
    assert_int_equal(c.number, 7);
    assert_int_equal(c.ms, 2000);
    assert_string_equal(c.text, "before");
    assert_int_equal(put(&c, "flag", NULL, &err), 0);
    assert_true(c.flag);
    static const struct {
        char word[8];
        bool is;
    } words[] = {{"no", false}, {"yes", true},    {"off", false},
                 {"on", true},  {"false", false}, {"true", true}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        char word[8];
        memcpy(word, words[i].word, sizeof(word));
        assert_int_equal(put(&c, "flag", word, &err), 0);
        assert_int_equal(c.flag, words[i].is);
    }
    char text[] = "a text", port[] = "65535", number[] = "0", ms[] = "50ms", size[] = "0",
         rate[] = "1.5mbit";
    assert_int_equal(put(&c, "text", text, &err), 0);
    assert_ptr_equal(c.text, text);
    assert_int_equal(put(&c, "port", port, &err), 0);
    assert_int_equal(c.port, 65535);
    assert_int_equal(put(&c, "number", number, &err), 0);
    assert_int_equal(c.number, 0);
    assert_int_equal(put(&c, "time", ms, &err), 0);
    assert_int_equal(c.ms, 50);
    c.size = 5;
    assert_int_equal(put(&c, "size", size, &err), 0);
    assert_int_equal(c.size, 0);
    assert_int_equal(put(&c, "rate", rate, &err), 0);
    assert_int_equal(c.rate, 1500000);
}

/* A value that is refused changes nothing. */
static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says;
    } wrong[] = {
        {"flag", "maybe", "flag is yes or no, not \"maybe\""},
        {"port", "0", "port: 0 is not between 1 and 65535"},
        {"port", "65536", "port: 65536 is not between 1 and 65535"},
        {"number", "ten", "number: \"ten\" is not a whole number"},
        {"number", "10", "number: 10 is not between 0 and 9"},
        {"time", "0ms", "time: 0ms is not between 1ms and 60000ms"},
        {"size", "5K", "size: 5K is not between 1M and 1G, nor 0"},
        {"rate", "0", "rate: 0 is not between 64kbit and 2mbit"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct conf c = {true, "", 1, 2, 3, 4}, before = c;
        struct error err = {""};
        char value[16];
        snprintf(value, sizeof(value), "%s", wrong[i].value);
        assert_true(put(&c, wrong[i].name, value, &err) < 0);
        assert_string_equal(err.text, wrong[i].says);
        assert_memory_equal(&c, &before, sizeof(c));
    }
}

static void limits_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } of[] = {
        {"flag", ""},
        {"port", "from 1 to 65535"},
        {"number", "from 0 to 9"},
        {"time", "from 1ms to 60s"},
        {"size", "from 1M to 1G, or 0"},
        {"rate", "from 64kbit to 2mbit"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
        char words[64];
        conf_limits(conf_row_at(&one, conf_find(&one, of[i].name), NULL), words, sizeof(words));
        assert_string_equal(words, of[i].words);
    }
    assert_null(conf_row_at(&one, ARRAY_SIZE(rows), NULL));
    assert_int_equal(conf_find(&one, "por"), CONF_ROWS);
}

static void nearest_names(void **state)
{
    (void)state;
    assert_string_equal(conf_nearest(&one, "prot", true), "port");
    assert_string_equal(conf_nearest(&one, "nmber", true), "number");
    assert_string_equal(conf_nearest(&one, "onmebr", true),
                        "number"); /* three away, which it may */
    assert_string_equal(conf_nearest(&one, "unbmre", true), "number"); /* three swaps */
    assert_null(conf_nearest(&one, "onmxbr", true));                   /* four */
    assert_string_equal(conf_nearest(&one, "numbers", true), "number");
    assert_string_equal(conf_nearest(&one, "sizes", true), "size");
    assert_string_equal(conf_nearest(&one, "secrt", false), "secret");
    assert_null(conf_nearest(&one, "secrt", true));
    assert_null(conf_nearest(&one, "nothing-like-it", true));
    assert_null(conf_nearest(&one, "a-word-that-is-longer-than-all-names-are", true));
    assert_null(conf_nearest_word("x", (const char *const[]){"one", "other", NULL}));
    assert_string_equal(conf_nearest_word("othr", (const char *const[]){"one", "other", NULL}),
                        "other");
    assert_string_equal(
        conf_nearest_word("portss", (const char *const[]){"ports", "sports", "import", NULL}),
        "ports"); /* the nearest, not the last that is near */
}

/* ---- files ---- */

static void note(FILE *to, unsigned line, const char *what, const char *text)
{
    fprintf(to, "%u %s%s\n", line, what, text);
}

static void on_setting(void *user, const struct conf_table *t, size_t row, char *value,
                       unsigned line)
{
    char what[64];
    snprintf(what, sizeof(what), "%s.%s=", t->name, conf_row_at(t, row, NULL)->name);
    note(user, line, what, value);
}

static void on_section(void *user, const struct conf_table *t, char *name, unsigned line)
{
    char what[64];
    snprintf(what, sizeof(what), "%s ", t->name);
    note(user, line, what, name);
}

static void on_own(void *user, const struct conf_table *t, char *name, char *value, unsigned line)
{
    char what[64];
    snprintf(what, sizeof(what), "%s:%s=", t->name, name);
    note(user, line, what, value);
}

static void on_mistake(void *user, unsigned line, const char *sentence)
{
    note(user, line, "! ", sentence);
}

/* Reads a file of that many bytes. */
static void assert_told_of(const char *file, size_t len, const char *want)
{
    char *told = NULL, *text = malloc(len + 1);
    size_t n = 0;
    FILE *to = open_memstream(&told, &n);
    memcpy(text, file, len);
    conf_file_read(tables, text, len,
                   &(struct conf_reader){on_section, on_setting, on_mistake, to, on_own});
    fclose(to);
    assert_string_equal(told, want);
    free(told);
    free(text);
}

static void assert_told(const char *file, const char *want)
{
    assert_told_of(file, strlen(file), want);
}

static void files_are_read(void **state)
{
    (void)state;
    assert_told("", "");
    assert_told("# nothing\n\n  ; nothing\n\t#\twith tabs\n", "");
    assert_told("[one]\nport = 1\n text=a = b # c \n\ttext =\t\"d\"\t\n[other]\nport=2",
                "2 one.port=1\n3 one.text=a = b # c\n4 one.text=\"d\"\n6 other.port=2\n");
    assert_told("\xef\xbb\xbf[one]\r\nport = 1\r\n\r\n[ other ]\r\nflag = no\r\n[one]\nflag = yes",
                "2 one.port=1\n5 other.flag=no\n7 one.flag=yes\n");
    assert_told("[one]\ntext = \xc3\xa9", "2 one.text=\xc3\xa9\n");
    assert_told("[names]\nport = x\n2001:db8::1 =\ta = \"b\"\nport = y\n[one]\nport = 1",
                "2 names:port=x\n3 names:2001:db8::1=a = \"b\"\n4 names:port=y\n6 one.port=1\n");
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *file, *want;
    } wrong[] = {
        {"port = 1", "1 ! \"port\" stands in no section: [one] has to stand above it\n"},
        {"[othr]\nport = 1\n[one]\nport = 2",
         "1 ! there is no section [othr]: did you mean [other]?\n4 one.port=2\n"},
        {"[something]", "1 ! there is no section [something]\n"},
        {"[named a]\nport = 1\n[one]\nport = 2\n[named\tb c ]\nport = 3",
         "1 named a\n2 named.port=1\n4 one.port=2\n5 named b c\n6 named.port=3\n"},
        {"[named a]\nport = 1\nport = 2\n",
         "1 named a\n2 named.port=1\n3 ! \"port\" is set a second time, first in line 2\n"},
        {"[named]\nport = 1", "1 ! the section [named] needs a name, as in [named NAME]\n"},
        {"[one x]\nport = 1", "1 ! the section [one] has no name\n"},
        {"[named \x01]\nport = 1",
         "1 ! the name of [named] has control characters, or is not UTF-8\n"},
        {"[one", "1 ! a section ends with ']', as in [one]\n"},
        {"[", "1 ! a section ends with ']', as in [one]\n"},
        {"[one]\nprot = 1", "2 ! there is no setting \"prot\" in [one]: did you mean \"port\"?\n"},
        {"[one]\nabcdef = 1", "2 ! there is no setting \"abcdef\" in [one]\n"},
        {"[one]\n = 1", "2 ! there is no setting \"\" in [one]\n"},
        {"[one]\nport", "2 ! \"port\" is no setting: a line is \"name = value\"\n"},
        {"[one]\nport =", "2 ! \"port\" has no value: \"port = PORT\"\n"},
        {"[one]\nflag = \t", "2 ! \"flag\" has no value: \"flag = yes\"\n"},
        {"[one]\nport = 1\nport = 1",
         "2 one.port=1\n3 ! \"port\" is set a second time, first in line 2\n"},
        {"[one]\nsecret = x", "2 ! \"secret\" is for the command line only\n"},
        {"[one]\ntext = a\033b",
         "2 ! the value of \"text\" has control characters, or is not UTF-8\n"},
        {"[one]\ntext = \xff",
         "2 ! the value of \"text\" has control characters, or is not UTF-8\n"},
        {"[names]\nweb1 =", "2 ! \"web1\" has no value: \"web1 = TEXT\"\n"},
        {"[names]\n= x", "2 ! \"\" is no name\n"},
        {"[names]\na\033 = x", "2 ! \"a\\x1b\" is no name\n"},
        {"[names]\na = \xff", "2 ! the value of \"a\" has control characters, or is not UTF-8\n"},
        {"[names]\na", "2 ! \"a\" is no setting: a line is \"name = value\"\n"},
        {"[one]\nabcdefghijklmnopqrstuvwxyzabcdefghijklmn = 1",
         "2 ! there is no setting \"abcdefghijklmnopqrstuvwxyzabcdef...\" in [one]\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_told(wrong[i].file, wrong[i].want);
    }
    static const char zero[] = "[one]\nte\0xt = 1\nport = 2";
    assert_told_of(zero, sizeof(zero) - 1,
                   "2 ! the line has a zero byte: this is no text file\n3 one.port=2\n");
}

static void long_lines_are_refused(void **state)
{
    (void)state;
    static char file[CONF_LINE_MAX + 64];
    int n = snprintf(file, sizeof(file), "[one]\ntext = ");
    memset(file + n, 'x', CONF_LINE_MAX - strlen("text = ") + 1);
    snprintf(file + n + CONF_LINE_MAX - strlen("text = ") + 1, 16, "\nport = 1");
    assert_told(file, "2 ! the line is longer than 4096 bytes\n3 one.port=1\n");
    memmove(file + n, file + n + 1, strlen(file + n)); /* as long as it may be */
    char *told = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&told, &len);
    conf_file_read(tables, file, strlen(file),
                   &(struct conf_reader){on_section, on_setting, on_mistake, to, on_own});
    fclose(to);
    assert_int_equal(len,
                     strlen("2 one.text=\n3 one.port=1\n") + CONF_LINE_MAX - strlen("text = "));
    free(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_set),         cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(limits_in_words),        cmocka_unit_test(nearest_names),
        cmocka_unit_test(files_are_read),         cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(long_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
