/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks of `farspan tap` that concern several options together; tap_options.c calls them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tables.h"
#include "cmd/tap_line.h"

/* Options end where the filter begins. A word of a filter does not begin with a dash and a letter;
 * where an expression has to, it stands in quotes, with others. */
static int check_filter_words(int n, char **words, struct error *err)
{
    for (int i = 0; i < n; i++) {
        const char *w = words[i] + strspn(words[i], "-");
        if (w > words[i] && ((*w | 0x20) >= 'a' && (*w | 0x20) <= 'z')) {
            return error_set(err, EINVAL,
                             "\"%s\" stands behind the filter, where no option is read: options "
                             "come first, the filter is the end",
                             words[i]);
        }
    }
    return 0;
}

static int needs_interface(const void *line, struct error *err)
{
    const struct tap_line *l = line;
    return l->conf.select.n_words > 0
               ? 0
               : error_set(err, EINVAL, "an interface is needed: -i INTERFACE (--list shows them)");
}

static int needs_collector(const void *line, struct error *err)
{
    const struct tap_line *l = line;
    return l->conf.collector_text ? 0
                                  : error_set(err, EINVAL, "a collector is needed: -c HOST:PORT");
}

static int needs_key(const void *line, struct error *err)
{
    return secret_check(&((const struct tap_line *)line)->secret, false, err);
}

static int limits_something(const void *line, struct error *err)
{
    const struct tap_conf *c = &((const struct tap_line *)line)->conf;
    if (c->limiter.keep.insns && !limiter_limits(&c->limiter, &c->limit)) {
        return error_set(err, EINVAL, "--keep is for a tap with --rate or --cpu-limit");
    }
    if (c->limiter.mode == LIMITER_STOP && c->limit.rate.bits == 0) {
        return error_set(err, EINVAL, "--on-limit stop needs --rate");
    }
    return c->limiter.cpu_permille > 0 && c->limiter.mode != LIMITER_LADDER
               ? error_set(err, EINVAL,
                           "--cpu-limit needs a ladder: headers, sample or count in --on-limit")
               : 0;
}

conf_check *const tap_checks[] = {needs_interface, needs_collector, needs_key, limits_something,
                                  NULL};

int tap_check(struct tap_line *l, int n, char **words, struct error *err)
{
    struct tap_conf *c = &l->conf;
    int r = check_filter_words(n, words, err);
    r = r < 0 ? r : conf_check_all(tap_checks, l, err);
    if (r == 0 && l->filter_option && n > 0) {
        r = error_set(err, EINVAL, "the filter stands either behind -f or in the last words");
    }
    if (r < 0) {
        return r;
    }
    c->user = l->common.user;
    c->select.restage = l->common.config != NULL; /* which may be read again */
    c->select.filter = l->filter_option ? strdup(l->filter_option)
                       : n > 0          ? filter_join(words, n)
                                        : NULL;
    return 0;
}
