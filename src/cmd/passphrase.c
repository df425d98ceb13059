/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/passphrase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "sys/crypto/kdf.h"
#include "sys/crypto/keys.h"
#include "sys/proctitle.h"
#include "sys/read_file.h"

enum {
    PASSPHRASE_MAX = 1024,
};

void passphrase_free(char *phrase)
{
    if (phrase) {
        secure_wipe(phrase, strlen(phrase));
        free(phrase);
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

int passphrase_load(struct secret_options *o, const char *command, char **ret, struct error *err)
{
    _cleanup_(passphrase_freep) char *phrase = NULL;
    char *env = getenv("FARSPAN_KEY");
    int r = 0;
    if (o->passphrase) {
        say(command,
            "warning: the passphrase stood on the command line, where others may have read it: "
            "--key-file FILE is better");
        phrase = TAKE_PTR(o->passphrase);
        r = check_passphrase(strlen(phrase), "-k", err);
    } else if (o->key_file) {
        r = passphrase_from_file(o->key_file, &phrase, err);
    } else {
        phrase = strdup(env ? env : "");
        proctitle_wipe_value(env);
        unsetenv("FARSPAN_KEY");
        r = phrase ? check_passphrase(strlen(phrase), "FARSPAN_KEY", err)
                   : error_sys(err, ENOMEM, "FARSPAN_KEY");
    }
    if (r == 0) {
        *ret = TAKE_PTR(phrase);
    }
    return r;
}
