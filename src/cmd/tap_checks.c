/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks of `farspan tap` that concern several options together; tap_options.c calls them.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tap_line.h"

/* Options end where the filter begins. A word of a filter does not begin with a dash and a letter;
 * where an expression has to, it stands in quotes, with others. */
static int check_filter_words(int n, char **words)
{
    for (int i = 0; i < n; i++) {
        const char *w = words[i] + strspn(words[i], "-");
        if (w > words[i] && ((*w | 0x20) >= 'a' && (*w | 0x20) <= 'z')) {
            return usage_error("tap",
                               "\"%s\" stands behind the filter, where no option is read: options "
                               "come first, the filter is the end",
                               words[i]);
        }
    }
    return 0;
}

int tap_check(struct tap_line *l, int n, char **words)
{
    struct tap_conf *c = &l->conf;
    int r = check_filter_words(n, words);
    if (r != 0) {
        return r;
    }
    if (c->select.n_words == 0) {
        return usage_error("tap", "an interface is needed: -i INTERFACE (--list shows them)");
    }
    if (!c->collector_text) {
        return usage_error("tap", "a collector is needed: -c HOST:PORT");
    }
    if (l->filter_option && n > 0) {
        return usage_error("tap", "the filter stands either behind -f or in the last words");
    }
    if (l->filter_option) {
        c->select.filter = strdup(l->filter_option);
    } else if (n > 0) {
        c->select.filter = filter_join(words, n);
    }
    return secret_check(&l->secret, "tap", false);
}
