/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/collector_line.h"
#include "data/sink/queue/queue.h"

static const struct conf_row rows[] = {
    {0, "to", "OUTPUT", "the output, as behind -o", CONF_TEXT_AT(struct output_section, to),
     .flags = CONF_LIVE,
     .manual = "The output, in the words of *-o*, such as _vxlan://192.0.2.9/77_."},
    {0, "queue", "SIZE", "memory for frames that it has not taken yet",
     CONF_SIZE_AT(struct output_section, queue), .min = QUEUE_BYTES_MIN, .max = QUEUE_BYTES_MAX,
     .flags = CONF_LIVE,
     .manual = "The memory for frames that it has not taken yet; by default that of\n"
               "*--output-queue*."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
const struct conf_table output_table = {"output", &part, 1, .named = true};

static int begin(void *line, const char *name, struct error *err)
{
    struct collector_line *l = line;
    l->section = (struct output_section){.to = NULL};
    l->section_name = name;
    if (strlen(name) > POINT_NAME_MAX) {
        return error_set(err, EINVAL, "an output's name has %d characters at most", POINT_NAME_MAX);
    }
    for (unsigned i = 0; i < l->conf.outputs.n; i++) {
        const struct output_spec *s = &l->conf.outputs.spec[i];
        if (s->name && strcmp(s->name, name) == 0) {
            return error_set(err, EINVAL, "there is an output \"%s\" already", name);
        }
    }
    return 0;
}

static int end(void *line, struct error *err)
{
    struct collector_line *l = line;
    if (!l->section.to) {
        return error_set(err, EINVAL, "[output %s] has no output: \"to = OUTPUT\"",
                         l->section_name);
    }
    int r = output_list_add(&l->conf.outputs, l->section.to, err);
    if (r < 0) {
        error_prefix(err, "to \"%.60s\"", l->section.to);
        return r;
    }
    struct output_spec *s = &l->conf.outputs.spec[l->conf.outputs.n - 1];
    s->queue = l->section.queue;
    s->name = strdup(l->section_name);
    return s->name ? 0 : error_sys(err, ENOMEM, "[output %s]", l->section_name);
}

const struct options_named output_sections = {&output_table, "output", begin, end,
                                              offsetof(struct collector_line, section)};
