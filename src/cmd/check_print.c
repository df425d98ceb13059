/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_print.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/tables.h"

static int add(struct check_settings *s, const struct check_setting *one, struct error *err)
{
    struct check_setting *of = reallocarray(s->of, s->n + 1, sizeof(*of));
    if (!of) {
        return error_sys(err, ENOMEM, "too many settings");
    }
    of[s->n++] = *one;
    s->of = of;
    return 0;
}

int check_settings_add(struct check_settings *s, const struct conf_table *t, size_t row,
                       const char *value, struct error *err)
{
    return add(s, &(struct check_setting){.table = t, .row = row, .value = value}, err);
}

int check_settings_add_own(struct check_settings *s, const struct conf_table *t, const char *name,
                           const char *value, struct error *err)
{
    return add(s, &(struct check_setting){.table = t, .name = name, .value = value}, err);
}

bool check_settings_has(const struct check_settings *s, const struct conf_table *t)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->of[i].table == t) {
            return true;
        }
    }
    return false;
}

/* The values of a row, in the order of the file; how many. */
static unsigned print_values(const struct check_settings *s, const struct conf_table *t, size_t row,
                             FILE *to)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->of[i].table == t && s->of[i].row == row) {
            fprintf(to, "%s = %s\n", conf_row_at(t, row, NULL)->name, s->of[i].value);
            n++;
        }
    }
    return n;
}

static void print_section(const struct check_settings *s, const struct conf_table *t, FILE *to)
{
    const struct conf_row *row;
    fprintf(to, "[%s]\n", t->name);
    for (size_t i = 0; t->own && i < s->n; i++) {
        if (s->of[i].table == t) {
            fprintf(to, "%s = %s\n", s->of[i].name, s->of[i].value);
        }
    }
    for (size_t i = 0; (row = conf_row_at(t, i, NULL)); i++) {
        if (print_values(s, t, i, to) == 0 && row->dflt) {
            fprintf(to, "%s = %s\n", row->name, row->dflt);
        }
    }
}

/* Sections with names, one after the other. */
static void print_named(const struct check_settings *s, const struct conf_table *t, FILE *to)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct check_setting *of = &s->of[i];
        if (of->table == t && of->row == CONF_ROWS) {
            fprintf(to, "[%s %s]\n", t->name, of->value);
        } else if (of->table == t) {
            fprintf(to, "%s = %s\n", conf_row_at(t, of->row, NULL)->name, of->value);
        }
    }
}

void check_settings_print(const struct check_settings *s, FILE *to)
{
    for (size_t k = 0; config_tables[k]; k++) {
        if (config_tables[k]->named) {
            print_named(s, config_tables[k], to);
        } else if (check_settings_has(s, config_tables[k])) {
            print_section(s, config_tables[k], to);
        }
    }
}

void check_settings_done(struct check_settings *s)
{
    free(s->of);
}
