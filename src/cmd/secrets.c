/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/passphrase.h"
#include "sys/crypto/kdf.h"
#include "sys/read_file.h"

/* Of a file of secrets. */
static void warn_if_open(const char *command, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077)) {
        say(command, "warning: others may read %s; chmod 600 keeps it secret", path);
    }
}

static int load_allow(const char *path, struct secrets *ret, struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    int r = read_file(path, ALLOW_FILE_MAX, &text, &len, err);
    if (r == 0) {
        r = allow_parse(text, len, path, &ret->allow, err);
        secure_wipe(text, len);
        free(text);
    }
    ret->conf.allow = &ret->allow;
    return r;
}

static int load_keys(const struct secret_options *o, bool collector, struct secrets *ret,
                     struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    const char *other = collector ? o->allow : o->peer;
    ret->conf.method = LINK_NOISE;
    int r = read_file(o->identity, KEY_FILE_MAX, &text, &len, err);
    if (r == 0) {
        r = key_load_private(text, len, o->identity, ret->conf.identity, err);
        secure_wipe(text, len);
        free(text);
    }
    if (r == 0 && collector) {
        r = load_allow(other, ret, err);
    } else if (r == 0 && key_parse(other, strlen(other), ret->conf.peer) < 0) {
        r = error_set(err, EINVAL, "--peer: \"%s\" is no public key (44 characters of base64)",
                      other);
    }
    return r;
}

int secrets_load(struct secret_options *o, const char *command, bool collector, struct secrets *ret,
                 struct error *err)
{
    const char *file = o->identity ? o->identity : o->key_file;
    int r = 0;
    if (o->plain) {
        ret->conf.method = LINK_PLAIN;
        say(command,
            "WARNING: -K: no encryption, no authentication: anyone on the way can read and "
            "forge every frame");
    } else if (o->identity) {
        r = load_keys(o, collector, ret, err);
    } else {
        ret->conf.method = LINK_CPACE;
        r = passphrase_load(o, command, &ret->passphrase, err);
        ret->conf.passphrase = ret->passphrase;
    }
    if (r == 0 && file) {
        warn_if_open(command, file);
    }
    ret->conf.aeads = handshake_aeads(ret->conf.method);
    return r;
}

void secrets_done(struct secrets *s)
{
    passphrase_free(s->passphrase);
    allow_done(&s->allow);
    secure_wipe(s, sizeof(*s));
}
