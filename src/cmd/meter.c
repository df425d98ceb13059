/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan meter`: the command line, checked, and what runs by it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/meter_line.h"
#include "cmd/options.h"
#include "cmd/tables.h"

/* 0, or an exit status. */
static int check_outputs(const struct meter_line *l)
{
    const unsigned n = exports_count(&l->conf.exports);
    unsigned outs = l->ledger;
    for (size_t i = 0; i < EXPORT_FORMS; i++) {
        outs += l->conf.exports.file[i] && strcmp(l->conf.exports.file[i], "-") == 0;
    }
    if (n == 0) {
        return usage_error("meter", "nothing would be written: --csv, --csv-long, --json, --ipfix, "
                                    "--netflow9, --netflow5 or --kafka");
    }
    if (l->conf.exports.kafka.properties && !l->conf.exports.has_kafka) {
        return usage_error("meter", "--kafka-config is for --kafka");
    }
    if (n > EXPORTERS_MAX) {
        return usage_error("meter", "records can go to 8 places, files and collectors together");
    }
    return outs > 1 ? usage_error("meter", "only one of the forms, or the ledger, can go to "
                                           "standard output: --csv=FILE")
                    : EXIT_SUCCESS;
}

/* The same. */
static int check_input(const struct meter_line *l)
{
    const struct selection *s = &l->select;
    const bool selects = s->netns || s->has_vlans || s->ring_bytes || s->not_promiscuous ||
                         s->dir != FRAME_DIR_UNKNOWN;
    if (l->file && s->n_words > 0) {
        return usage_error("meter", "either interfaces or a file: -i or -r");
    }
    if (l->file && selects) {
        return usage_error("meter", "--netns, --direction, --vlan, -p and -B are for interfaces, "
                                    "not for a file");
    }
    return l->file || s->n_words > 0
               ? EXIT_SUCCESS
               : usage_error("meter", "an interface or a capture file is needed: -i INTERFACE or "
                                      "-r FILE");
}

/* The stage of --sample. Out of a file the same frames are kept each time. Flows are those of the
 * packets that count. */
static int make_sample(struct meter_line *l, struct error *err)
{
    const struct meter_sample *s = &l->sample;
    char words[64];
    if (s->n <= 1) {
        return 0;
    }
    (void)snprintf(words, sizeof(words), "sample %s 1/%u%s%s", s->flow ? "flow" : "packet", s->n,
                   !s->flow        ? ""
                   : l->conf.inner ? " inner"
                                   : " outer",
                   l->file ? " seed 1" : "");
    if (!s->flow && !l->conf.scale) { /* no algorithm that has a number is that of our flows */
        l->conf.exports.net.sampling.packets = s->n;
    }
    return stage_list_add(&l->stages, words, err);
}

/* The same. */
static int check_sample(struct meter_line *l)
{
    struct error err = {""};
    if (l->conf.scale && l->sample.n == 0) {
        return usage_error("meter", "--scale is for --sample: frames of interfaces and files stand "
                                    "for themselves alone");
    }
    const int r = make_sample(l, &err);
    return r < 0 ? usage_error("meter", "--sample: %s", err.text) : EXIT_SUCCESS;
}

/* The same, and takes the filter from the `n` words behind the options. */
static int check_line(struct meter_line *l, int n, char *const *words)
{
    const int r = check_input(l);
    if (r != EXIT_SUCCESS) {
        return r;
    }
    if (n > 0 && l->filter) {
        return usage_error("meter", "the filter is given twice, by -f and behind the options");
    }
    if (n > 0) {
        l->filter = l->words = filter_join(words, n);
    }
    const int sampled = check_sample(l);
    return sampled == EXIT_SUCCESS ? check_outputs(l) : sampled;
}

int cmd_meter(int argc, char **argv)
{
    static struct meter_line l;
    host_name(l.name);
    int r = options_parse(&meter_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    r = check_line(&l, argc - optind, argv + optind);
    if (r == EXIT_SUCCESS) {
        r = l.file ? meter_run_file(&l) : meter_run_live(&l);
    }
    selection_done(&l.select);
    stage_list_done(&l.stages);
    free(l.words);
    return r;
}
