/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter's document as people read it; cmd/print.c calls it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "cmd/print_parts.h"

static void print_interfaces(const json_t *doc, FILE *to)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(doc, "interfaces"), i, o)
    {
        const bool up = strcmp(str(o, "state"), "up") == 0;
        fprintf(to, up ? " %s\n" : " %s: %s\n", str(o, "name"), str(o, "state"));
        print_stages(to, json_object_get(o, "stages"));
    }
    o = json_object_get(doc, "gone_interfaces");
    if (o) {
        fprintf(to, " interfaces that are gone: %" PRIu64 "\n", num(o, "count"));
        print_stages(to, json_object_get(o, "stages"));
    }
}

void print_records(const json_t *doc, FILE *to)
{
    size_t i;
    json_t *v;
    if (num(doc, "flows_now") > 0) {
        fprintf(to, "  %-22s %14" PRIu64 " flows\n", "kept now", num(doc, "flows_now"));
    }
    if (num(doc, "evicted") > 0) {
        fprintf(to, "  %-22s %14" PRIu64 " flows left early, for want of room (--flows)\n", "",
                num(doc, "evicted"));
    }
    json_array_foreach(json_object_get(doc, "exports"), i, v)
    {
        print_stage(to, str(v, "name"), "export", v);
    }
}

void print_meter(const json_t *doc, FILE *to)
{
    fprintf(to, "meter %s\n", str(doc, "name"));
    print_interfaces(doc, to);
    print_stages(to, json_object_get(doc, "stages"));
    print_records(doc, to);
    print_history(doc, to);
}
