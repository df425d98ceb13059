/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secret_options.h"

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

int secret_set_passphrase(void *to, const struct option_given *given)
{
    struct secret_options *o = to;
    free(o->passphrase);
    o->passphrase = strdup(given->arg);
    proctitle_wipe_value(given->arg);
    return o->passphrase ? 0 : EXIT_FAILURE;
}
