/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files of any bytes: each value lies in the text and is clean, each line is told of
 * once at most and in order, and no setting of the command line comes from a file.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_file.h"
#include "base/text.h"

static const struct conf_row rows[] = {
    {0, "flag", NULL, "", conf_flag},
    {0, "text", "TEXT", "", conf_text, .flags = CONF_REPEAT},
    {'p', "port", "PORT", "", conf_u16, .min = 1, .max = 65535},
    {0, "time", "TIME", "", conf_ms, .min = 1, .max = 60000},
    {0, "size", "SIZE", "", conf_size, .min = 1 << 20, .max = 1 << 30, .flags = CONF_ZERO},
    {0, "rate", "RATE", "", conf_rate, .min = 64000, .max = 1000000000},
    {0, "secret", "WORD", "", conf_text, .flags = CONF_LINE},
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

struct told {
    const char *text, *end;
    unsigned line;
};

static void told(struct told *t, unsigned line)
{
    assert(line > t->line);
    t->line = line;
}

static void on_setting(void *user, const struct conf_table *t, size_t row, char *value,
                       unsigned line)
{
    struct told *to = user;
    union {
        bool flag;
        const char *text;
        uint64_t n;
    } place;
    struct error err = {""};
    told(to, line);
    assert(t == &one || t == &other || t == &named);
    assert(!(conf_row_at(t, row, NULL)->flags & CONF_LINE));
    assert(value >= to->text && value + strlen(value) <= to->end && value[0] != '\0');
    assert(text_is_clean(value));
    if (conf_put(t, row, &place, "label", value, &err) < 0) {
        assert(err.text[0] != '\0');
    }
}

static void on_section(void *user, const struct conf_table *t, char *name, unsigned line)
{
    struct told *to = user;
    told(user, line);
    assert(t->named && name > to->text && name + strlen(name) <= to->end && text_is_clean(name));
}

static void on_own(void *user, const struct conf_table *t, char *name, char *value, unsigned line)
{
    struct told *to = user;
    told(to, line);
    assert(t == &names && name[0] != '\0' && text_is_clean(name) && text_is_clean(value));
    assert(name >= to->text && name < value && value + strlen(value) <= to->end && value[0]);
}

static void on_mistake(void *user, unsigned line, const char *sentence)
{
    told(user, line);
    assert(sentence[0] != '\0' && text_is_clean(sentence));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct told t = {text, text + size, 0};
    if (size > 0) {
        memcpy(text, data, size);
    }
    conf_file_read(tables, text, size,
                   &(struct conf_reader){on_section, on_setting, on_mistake, &t, on_own});
    free(text);
    return 0;
}
