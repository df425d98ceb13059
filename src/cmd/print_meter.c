/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a meter's run as people read it.
 */
#include <inttypes.h>

#include "cmd/print.h"
#include "cmd/print_parts.h"

void print_meter(const json_t *doc, FILE *to)
{
    size_t i;
    json_t *v;
    fprintf(to, "meter %s\n", str(doc, "name"));
    print_stages(to, json_object_get(doc, "stages"));
    if (num(doc, "evicted") > 0) {
        fprintf(to, "  %-22s %14" PRIu64 " flows left early, for want of room (--flows)\n", "",
                num(doc, "evicted"));
    }
    json_array_foreach(json_object_get(doc, "exports"), i, v)
    {
        print_stage(to, str(v, "name"), "export", v);
    }
}
