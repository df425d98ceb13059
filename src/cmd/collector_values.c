/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan collector` whose value has a form; rows of collector_rows.c name them.
 */
#include <errno.h>
#include <string.h>

#include "cmd/collector_line.h"
#include "sys/tapdev.h"

int collector_set_device(void *to, const struct conf_given *given, struct error *err)
{
    struct collector_conf *c = to;
    if (strcmp(given->text, "any") == 0) {
        return error_set(err, EINVAL,
                         "%s any: programs that capture call all interfaces that: choose another "
                         "name for the device",
                         given->label);
    }
    if (!strstr(given->text, "%t") && !tapdev_name_valid(given->text)) {
        return error_set(err, EINVAL,
                         "%s \"%s\": a device's name has 1 to 15 characters, without blanks, "
                         "'/', ':' and '%%' (but %%t for the tap's name)",
                         given->label, given->text);
    }
    c->device = given->text;
    return 0;
}

int collector_add_output(void *to, const struct conf_given *given, struct error *err)
{
    struct collector_conf *c = to;
    int r = output_list_add(&c->outputs, given->text, err);
    if (r < 0) {
        error_prefix(err, "%s \"%.60s\"", given->label, given->text);
    }
    return r;
}
