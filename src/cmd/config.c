/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config.h"

#include <errno.h>
#include <string.h>

#include "base/conf_file.h"
#include "cmd/cmd.h"
#include "sys/read_file.h"

enum {
    MISTAKES = 20, /* that are told one by one */
};

struct load {
    const struct conf_table *table;
    const char *path;
    const bool *given;
    void *conf;
    FILE *fixed;
    unsigned mistakes;
    const struct options_named *named; /* NULL: there are none, or the line has what is in them */
    struct config_section section;
};

static void on_mistake(void *user, unsigned line, const char *sentence)
{
    struct load *l = user;
    if (++l->mistakes <= MISTAKES) {
        say(l->table->name, "%s:%u: %s", l->path, line, sentence);
    }
}

static void end_section(struct load *l)
{
    struct error err = {""};
    if (config_section_end(&l->section, l->conf, &err) < 0) {
        on_mistake(l, l->section.line, err.text);
    }
}

static void on_section(void *user, const struct conf_table *t, char *name, unsigned line)
{
    struct load *l = user;
    struct error err = {""};
    end_section(l);
    if (l->named && t == l->named->table &&
        config_section_begin(&l->section, l->named, l->conf, name, line, &err) < 0) {
        on_mistake(l, line, err.text);
    }
}

static void on_named(struct load *l, size_t row, char *value, unsigned line)
{
    struct error err = {""};
    const struct conf_table *t = l->section.named->table;
    if (conf_put(t, row, config_section_at(&l->section, l->conf), conf_row_at(t, row, NULL)->name,
                 value, &err) < 0) {
        on_mistake(l, line, err.text);
    }
}

static void on_setting(void *user, const struct conf_table *t, size_t row, char *value,
                       unsigned line)
{
    struct load *l = user;
    struct error err = {""};
    const struct conf_row *of = conf_row_at(t, row, NULL);
    if (l->section.named && t == l->section.named->table) {
        on_named(l, row, value, line);
    }
    if (t != l->table || l->given[row]) {
        return;
    }
    if (conf_put(t, row, l->conf, of->name, value, &err) < 0) {
        on_mistake(l, line, err.text);
    } else if (!(of->flags & CONF_LIVE)) {
        fprintf(l->fixed, "%s = %s\n", of->name, value);
    }
}

static void on_own(void *user, const struct conf_table *t, char *name, char *value, unsigned line)
{
    struct load *l = user;
    struct error err = {""};
    if (t->of == l->table && t->own(l->conf, name, value, &err) < 0) {
        on_mistake(l, line, err.text);
    }
}

int config_load(const struct options *o, const char *path, const bool given[CONF_ROWS], void *conf,
                struct options_file *file)
{
    struct load l = {.table = o->table, .path = path, .given = given, .conf = conf};
    struct error err = {""};
    size_t n = 0;
    if (!file->text && read_file(path, CONF_FILE_MAX, &file->text, &file->len, &err) < 0) {
        say(o->table->name, "--config: %s", err.text);
        return EXIT_USAGE;
    }
    l.named = o->named && !given[conf_find(o->table, o->named->row)] ? o->named : NULL;
    l.fixed = open_memstream(&file->fixed, &n);
    if (!l.fixed) {
        say(o->table->name, "--config: %m");
        return EXIT_USAGE;
    }
    conf_file_read(o->sections, file->text, file->len,
                   &(struct conf_reader){on_section, on_setting, on_mistake, &l, on_own});
    end_section(&l);
    fclose(l.fixed);
    if (l.mistakes > 1) {
        say(o->table->name, "%s has %u mistakes, and nothing of it is used", path, l.mistakes);
    }
    return l.mistakes > 0 ? EXIT_USAGE : 0;
}

/* A line of `now` that is not one of `before`, or the other way round, but for its value. */
static void first_difference(const char *before, const char *now, char ret[CONF_WORD])
{
    size_t i = 0;
    while (before[i] && before[i] == now[i]) {
        i++;
    }
    while (i > 0 && before[i - 1] != '\n') {
        i--;
    }
    const char *line = now[i] ? now + i : before + i;
    snprintf(ret, CONF_WORD, "%.*s", (int)strcspn(line, " "), line);
}

int config_same_fixed(const struct options_file *from, const struct options_file *to,
                      struct error *err)
{
    const char *before = from->fixed ? from->fixed : "", *now = to->fixed ? to->fixed : "";
    char name[CONF_WORD];
    if (strcmp(before, now) == 0) {
        return 0;
    }
    first_difference(before, now, name);
    return error_set(err, EBUSY,
                     "%s: another value needs a restart, and nothing of the file is used", name);
}
