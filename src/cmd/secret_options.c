/* SPDX-License-Identifier: Apache-2.0
 *
 * The options about keys, which taps and collectors share.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "sys/proctitle.h"

int secret_check(const struct secret_options *o, const char *command, bool collector)
{
    const char *other = collector ? o->allow : o->peer;
    bool phrase = o->passphrase || o->key_file, keys = o->identity || other;
    if (!phrase && !keys && !o->plain && !getenv("FARSPAN_KEY")) {
        return usage_error(command,
                           "a key is needed: --key-file FILE, -k PASSPHRASE, FARSPAN_KEY in the "
                           "environment, --identity FILE with %s, or -K for no encryption",
                           collector ? "--allow FILE" : "--peer KEY");
    }
    if (phrase + keys + o->plain > 1 || (o->passphrase && o->key_file)) {
        return usage_error(command, "choose one: -k, --key-file, --identity or -K");
    }
    if (keys && !(o->identity && other)) {
        return usage_error(command, collector ? "--identity FILE and --allow FILE go together"
                                              : "--identity FILE and --peer KEY go together");
    }
    return 0;
}

static int take_passphrase(struct secret_options *o, char *arg)
{
    free(o->passphrase);
    o->passphrase = strdup(arg);
    proctitle_wipe_value(arg);
    return o->passphrase ? 0 : EXIT_FAILURE;
}

int secret_option(struct secret_options *o, int opt, char *arg)
{
    switch (opt) {
    case 'k':
        return take_passphrase(o, arg);
    case 'K':
        o->plain = true;
        return 0;
    case OPT_KEY_FILE:
        o->key_file = arg;
        return 0;
    case OPT_IDENTITY:
        o->identity = arg;
        return 0;
    case OPT_PEER:
        o->peer = arg;
        return 0;
    case OPT_ALLOW:
        o->allow = arg;
        return 0;
    default:
        return -1;
    }
}
