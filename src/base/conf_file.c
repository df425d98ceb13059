/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf_file.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

enum {
    SECTIONS = 16,
};

struct reading {
    const struct conf_table *const *tables;
    size_t n; /* of the tables that are looked at, SECTIONS at most */
    const struct conf_reader *reader;
    const struct conf_table *section; /* NULL: none yet, or one that there is not */
    size_t at;                        /* its number */
    bool begun;                       /* a section line was there */
    unsigned line;
    uint16_t set_at[SECTIONS][CONF_ROWS]; /* the line of each setting; 0: none yet */
};

static void _printf_(2, 3) mistake(const struct reading *r, const char *fmt, ...)
{
    struct error err = {""};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.text, sizeof(err.text), fmt, ap);
    va_end(ap);
    r->reader->mistake(r->reader->user, r->line, err.text);
}

/* A word of the file for a sentence: names are short, and what is longer is cut. */
struct quoted {
    char text[4 * CONF_WORD + 8];
};

static struct quoted quoted(const char *word)
{
    struct quoted q;
    char name[4 * CONF_WORD + 1];
    const size_t n = strlen(word);
    text_name(name, sizeof(name), word, MIN(n, (size_t)CONF_WORD));
    snprintf(q.text, sizeof(q.text), "%s%s", name, n > CONF_WORD ? "..." : "");
    return q;
}

static char *trimmed(char *s, char *end)
{
    while (s < end && (*s == ' ' || *s == '\t')) {
        s++;
    }
    while (end > s && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *end = '\0';
    return s;
}

static void begin_section(struct reading *r, size_t i, char *name)
{
    const struct conf_table *t = r->tables[i];
    if (t->named != (name[0] != '\0')) {
        mistake(r,
                t->named ? "the section [%s] needs a name, as in [%s NAME]"
                         : "the section [%s] has no name",
                t->name, t->name);
        return;
    }
    if (t->named && !text_is_clean(name)) {
        mistake(r, "the name of [%s] has control characters, or is not UTF-8", t->name);
        return;
    }
    r->section = t;
    r->at = i;
    if (t->named) {
        memset(r->set_at[i], 0, sizeof(r->set_at[i]));
        r->reader->section(r->reader->user, t, name, r->line);
    }
}

static void take_section(struct reading *r, char *line, char *end)
{
    const char *names[SECTIONS + 1] = {NULL};
    r->begun = true;
    r->section = NULL;
    if (end[-1] != ']') {
        mistake(r, "a section ends with ']', as in [%s]", r->tables[0]->name);
        return;
    }
    char *word = trimmed(line + 1, end - 1), *name = word + strcspn(word, " \t");
    if (*name) {
        *name++ = '\0';
        name = trimmed(name, name + strlen(name));
    }
    for (size_t i = 0; i < r->n; i++) {
        names[i] = r->tables[i]->name;
        if (strcmp(word, names[i]) == 0) {
            begin_section(r, i, name);
            return;
        }
    }
    const char *nearest = conf_nearest_word(word, names);
    mistake(r, "there is no section [%s]%s%s%s", quoted(word).text,
            nearest ? ": did you mean [" : "", nearest ? nearest : "", nearest ? "]?" : "");
}

static void unknown(const struct reading *r, const char *name)
{
    const char *nearest = conf_nearest(r->section, name, true);
    mistake(r, "there is no setting \"%s\" in [%s]%s%s%s", quoted(name).text, r->section->name,
            nearest ? ": did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* Has the name a value that can be one? */
static bool value_ok(const struct reading *r, const char *name, const char *value, const char *arg)
{
    if (value[0] == '\0') {
        mistake(r, "\"%s\" has no value: \"%s = %s\"", quoted(name).text, quoted(name).text, arg);
    } else if (!text_is_clean(value)) {
        mistake(r, "the value of \"%s\" has control characters, or is not UTF-8",
                quoted(name).text);
    } else {
        return true;
    }
    return false;
}

/* A line of a section with a handler. */
static void take_own(struct reading *r, char *name, char *value)
{
    if (name[0] == '\0' || !text_is_clean(name)) {
        mistake(r, "\"%s\" is no name", quoted(name).text);
    } else if (value_ok(r, name, value, "TEXT")) {
        r->reader->own(r->reader->user, r->section, name, value, r->line);
    }
}

/* A setting that is a row of its section's table. */
static void take_row(struct reading *r, char *name, char *value)
{
    size_t i = conf_find(r->section, name);
    const struct conf_row *row = i < CONF_ROWS ? conf_row_at(r->section, i, NULL) : NULL;
    if (!row) {
        unknown(r, name);
    } else if (row->flags & CONF_LINE) {
        mistake(r, "\"%s\" is for the command line only", name);
    } else if (!value_ok(r, name, value, row->arg ? row->arg : "yes")) {
        return;
    } else if (r->set_at[r->at][i] != 0 && !(row->flags & CONF_REPEAT)) {
        mistake(r, "\"%s\" is set a second time, first in line %u", name, r->set_at[r->at][i]);
    } else {
        r->set_at[r->at][i] = (uint16_t)MIN(r->line, (unsigned)UINT16_MAX);
        r->reader->setting(r->reader->user, r->section, i, value, r->line);
    }
}

static void take_setting(struct reading *r, char *line, char *end)
{
    char *equals = memchr(line, '=', (size_t)(end - line));
    if (!equals) {
        mistake(r, "\"%s\" is no setting: a line is \"name = value\"", quoted(line).text);
        return;
    }
    char *name = trimmed(line, equals), *value = trimmed(equals + 1, end);
    if (r->section) {
        (r->section->own ? take_own : take_row)(r, name, value);
    } else if (!r->begun) { /* of an unknown section that was told already */
        mistake(r, "\"%s\" stands in no section: [%s] has to stand above it", quoted(name).text,
                r->tables[0]->name);
    }
}

static void take_line(struct reading *r, char *line, char *end)
{
    if (end > line && end[-1] == '\r') {
        end--;
    }
    if (end - line > CONF_LINE_MAX) {
        mistake(r, "the line is longer than %d bytes", CONF_LINE_MAX);
        return;
    }
    if (memchr(line, '\0', (size_t)(end - line))) {
        mistake(r, "the line has a zero byte: this is no text file");
        return;
    }
    line = trimmed(line, end);
    end = line + strlen(line);
    if (line[0] == '\0' || line[0] == '#' || line[0] == ';') {
        return;
    }
    if (line[0] == '[') {
        take_section(r, line, end);
    } else {
        take_setting(r, line, end);
    }
}

void conf_file_read(const struct conf_table *const *tables, char *text, size_t len,
                    const struct conf_reader *reader)
{
    struct reading r = {.tables = tables, .reader = reader};
    static const char mark[] = "\xef\xbb\xbf"; /* that some editors begin with (RFC 3629, 6) */
    assert(tables[0]);
    while (r.n < SECTIONS && tables[r.n]) {
        r.n++;
    }
    char *const end = text + len;
    char *begin = len >= 3 && memcmp(text, mark, 3) == 0 ? text + 3 : text;
    for (char *line = begin; line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *stop = newline ? newline : end;
        r.line++;
        take_line(&r, line, stop);
        line = stop + 1;
    }
}
