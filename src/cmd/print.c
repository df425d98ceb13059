/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/print.h"

#include <string.h>

#include "cmd/print_parts.h"

void print_report(const json_t *doc, FILE *to)
{
    if (strcmp(str(doc, "role"), "tap") == 0) {
        print_tap(doc, to);
    } else if (strcmp(str(doc, "role"), "meter") == 0) {
        print_meter(doc, to);
    } else {
        print_collector(doc, to);
    }
}
