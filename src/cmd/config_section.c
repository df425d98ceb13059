/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config_section.h"

int config_section_begin(struct config_section *s, const struct options_named *named, void *line,
                         const char *name, unsigned at, struct error *err)
{
    int r = named->begin(line, name, err);
    *s = (struct config_section){r < 0 ? NULL : named, at};
    return r;
}

int config_section_end(struct config_section *s, void *line, struct error *err)
{
    const struct options_named *named = s->named;
    s->named = NULL;
    return named ? named->end(line, err) : 0;
}

void *config_section_at(const struct config_section *s, void *line)
{
    return (char *)line + s->named->to;
}
