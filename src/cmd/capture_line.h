/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan capture`: capture_rows.c has its options, capture.c what is done by
 * it.
 */
#pragma once

#include "cmd/client.h"

struct capture_line {
    struct client_options client;
    const char *type, *direction, *vlans;
    const char *start, *stop; /* as given; NULL: none */
    int64_t for_ns;           /* 0: none */
    uint64_t bytes;
    uint32_t frames, snaplen, period;
    const char *write; /* -w; NULL: the data stays with the service */
    bool detach;
    const char *filter_option; /* -f */
};

/* The words that are no options: ports, and the filter behind them. */
struct capture_words {
    char *const *word;
    int n;
    int points; /* so many of them stood before a "--" and are ports; -1: there was none, … */
};              /* … and the first that is no port of the service begins the filter */

/* The wish as the service takes it, owned by the caller; `ports`: an array of the service's.
 * -EINVAL with a sentence, -ENOMEM. */
int capture_line_wish(const struct capture_line *l, const json_t *ports,
                      const struct capture_words *words, int64_t now_ns, json_t **ret,
                      struct error *err);
/* Puts its start and stop into the wish. -EINVAL with a sentence: they make no sense, or it would
 * never end. */
int capture_line_times(const struct capture_line *l, json_t *o, int64_t now_ns, struct error *err);
