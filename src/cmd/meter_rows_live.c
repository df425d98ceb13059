/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan meter` about what it meters.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "cmd/meter_line.h"
#include "cmd/select_values.h"
#include "proto/sampling.h"

static int set_name(void *to, const struct conf_given *given, struct error *err)
{
    if (!link_name_ok(given->text, strlen(given->text))) {
        return error_set(err, EINVAL,
                         "%s \"%s\": 1 to %d letters, digits, dots, dashes and underscores",
                         given->label, given->text, LINK_NAME_MAX);
    }
    snprintf(to, LINK_NAME_MAX + 1, "%s", given->text);
    return 0;
}

static int set_sample(void *to, const struct conf_given *given, struct error *err)
{
    static const char *const kinds[] = {"packet:", "flow:"};
    struct meter_sample *s = to;
    const char *number = given->text;
    struct error why;
    uint64_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const size_t len = strlen(kinds[i]);
        if (strncmp(given->text, kinds[i], len) == 0) {
            number = given->text + len;
            s->flow = i == 1;
        }
    }
    if (parse_u64(number, given->label, 1, SAMPLING_MAX, &n, &why) < 0) {
        return error_set(err, EINVAL,
                         "%s is N, packet:N or flow:N, with N from 1 to %d, not \"%.60s\"",
                         given->label, SAMPLING_MAX, given->text);
    }
    s->n = (uint32_t)n;
    return 0;
}

static const struct conf_row rows[] = {
    {'i', "interface", "INTERFACE",
     "meter this interface; may be given several times; \"any\": all;\n"
     "a pattern, such as 'veth*': each that matches, as they come and go",
     select_set_interface, .to = offsetof(struct meter_line, select), .flags = CONF_REPEAT,
     .offer = CONF_INTERFACE,
     .manual = "Meter the packets of an interface until a signal; or of each whose name matches\n"
               "a pattern of the shell with \\*, ? or []; or *any*, which is the pattern \\*. May\n"
               "be given several times. They may come and go, as with *farspan-tap*(1)."},
    {'r', "read", "FILE", "the capture file, pcap or pcapng; -: standard input",
     CONF_TEXT_AT(struct meter_line, file), .offer = CONF_FILE,
     .manual = "Read _FILE_: pcap with microseconds or nanoseconds, of either byte order, or\n"
               "pcapng. \"-\" is standard input. Of a file that is cut off or damaged all that is\n"
               "before counts; the byte is named, and the exit status is 1."},
    {'f', "filter", "FILTER", "the filter as an option", CONF_TEXT_AT(struct meter_line, filter),
     .manual = "Count only the frames that match a *pcap-filter*(7) expression. It may also be\n"
               "given as words behind the options, but not both. Where a file has a link type\n"
               "in which it cannot be looked for, frames of that count as _link_type_, and the\n"
               "exit status is 1."},
    {0, "netns", "NAME|PID", "the interfaces of another network namespace",
     CONF_TEXT_AT(struct meter_line, select.netns), .offer = CONF_NETNS,
     .manual = "Meter the interfaces of another network namespace: one that *ip-netns*(8) knows\n"
               "by _NAME_, or that of the process _PID_."},
    {0, "direction", "DIR", "in, out, or both", select_set_direction,
     .to = offsetof(struct meter_line, select), .dflt = "both", .words = "in|out|both",
     .manual = "Only the frames that come in to the host, only those that leave it, or both.\n"
               "What is on the loopback interface counts once, as it arrives."},
    {0, "vlan", "LIST", "only these VLANs, such as 100,200-210", select_set_vlans,
     .to = offsetof(struct meter_line, select),
     .manual = "Only the frames of these VLANs, such as _100,200-210_; with several tags the\n"
               "outermost counts."},
    {'p', "no-promiscuous-mode", NULL,
     "only frames that the interface takes in for this host; by default\n"
     "all that it sees, but not with \"any\"",
     CONF_FLAG_AT(struct meter_line, select.not_promiscuous),
     .manual = "Do not put the interfaces into promiscuous mode."},
    {'B', "buffer-size", "KIB", "kernel buffer for each interface, in KiB (default 32768)",
     select_set_ring, .to = offsetof(struct meter_line, select), .min = 64, .max = 1 << 20,
     .manual = "The size of the kernel's capture buffer for each interface, in KiB. The\n"
               "interfaces that patterns match share 64 MiB by default."},
    {0, "sample", "N|flow:N", "meter one packet in N, or all of one flow in N", set_sample,
     .to = offsetof(struct meter_line, sample),
     .manual = "Meter one frame of each _N_, also written packet:_N_, or with flow:_N_ all frames\n"
               "of about one flow in _N_; 1 is all. See *SAMPLES*."},
    {0, "name", "NAME", "what farspan status calls this meter (default: the host's name)", set_name,
     .to = offsetof(struct meter_line, name),
     .manual = "The name under which *farspan-status*(1) knows this meter of interfaces:\n"
               "letters, digits, dots, dashes and underscores."},
};

const struct conf_group meter_input_group = {NULL, rows, ARRAY_SIZE(rows)};
