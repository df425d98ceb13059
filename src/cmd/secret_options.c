/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secret_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/proctitle.h"

int secret_check(const struct secret_options *o, bool collector, struct error *err)
{
    const char *other = collector ? o->allow : o->peer;
    bool phrase = o->passphrase || o->key_file, keys = o->identity || other;
    if (!phrase && !keys && !o->plain && !getenv("FARSPAN_KEY")) {
        return error_set(err, EINVAL,
                         "a key is needed: --key-file FILE, -k PASSPHRASE, FARSPAN_KEY in the "
                         "environment, --identity FILE with %s, or -K for no encryption",
                         collector ? "--allow FILE" : "--peer KEY");
    }
    if (phrase + keys + o->plain > 1 || (o->passphrase && o->key_file)) {
        return error_set(err, EINVAL, "choose one: -k, --key-file, --identity or -K");
    }
    if (keys && !(o->identity && other)) {
        return error_set(err, EINVAL,
                         collector ? "--identity FILE and --allow FILE go together"
                                   : "--identity FILE and --peer KEY go together");
    }
    return 0;
}

int secret_set_passphrase(void *to, const struct conf_given *given, struct error *err)
{
    struct secret_options *o = to;
    free(o->passphrase);
    o->passphrase = strdup(given->text);
    proctitle_wipe_value(given->text);
    return o->passphrase ? 0 : error_sys(err, ENOMEM, "%s", given->label);
}
