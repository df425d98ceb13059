/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config.h"

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
    unsigned mistakes;
};

static void on_mistake(void *user, unsigned line, const char *sentence)
{
    struct load *l = user;
    if (++l->mistakes <= MISTAKES) {
        say(l->table->name, "%s:%u: %s", l->path, line, sentence);
    }
}

static void on_setting(void *user, const struct conf_table *t, size_t row, char *value,
                       unsigned line)
{
    struct load *l = user;
    struct error err = {""};
    if (t == l->table && !l->given[row] &&
        conf_put(t, row, l->conf, conf_row_at(t, row, NULL)->name, value, &err) < 0) {
        on_mistake(l, line, err.text);
    }
}

int config_load(const struct conf_table *t, const struct conf_table *const *sections,
                const char *path, const bool given[CONF_ROWS], void *conf, char **ret_text)
{
    struct load l = {.table = t, .path = path, .given = given, .conf = conf};
    struct error err = {""};
    size_t len = 0;
    if (read_file(path, CONF_FILE_MAX, ret_text, &len, &err) < 0) {
        say(t->name, "--config: %s", err.text);
        return EXIT_USAGE;
    }
    conf_file_read(sections, *ret_text, len, &(struct conf_reader){on_setting, on_mistake, &l});
    if (l.mistakes > 1) {
        say(t->name, "%s has %u mistakes, and nothing of it is used", path, l.mistakes);
    }
    return l.mistakes > 0 ? EXIT_USAGE : 0;
}
