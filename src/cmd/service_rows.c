/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan service`.
 */
#include "cmd/options.h"
#include "cmd/service_line.h"
#include "cmd/tables.h"

static const char intro[] =
    "Usage: farspan service [list] | create NAME --port PORT | show NAME | set NAME OPTION... |\n"
    "       delete NAME [OPTION...]\n"
    "\n"
    "Makes a tap service, a port at which the copies of tap flows (farspan flow) arrive; lists "
    "tap\n"
    "services, shows one, changes its name, or deletes it with its flows.\n";

static const struct conf_row rows[] = {
    {0, "port", "PORT", "of create: where copies arrive", CONF_TEXT_AT(struct service_line, port),
     .offer = CONF_INTERFACE,
     .manual = "With *create*: the port at which copies arrive, by name, alias or id. It must not\n"
               "have an address of this host."},
    {0, "frames", "KIND", "of create: wire, or super: several in one piece",
     CONF_TEXT_AT(struct service_line, frames), .dflt = "wire", .words = "wire|super",
     .manual = "With *create*: _wire_ has copies arrive as frames that a cable could carry, with\n"
               "their checksums; _super_ leaves super-packets in one piece. See FRAMES."},
    {0, "description", "TEXT", "of create and set: for people",
     CONF_TEXT_AT(struct service_line, change.description),
     .manual = "With *create* and *set*: a text for people."},
    {0, "name", "NAME", "of set: another name", CONF_TEXT_AT(struct service_line, change.name),
     .manual = "With *set*: another name."},
    {0, "project", "PROJECT", "of create: for that project",
     CONF_TEXT_AT(struct service_line, project),
     .manual = "With *create*: act for that project, which only an admin of no project may. By\n"
               "default it is the port's."},
    {0, "may-exist", NULL, "of create: one of this name at that port will do",
     CONF_FLAG_AT(struct service_line, may_exist),
     .manual = "With *create*: where there is a tap service of this name at that port, it is no\n"
               "failure, and nothing is made."},
    {0, "if-exists", NULL, "of delete: none of this name is no failure",
     CONF_FLAG_AT(struct service_line, if_exists),
     .manual = "With *delete*: where there is none of this name, it is no failure."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct service_line, client)}};
static const struct conf_table table = {"service", parts, ARRAY_SIZE(parts)};
const struct options service_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};
