/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` whose value has a form; rows of tap_rows_select.c,
 * tap_rows_link.c and tap_rows_safe.c name them.
 */
#include <errno.h>
#include <string.h>

#include "cmd/tap_line.h"
#include "sys/zone.h"

int tap_set_collector(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    c->collector_text = given->text;
    return parse_host_port(given->text, &c->collector, err);
}

int tap_set_name(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    if (!link_name_ok(given->text, strlen(given->text))) {
        return error_set(err, EINVAL,
                         "%s \"%s\": 1 to %d letters, digits, dots, dashes and underscores",
                         given->label, given->text, LINK_NAME_MAX);
    }
    snprintf(c->name, sizeof(c->name), "%s", given->text);
    return 0;
}

int tap_set_hours(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    return calendar_parse(given->text, given->label, &c->watch.hours, err);
}

int tap_set_zone(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    c->zone = given->text;
    return zone_check(given->text, given->label, err);
}
