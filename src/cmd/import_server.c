/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of ivTAP's server as sections [collector] and [output ivtap]; cmd/import.c calls it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/import_section.h"
#include "cmd/import_tap.h"
#include "cmd/import_values.h"
#include "cmd/output_rows.h"
#include "cmd/tables.h"

static void put_address(const struct section *s)
{
    const char *value = section_value(s, IVTAP_BIND), *name = ivtap_name(IVTAP_BIND);
    char address[IVTAP_ADDRESS_TEXT];
    if (!value) {
        section_missing(s, IVTAP_BIND, "bind");
    } else if (!ivtap_address(value, address)) {
        section_leave_out(s, IVTAP_BIND, "bind", "it is no address in numbers");
    } else if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0) {
        import_comment("%s = %s: all addresses, as without bind", name, value);
    } else {
        section_put(s, IVTAP_BIND, "bind", address, "");
    }
}

static void put_port(const struct section *s)
{
    uint64_t port = 0;
    char value[8];
    if (section_number(s, IVTAP_BIND_PORT, "port", 1, UINT16_MAX, &port)) {
        snprintf(value, sizeof(value), "%u", (unsigned)port);
        section_put(s, IVTAP_BIND_PORT, "port", value, "");
    }
}

/* A setting of the alerts, which there is none for yet: it is kept, and looked at. */
static void keep(const struct section *s, enum ivtap_setting setting, const char *ours)
{
    const char *value = section_value(s, setting);
    if (!value) {
        section_missing(s, setting, ours);
        return;
    }
    import_comment("%s = %s: of alerts, which there are none of yet (%s)", ivtap_name(setting),
                   value, ours);
}

static void keep_seconds(const struct section *s, enum ivtap_setting setting, const char *ours)
{
    uint64_t n = 0;
    if (section_number(s, setting, ours, 1, IVTAP_MAX, &n)) {
        keep(s, setting, ours);
    }
}

static void put_output(const struct section *s, const char *given)
{
    const char *theirs = section_value(s, IVTAP_OUT), *name = ivtap_name(IVTAP_OUT);
    printf("[output ivtap]\n");
    if (given && theirs) {
        section_put(s, IVTAP_OUT, "to", given, "; --interface has its name here");
    } else if (given) {
        import_comment("--interface");
        import_setting("to", given);
    } else if (theirs && import_is_interface(theirs)) {
        section_put(s, IVTAP_OUT, "to", theirs, "");
    } else {
        import_comment("to has to be added here; %s %s%s", name, theirs ? "is " : "is missing",
                       theirs ? theirs : "");
        import_mistake(s->m, s->t->of[IVTAP_OUT].line,
                       "%s %s%.200s: add its name here by --interface NAME", name,
                       theirs ? "is no name of Linux: " : "is missing", theirs ? theirs : "");
    }
}

void import_server(struct import *m, const struct ivtap *t, const struct import_given *given)
{
    const struct section s = {m, t, &collector_table}, output = {m, t, &output_table};
    uint64_t n = 0;
    import_comment("Made by farspan import of %s", m->path);
    printf("[collector]\n");
    put_address(&s);
    put_port(&s);
    section_key(&s, given->key_file);
    if (section_number(&s, IVTAP_CHECK, "log-interval", 1, IVTAP_MAX, &n)) {
        section_seconds(&s, IVTAP_CHECK, "log-interval", n, ", in seconds");
    }
    keep(&s, IVTAP_SMTP, "smtp");
    keep(&s, IVTAP_MAIL, "mail-to");
    keep_seconds(&s, IVTAP_SILENT, "silent-after");
    keep_seconds(&s, IVTAP_NO_DATA, "data-idle");
    import_comment("ivTAP's own clients may go on sending, in the clear, to a port of their own: "
                   "ivtap = PORT, and from = their addresses");
    put_output(&output, given->interface);
}
