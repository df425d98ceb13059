/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/import_print.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_file.h"
#include "base/text.h"
#include "cmd/collector_line.h"
#include "cmd/tables.h"
#include "cmd/tap_line.h"

enum {
    COMMENT_MAX = 300, /* bytes; with each escaped it is within CONF_LINE_MAX */
};

void import_mistake(struct import *m, unsigned line, const char *fmt, ...)
{
    char words[1024], clean[TEXT_ESCAPE * sizeof(words)], path[1024], where[16] = "";
    va_list ap;
    if (m->mistakes++ >= m->told_most) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    text_line(clean, sizeof(clean), words);
    text_line(path, sizeof(path), m->path);
    if (line > 0) {
        snprintf(where, sizeof(where), "%u:", line);
    }
    fprintf(stderr, "%s:%s %s\n", path, where, clean);
}

void import_comment(const char *fmt, ...)
{
    char words[COMMENT_MAX], clean[TEXT_ESCAPE * sizeof(words)];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    text_line(clean, sizeof(clean), words);
    printf("# %s%s\n", clean, n >= COMMENT_MAX ? "..." : "");
}

void import_told_rest(struct import *m, unsigned most)
{
    m->told_most = UINT_MAX;
    if (m->mistakes > most) {
        import_mistake(m, 0, "and %u more of that kind", m->mistakes - most);
    }
}

/* Sets it in a structure that nobody looks at. */
static int try_row(const struct conf_table *t, const char *name, const char *value,
                   struct error *err)
{
    union {
        struct tap_line tap;
        struct collector_line collector;
        struct output_section output;
    } *scratch = calloc(1, sizeof(*scratch));
    const size_t i = conf_find(t, name);
    int r = scratch ? 0 : error_sys(err, ENOMEM, "%s", name);
    r = r == 0 && i < CONF_ROWS ? conf_put(t, i, scratch, name, (char *)value, err) : r;
    free(scratch);
    return r;
}

int import_check(const struct conf_table *t, const char *name, const char *value, struct error *err)
{
    const size_t n = strlen(value);
    if (n == 0) {
        return error_set(err, EINVAL, "%s has no value", name);
    }
    if (!text_is_clean(value)) {
        return error_set(err, EINVAL,
                         "%s cannot have ends of lines and other control characters, as "
                         "\"%s\" has",
                         name, value);
    }
    if (strchr(" \t", value[0]) || strchr(" \t", value[n - 1])) {
        return error_set(err, EINVAL, "%s cannot begin or end with a blank", name);
    }
    if (strlen(name) + strlen(" = ") + n > CONF_LINE_MAX) {
        return error_set(err, EINVAL, "%s has %zu bytes, and a line of a file %d at most", name, n,
                         CONF_LINE_MAX);
    }
    return try_row(t, name, value, err);
}

void import_setting(const char *name, const char *value)
{
    printf("%s = %s\n", name, value);
}
