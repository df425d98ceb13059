/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/conf_file.h"
#include "base/text.h"
#include "cmd/tables.h"
#include "sys/filter.h"

void check_tell(struct check_read *c, const char *where, const char *sentence)
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
    check_tell(user, where, sentence);
}

void *check_structure(struct check_read *c, const struct conf_table *t)
{
    return t == &output_table      ? config_section_at(&c->section, &c->collector)
           : t == &tap_table       ? (void *)&c->tap
           : t == &collector_table ? (void *)&c->collector
           : t == &serve_table     ? (void *)&c->serve
                                   : NULL;
}

static void end_section(struct check_read *c)
{
    struct error err = {""};
    if (config_section_end(&c->section, &c->collector, &err) < 0) {
        on_mistake(c, c->section.line, err.text);
    }
}

static void on_section(void *user, const struct conf_table *t, char *name, unsigned line)
{
    struct check_read *c = user;
    struct error err = {""};
    (void)t; /* there is one */
    end_section(c);
    int r = config_section_begin(&c->section, &output_sections, &c->collector, name, line, &err);
    r = r < 0 ? r : check_settings_add(&c->settings, t, CONF_ROWS, name, &err);
    if (r < 0) {
        on_mistake(c, line, err.text);
    }
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
    struct check_read *c = user;
    struct error err = {""};
    const struct conf_row *row = conf_row_at(t, i, NULL);
    if (t == &output_table && !c->section.named) {
        return; /* of a section that is wrong, as was told */
    }
    int r = conf_put(t, i, check_structure(c, t), row->name, value, &err);
    r = r < 0 ? r : try_filter(t, row, value, &err);
    r = r < 0 ? r : check_settings_add(&c->settings, t, i, value, &err);
    if (r < 0) {
        on_mistake(c, line, err.text);
    }
}

static void on_own(void *user, const struct conf_table *t, char *name, char *value, unsigned line)
{
    struct check_read *c = user;
    struct error err = {""};
    int r = t->own(check_structure(c, t->of), name, value, &err);
    r = r < 0 ? r : check_settings_add_own(&c->settings, t, name, value, &err);
    if (r < 0) {
        on_mistake(c, line, err.text);
    }
}

void check_read(struct check_read *c, char *text, size_t len)
{
    conf_file_read(config_tables, text, len,
                   &(struct conf_reader){on_section, on_setting, on_mistake, c, on_own});
    end_section(c);
}
