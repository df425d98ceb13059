/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `farspan collector`'s options, and how they are read; cmd/collector.c calls it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/collector_line.h"
#include "cmd/meter_rows.h"
#include "cmd/mirror_rows.h"
#include "cmd/options.h"
#include "cmd/passphrase.h"
#include "cmd/stage_rows.h"
#include "cmd/tables.h"
#include "data/sink/port.h"

/* Rows without an offset write to the conf. */
_Static_assert(offsetof(struct collector_line, conf) == 0, "the conf is first");

static const char intro[] =
    "Usage: farspan collector -p PORT [-i DEVICE] [-w FILE] [-o OUTPUT] [OPTION...]\n"
    "\n"
    "Receives the frames of taps and makes them appear on a virtual or existing interface, in a\n"
    "file, or on several of these.\n";

static const struct conf_part parts[] = {
    {&collector_from_group, 0},
    {&stage_group, offsetof(struct collector_line, conf.stages)},
    {&mirror_group, offsetof(struct collector_line, conf.mirrors)},
    {&collector_to_group, 0},
    {&meter_net_group, offsetof(struct collector_line, conf.meter.exports)},
    {&meter_flow_group, offsetof(struct collector_line, conf.meter)},
    {&collector_view_group, 0},
    {&secret_group, offsetof(struct collector_line, secret)},
    {&secret_allow_group, offsetof(struct collector_line, secret)},
    {&common_group, offsetof(struct collector_line, common)},
    {&ledger_group, offsetof(struct collector_line, common)},
};

const struct conf_table collector_table = {"collector", parts, ARRAY_SIZE(parts)};
const struct options collector_options = {&collector_table, intro,       26, NULL, config_tables,
                                          &output_sections, CONF_NOTHING};

static int needs_port(const void *line, struct error *err)
{
    const struct collector_line *l = line;
    return l->conf.port != 0 ? 0 : error_set(err, EINVAL, "a port to listen on is needed: -p PORT");
}

static int needs_output(const void *line, struct error *err)
{
    const struct collector_conf *c = &((const struct collector_line *)line)->conf;
    return c->device || c->file || c->outputs.n > 0 || collector_meters(c)
               ? 0
               : error_set(err, EINVAL,
                           "an output is needed: -i DEVICE, -w FILE, -o OUTPUT, --ipfix HOST, or "
                           "several");
}

static int has_few_outputs(const void *line, struct error *err)
{
    const struct collector_conf *c = &((const struct collector_line *)line)->conf;
    unsigned n = c->outputs.n + (c->device ? 1 : 0) + (c->file ? 1 : 0);
    if (c->meter.exports.kafka.properties && !c->meter.exports.has_kafka) {
        return error_set(err, EINVAL, "--kafka-config is for --kafka");
    }
    if (exports_count(&c->meter.exports) > EXPORTERS_MAX) {
        return error_set(err, EINVAL, "records can go to %d places, and no more", EXPORTERS_MAX);
    }
    return n <= OUTPUTS_MAX
               ? 0
               : error_set(err, EINVAL, "at most %d outputs: -i, -w and -o together", OUTPUTS_MAX);
}

/* A port is neither the collector's own device nor the interface that its link is bound to. */
static int has_other_ports(const void *line, struct error *err)
{
    const struct collector_conf *c = &((const struct collector_line *)line)->conf;
    const char *bound = c->bind ? strchr(c->bind, '%') : NULL;
    for (unsigned i = 0; i < c->outputs.n; i++) {
        const struct output_spec *s = &c->outputs.spec[i];
        const char *name = s->kind == OUTPUT_PORT ? ((const struct port_wish *)s->own)->name : "";
        if (c->device && strcmp(c->device, name) == 0) {
            return error_set(err, EINVAL, "-o %s is the device of -i, which frames come out of",
                             name);
        }
        if (bound && strcmp(bound + 1, name) == 0) {
            return error_set(err, EINVAL, "-o %s is the interface of --bind, by which taps come",
                             name);
        }
    }
    return 0;
}

static int keeps_a_device(const void *line, struct error *err)
{
    const struct collector_conf *c = &((const struct collector_line *)line)->conf;
    return c->device || !c->keep_device
               ? 0
               : error_set(err, EINVAL, "--keep-device is for the device of -i");
}

static int shares_no_output(const void *line, struct error *err)
{
    const struct collector_line *l = line;
    return l->common.json && l->conf.file && strcmp(l->conf.file, "-") == 0
               ? error_set(err, EINVAL, "--json and -w - both want standard output")
               : 0;
}

static int needs_key(const void *line, struct error *err)
{
    return secret_check(&((const struct collector_line *)line)->secret, true, err);
}

conf_check *const collector_start_checks[] = {mirror_allows, NULL};
conf_check *const collector_checks[] = {needs_port,      needs_output,   has_few_outputs,
                                        has_other_ports, keeps_a_device, shares_no_output,
                                        needs_key,       mirror_check,   NULL};

int collector_parse(struct collector_line *l, int argc, char **argv)
{
    struct error err = {""};
    int r = options_parse(&collector_options, l, argc, argv, &l->file);
    if (r != 0) {
        return r;
    }
    if (optind < argc) {
        return -1 - usage_error("collector", "there is nothing to do with \"%s\"", argv[optind]);
    }
    l->conf.allow = l->secret.allow;
    l->conf.user = l->conf.meter.exports.net.user = l->common.user;
    l->conf.reread = l->common.config != NULL; /* which may be read again */
    r = conf_check_all(collector_checks, l, &err);
    return r < 0 ? -1 - usage_error("collector", "%s", err.text) : 0;
}

void collector_line_done(struct collector_line *l)
{
    stage_list_done(&l->conf.stages);
    output_list_done(&l->conf.outputs);
    describe_done(&l->conf.describe);
    passphrase_free(l->secret.passphrase);
    free(l->file.text);
    free(l->file.fixed);
}
