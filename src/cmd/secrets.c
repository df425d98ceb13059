/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "sys/crypto/kdf.h"
#include "sys/proctitle.h"

enum {
    PASSPHRASE_MAX = 1024,
};

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

int read_open_file(int fd, const char *path, size_t max, char **ret, size_t *ret_len,
                   struct error *err)
{
    char *buf = malloc(max + 1);
    size_t len = 0;
    ssize_t n = 1;
    while (buf && n > 0 && len <= max) {
        n = read(fd, buf + len, max + 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    int e = errno;
    if (!buf || n < 0 || len > max) {
        if (buf) {
            secure_wipe(buf, len);
        }
        free(buf);
        return len > max ? error_set(err, EFBIG, "%s is larger than %zu bytes: not a file of keys",
                                     path, max)
                         : error_sys(err, buf ? e : ENOMEM, "cannot read %s", path);
    }
    buf[len] = '\0';
    *ret = buf;
    *ret_len = len;
    return 0;
}

int read_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_sys(err, errno, "cannot read %s", path);
    }
    return read_open_file(fd, path, max, ret, ret_len, err);
}

static void warn_if_open(const char *command, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077)) {
        say(command, "warning: others may read %s; chmod 600 keeps it secret", path);
    }
}

static int check_passphrase(size_t len, const char *where, struct error *err)
{
    if (len == 0) {
        return error_set(err, EINVAL, "%s: the passphrase is empty", where);
    }
    if (len > PASSPHRASE_MAX) {
        return error_set(err, EINVAL, "%s: a passphrase has 1 to %d bytes", where, PASSPHRASE_MAX);
    }
    return 0;
}

/* The file's first line. */
static int passphrase_from_file(const char *path, char **ret, struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    int r = read_file(path, KEY_FILE_MAX, &text, &len, err);
    if (!text) {
        return r;
    }
    size_t line = strcspn(text, "\r\n"); /* which stops at a zero byte too */
    r = line < len && text[line] == '\0'
            ? error_set(err, EINVAL, "%s: a passphrase has no zero byte; is this a text file?",
                        path)
            : check_passphrase(line, path, err);
    secure_wipe(text + line, len - line);
    if (r < 0) {
        secure_wipe(text, len);
        free(text);
        return r;
    }
    *ret = text;
    return 0;
}

static int load_passphrase(struct secret_options *o, const char *command, struct secrets *ret,
                           struct error *err)
{
    char *env = getenv("FARSPAN_KEY");
    int r = 0;
    ret->conf.method = LINK_CPACE;
    if (o->passphrase) {
        say(command,
            "warning: the passphrase stood on the command line, where others may have read it: "
            "--key-file FILE is better");
        ret->passphrase = TAKE_PTR(o->passphrase);
        r = check_passphrase(strlen(ret->passphrase), "-k", err);
    } else if (o->key_file) {
        r = passphrase_from_file(o->key_file, &ret->passphrase, err);
        if (r == 0) {
            warn_if_open(command, o->key_file);
        }
    } else {
        ret->passphrase = strdup(env ? env : "");
        proctitle_wipe_value(env);
        unsetenv("FARSPAN_KEY");
        r = ret->passphrase ? check_passphrase(strlen(ret->passphrase), "FARSPAN_KEY", err)
                            : error_sys(err, ENOMEM, "FARSPAN_KEY");
    }
    ret->conf.passphrase = ret->passphrase;
    return r;
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

static int load_keys(const struct secret_options *o, const char *command, bool collector,
                     struct secrets *ret, struct error *err)
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
    if (r == 0) {
        warn_if_open(command, o->identity);
    }
    return r;
}

int secrets_load(struct secret_options *o, const char *command, bool collector, struct secrets *ret,
                 struct error *err)
{
    int r = 0;
    if (o->plain) {
        ret->conf.method = LINK_PLAIN;
        say(command,
            "WARNING: -K: no encryption, no authentication: anyone on the way can read and "
            "forge every frame");
    } else if (o->identity) {
        r = load_keys(o, command, collector, ret, err);
    } else {
        r = load_passphrase(o, command, ret, err);
    }
    ret->conf.aeads = handshake_aeads(ret->conf.method);
    return r;
}

void secrets_done(struct secrets *s)
{
    if (s->passphrase) {
        secure_wipe(s->passphrase, strlen(s->passphrase));
        free(s->passphrase);
    }
    allow_done(&s->allow);
    secure_wipe(s, sizeof(*s));
}
