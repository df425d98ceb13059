/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan serve`, as it is read.
 */
#include <getopt.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/serve_line.h"
#include "cmd/tables.h"

int serve_parse(struct serve_line *l, int argc, char **argv)
{
    int r = options_parse(&serve_options, l, argc, argv, &l->file);
    if (r != 0) {
        return r;
    }
    if (optind < argc) {
        return -1 - usage_error("serve", "\"%s\" is no option", argv[optind]);
    }
    if (l->select.n_words == 0) {
        l->select.word[l->select.n_words++] = (struct selection_word){"*", "*", false};
    }
    l->select.take_links = true; /* as tcpdump sees it */
    l->select.metered = true;    /* what other programs of farspan send counts */
    return EXIT_SUCCESS;
}

const char *serve_anonymous_words(const struct serve_line *l)
{
    return l->anonymous == SERVE_CAPTURE ? ", anyone on this host may capture"
           : l->anonymous == SERVE_READ  ? ", anyone on this host may look"
                                         : "";
}

void serve_line_done(struct serve_line *l)
{
    selection_done(&l->select);
    free(l->file.text);
    free(l->file.fixed);
}
