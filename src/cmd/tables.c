/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tables.h"

#include "cmd/output_rows.h"

const struct conf_table *const config_tables[] = {&tap_table,      &collector_table, &output_table,
                                                  &describe_table, &serve_table,     NULL};

int conf_check_all(conf_check *const *checks, const void *line, struct error *err)
{
    int r = 0;
    for (; r == 0 && *checks; checks++) {
        r = (*checks)(line, err);
    }
    return r;
}
