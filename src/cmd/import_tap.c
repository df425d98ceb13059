/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/import_tap.h"

#include <errno.h>
#include <string.h>

#include "cmd/import_section.h"
#include "cmd/import_values.h"
#include "cmd/tables.h"
#include "sys/filter.h"

static void put_interface(const struct section *s, const char *given)
{
    const char *theirs = section_value(s, IVTAP_INTERFACE), *name = ivtap_name(IVTAP_INTERFACE);
    const unsigned line = s->t->of[IVTAP_INTERFACE].line;
    if (given && theirs) {
        section_put(s, IVTAP_INTERFACE, "interface", given, "; --interface has its name here");
    } else if (given) {
        import_comment("--interface");
        import_setting("interface", given);
    } else if (theirs && import_is_interface(theirs)) {
        section_put(s, IVTAP_INTERFACE, "interface", theirs, "");
    } else {
        import_comment("interface has to be added here; %s %s%s", name,
                       theirs ? "is " : "is missing", theirs ? theirs : "");
        import_mistake(s->m, line,
                       "%s %s%.200s: add its name here by --interface NAME (farspan tap --list)",
                       name, theirs ? "is no name of Linux: " : "is missing", theirs ? theirs : "");
    }
}

static int check_filter(const char *value, struct error *err)
{
    struct filter_prog prog = {0};
    int r = import_check(&tap_table, "filter", value, err);
    if (r == 0) {
        r = filter_compile(value, NULL, NETIF_ETHERNET, 0, &prog, err);
        filter_done(&prog);
    }
    return r == -EINVAL ? r : 0; /* another failure says that this host cannot tell */
}

static void put_filter(const struct section *s)
{
    const char *value = section_value(s, IVTAP_FILTER);
    struct error err = {"it is missing"};
    if (value && check_filter(value, &err) == 0) {
        section_put(s, IVTAP_FILTER, "filter", value, "");
        return;
    }
    import_comment("filter has to be added here, or all frames are sent");
    import_mistake(s->m, s->t->of[IVTAP_FILTER].line,
                   "%s: %s: without a filter all frames are sent", ivtap_name(IVTAP_FILTER),
                   err.text);
}

static void put_collector(const struct section *s)
{
    const char *host = section_value(s, IVTAP_ADDRESS);
    char value[512];
    uint64_t port = 0;
    struct error err = {""};
    const bool has_port = section_number(s, IVTAP_PORT, "collector", 1, UINT16_MAX, &port);
    if (!host) {
        section_missing(s, IVTAP_ADDRESS, "collector");
    }
    if (!host || !has_port) {
        return;
    }
    int r = import_collector(host, (uint16_t)port, value, sizeof(value), &err);
    r = r < 0 ? r : import_check(&tap_table, "collector", value, &err);
    if (r < 0) {
        section_leave_out(s, IVTAP_ADDRESS, "collector", err.text);
        return;
    }
    import_comment("%s = %s, %s = %u", ivtap_name(IVTAP_ADDRESS), host, ivtap_name(IVTAP_PORT),
                   (unsigned)port);
    import_setting("collector", value);
}

void import_tap(struct import *m, const struct ivtap *t, const struct import_given *given)
{
    const struct section s = {m, t, &tap_table};
    import_comment("Made by farspan import of %s", m->path);
    printf("[tap]\n");
    put_interface(&s, given->interface);
    put_filter(&s);
    put_collector(&s);
    section_key(&s, given->key_file);
    section_limits(&s);
    section_idle(&s);
}
