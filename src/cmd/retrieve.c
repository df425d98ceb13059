/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan retrieve`: the data of a capture.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/capture_wait.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "sys/write_file.h"

static const char intro[] =
    "Usage: farspan retrieve ID -w FILE [--format FORMAT]\n"
    "\n"
    "Writes the data of a capture to FILE, or to standard output (-). While the capture runs, it\n"
    "goes on to its end.\n";

struct line {
    struct client_options client;
    const char *write, *format;
    bool now;
};

static const struct conf_row rows[] = {
    {'w', "write", "FILE", "the file, which must not be there yet; -: standard output",
     CONF_TEXT_AT(struct line, write), .offer = CONF_FILE,
     .manual = "The file, which must not be there yet; \"-\" is standard output."},
    {0, "format", "FORMAT", "another form of the data, as farspan capabilities lists them",
     CONF_TEXT_AT(struct line, format),
     .manual = "Another form of the data; *farspan-capabilities*(1) lists those of each type."},
    {0, "now", NULL, "of a capture that runs, only the data so far", CONF_FLAG_AT(struct line, now),
     .manual = "Of a capture that runs, only the data so far."},
};
static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {{&group, 0},
                                         {&client_group, offsetof(struct line, client)}};
static const struct conf_table table = {"retrieve", parts, ARRAY_SIZE(parts)};
const struct options retrieve_options = {&table, intro, 26, NULL, NULL, NULL, CONF_NOTHING};

static int fetch(struct client *c, const struct line *l, const char *id, struct error *err)
{
    char query[100], format[64];
    if (client_escape(l->format ? l->format : "", format, sizeof(format)) < 0) {
        return error_set(err, EINVAL, "--format is too long");
    }
    (void)snprintf(query, sizeof(query), "?follow=%s%s%s", l->now ? "false" : "true",
                   l->format ? "&format=" : "", format);
    struct capture_wait w = {.client = c, .query = query, .now = l->now};
    (void)snprintf(w.path, sizeof(w.path), "/v1/captures/%s", id);
    w.fd = new_file(l->write, err);
    if (w.fd < 0) {
        return w.fd;
    }
    const bool has_file = strcmp(l->write, "-") != 0;
    int r = capture_wait(&w, err);
    if (r == 0 && w.received == 0) {
        r = error_set(err, ENODATA, "the capture has no data: %s",
                      client_text(w.capture, "reason"));
    }
    if (w.received == 0 && has_file) {
        (void)unlink(l->write); /* it is ours, and empty */
    } else if (r == -EINTR && has_file) {
        r = error_set(err, EINTR, "interrupted; %s has the data so far", l->write);
    }
    closep(&w.fd);
    if (r == 0 && l->client.json) {
        client_json(w.capture);
    }
    capture_wait_done(&w);
    return r;
}

int cmd_retrieve(int argc, char **argv)
{
    struct line l = {.write = NULL};
    char id[KIND_ID];
    struct error err = {""};
    struct client c = {.stop = client_catch_signals()};
    int r = options_parse(&retrieve_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    if (argc - optind != 1 || !l.write) {
        return usage_error("retrieve", "one ID is wanted, and -w FILE");
    }
    if (l.client.json && strcmp(l.write, "-") == 0) {
        return usage_error("retrieve", "--json and -w - both want standard output");
    }
    r = client_open(&c, &l.client, &err);
    r = r < 0 ? r : client_capture_id(&c, argv[optind], id, &err);
    r = r < 0 ? r : fetch(&c, &l, id, &err);
    client_close(&c);
    return client_exit("retrieve", r, &err);
}
