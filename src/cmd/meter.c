/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan meter`: reads a capture file and writes its flow records.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/meter_line.h"
#include "cmd/options.h"
#include "cmd/print.h"
#include "cmd/tables.h"
#include "node/program.h"

struct command {
    struct meter_line line;
    struct meter_opened opened;
    struct program program;
    struct meter *meter;
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("meter", "%s", text);
}

static const struct teller teller = {tell, NULL};

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    (void)user;
    if (!sig->ignored) { /* a terminal that goes away ends us, but for nohup */
        loop_stop(l, EXIT_SUCCESS);
    }
}

static void on_over(void *user)
{
    loop_stop(((struct command *)user)->program.loop, EXIT_SUCCESS);
}

/* In the broker, which has no use for the files. */
static void on_alone(void *ctx)
{
    meter_opened_done(&((struct command *)ctx)->opened);
}

static int run(struct command *c, struct error *err)
{
    const struct program_conf pc = {
        .command = "meter", .user = c->line.user, .alone = on_alone, .ctx = c, .teller = &teller};
    int r = meter_open(&c->line.conf, &c->opened, err);
    r = r < 0 ? r : program_split(&c->program, &pc, err);
    r = r < 0 ? r : program_wall_in(&c->program, on_signal, c, err);
    if (r < 0) {
        return r;
    }
    const struct meter_around around = {&c->line.conf, &c->opened, c->program.loop, on_over, c};
    r = meter_new(&around, &c->meter, err);
    if (r < 0) {
        return r;
    }
    (void)loop_run(c->program.loop);
    const int result = meter_stop(c->meter, err);
    json_t *doc = meter_document(c->meter);
    print_meter(doc, stderr);
    if (c->line.ledger) {
        r = program_print(json_incref(doc), err);
    }
    json_decref(doc);
    return result < 0 ? result : r;
}

/* 0, or an exit status. */
static int check_outputs(const struct meter_line *l)
{
    unsigned files = 0, outs = l->ledger;
    for (size_t i = 0; i < EXPORT_FORMS; i++) {
        files += l->conf.exports.file[i] != NULL;
        outs += l->conf.exports.file[i] && strcmp(l->conf.exports.file[i], "-") == 0;
    }
    if (files == 0) {
        return usage_error("meter",
                           "nothing would be written: --csv, --csv-long, --json or --ipfix");
    }
    return outs > 1 ? usage_error("meter", "only one of the forms, or the ledger, can go to "
                                           "standard output: --csv=FILE")
                    : EXIT_SUCCESS;
}

/* The same, and takes the filter from the `n` words behind the options. */
static int check_line(struct meter_line *l, int n, char *const *words)
{
    if (!l->conf.file) {
        return usage_error("meter", "a capture file is needed: -r FILE");
    }
    if (n > 0 && l->conf.filter) {
        return usage_error("meter", "the filter is given twice, by -f and behind the options");
    }
    if (n > 0) {
        l->conf.filter = l->words = filter_join(words, n);
    }
    return check_outputs(l);
}

int cmd_meter(int argc, char **argv)
{
    static struct command c = {.opened = {-1, {{-1, -1, -1, -1}}, {{0}}, 0},
                               .program.control.fd = -1};
    struct error err = {""};
    int r = options_parse(&meter_options, &c.line, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    r = check_line(&c.line, argc - optind, argv + optind);
    if (r != EXIT_SUCCESS) {
        return r;
    }
    r = run(&c, &err);
    if (r < 0) {
        say("meter", "%s", err.text);
    }
    meter_free(c.meter);
    program_done(&c.program);
    meter_opened_done(&c.opened);
    free(c.line.words);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
