/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan serve`: serve_rows.c has its options, serve.c what runs by it.
 */
#pragma once

#include "cmd/common_options.h"
#include "cmd/options.h"
#include "control/opentap_conf.h"
#include "node/selection.h"

enum {
    SERVE_LISTEN = 4,
    SERVE_HOSTS = 16,
    SERVE_PORT = 2020, /* OpenTap's */
};

/* Rights of requests that come by loopback without a token. */
enum serve_anonymous {
    SERVE_NONE,
    SERVE_READ,
    SERVE_CAPTURE,
};

struct serve_line {
    struct selection select; /* which interfaces are ports; first: its setters write there */
    struct host_port listen[SERVE_LISTEN];
    unsigned n_listen;
    const char *data; /* the folder of the store and of captures */
    enum serve_anonymous anonymous;
    const char *host[SERVE_HOSTS + 1]; /* names that requests without a token may give as Host */
    unsigned n_hosts;
    const char *opentap;              /* the file of --opentap-conf; NULL: none */
    struct opentap_conf opentap_conf; /* what it says; serve_read_opentap */
    struct common_options common;
    struct options_file file; /* owned */
};

/* Reads argv: EXIT_SUCCESS to go on, else -1 - exit status. */
int serve_parse(struct serve_line *l, int argc, char **argv);
/* One more address to listen on, which has to be of loopback: -EINVAL with a sentence that begins
 * with the label. */
int serve_add_listen(struct serve_line *l, const char *label, const struct host_port *at,
                     struct error *err);
/* Which rights are given away, for sentences: "" or ", anyone on this host may …". */
const char *serve_anonymous_words(const struct serve_line *l);
void serve_line_done(struct serve_line *l);
