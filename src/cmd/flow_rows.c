/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan flow`.
 */
#include <errno.h>

#include "cmd/flow_line.h"
#include "cmd/options.h"
#include "cmd/tables.h"

static const char intro[] =
    "Usage: farspan flow [list] | create NAME --source PORT --service SERVICE | show NAME |\n"
    "       set NAME OPTION... | delete NAME [OPTION...]\n"
    "\n"
    "Makes a tap flow, which has frames of a port copied to the port of a tap service (farspan\n"
    "service); lists tap flows, shows one, changes its name, or deletes it.\n";

static int set_wait(void *to, const struct conf_given *given, struct error *err)
{
    return client_duration(given->text, to) < 0
               ? error_set(err, EINVAL, "%s is a time such as 500ms or 5s, not \"%s\"",
                           given->label, given->text)
               : 0;
}

static const struct conf_row rows[] = {
    {0, "source", "PORT", "of create: the port that is tapped",
     CONF_TEXT_AT(struct flow_line, source), .offer = CONF_INTERFACE,
     .manual = "With *create*: the port whose frames are copied, by name, alias or id."},
    {0, "service", "SERVICE", "of create: the tap service that gets the copies",
     CONF_TEXT_AT(struct flow_line, service),
     .manual = "With *create*: the tap service that gets the copies, by name or id."},
    {0, "direction", "DIR", "of create: in, out, or both",
     CONF_TEXT_AT(struct flow_line, direction), .dflt = "both", .words = "in|out|both",
     .manual = "With *create*: *in* is what goes to the owner of the port, *out* what he sends.\n"
               "At the host's end of a machine's cable that is the reverse of what the interface\n"
               "receives and sends; *farspan port* shows which side a port faces."},
    {0, "vlan", "LIST", "of create: only these VLANs, such as 100,200-210; 0: untagged",
     CONF_TEXT_AT(struct flow_line, vlans),
     .manual = "With *create*: only frames of these VLANs, in rising order; *0* is untagged. With\n"
               "several tags the outermost counts."},
    {'f', "filter", "FILTER", "of create: only frames that match it",
     CONF_TEXT_AT(struct flow_line, filter),
     .manual = "With *create*: only frames that match a *pcap-filter*(7) expression, as tcpdump\n"
               "has it on that port."},
    {0, "wait", "TIME", "of create: until copies flow, for so long", .set = set_wait,
     .to = offsetof(struct flow_line, wait_ns),
     .manual = "With *create*: wait until the flow is _ACTIVE_, for so long; where it is not by\n"
               "then, the reason is printed and the exit status is 1. The flow stays."},
    {0, "watch", NULL, "of show: again each second", CONF_FLAG_AT(struct flow_line, watch),
     .manual = "With *show*: print it each second, until Ctrl-C."},
    {0, "description", "TEXT", "of create and set: for people",
     CONF_TEXT_AT(struct flow_line, change.description),
     .manual = "With *create* and *set*: a text for people."},
    {0, "name", "NAME", "of set: another name", CONF_TEXT_AT(struct flow_line, change.name),
     .manual = "With *set*: another name."},
    {0, "project", "PROJECT", "of create: for that project",
     CONF_TEXT_AT(struct flow_line, project),
     .manual = "With *create*: act for that project, which only an admin of no project may. By\n"
               "default it is the source's."},
    {0, "may-exist", NULL, "of create: one of this name will do",
     CONF_FLAG_AT(struct flow_line, may_exist),
     .manual = "With *create*: where there is a tap flow of this name, it is no failure, and\n"
               "nothing is made."},
    {0, "if-exists", NULL, "of delete: none of this name is no failure",
     CONF_FLAG_AT(struct flow_line, if_exists),
     .manual = "With *delete*: where there is none of this name, it is no failure."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct flow_line, client)}};
static const struct conf_table table = {"flow", parts, ARRAY_SIZE(parts)};
const struct options flow_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};
