/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files of any bytes: each value lies in the text and is clean, each line is told of
 * once at most and in order, and no setting of the command line comes from a file.
 */
#include <assert.h>
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
    {0, "secret", "WORD", "", conf_text, .flags = CONF_LINE},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static const struct conf_table one = {"one", &part, 1}, other = {"other", &part, 1};
static const struct conf_table *const tables[] = {&one, &other, NULL};

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
    assert(t == &one || t == &other);
    assert(!(conf_row_at(t, row, NULL)->flags & CONF_LINE));
    assert(value >= to->text && value + strlen(value) <= to->end && value[0] != '\0');
    assert(text_is_clean(value));
    if (conf_put(t, row, &place, "label", value, &err) < 0) {
        assert(err.text[0] != '\0');
    }
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
    conf_file_read(tables, text, size, &(struct conf_reader){on_setting, on_mistake, &t});
    free(text);
    return 0;
}
