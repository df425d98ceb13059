/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan keygen`: makes a key pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "sys/crypto/kdf.h"
#include "sys/crypto/keys.h"

static const char intro[] =
    "Usage: farspan keygen [-o FILE]\n"
    "\n"
    "Makes a key pair for a tap or a collector. The private key goes to FILE (mode 0600, never\n"
    "overwritten), the public key to standard output. Without -o both go to standard output, the\n"
    "public key as a comment.\n";

/* The command line. */
struct keygen {
    const char *path;
};

static const struct conf_row rows[] = {
    {'o', "output", "FILE", "where the private key goes", CONF_TEXT_AT(struct keygen, path),
     .offer = CONF_FILE,
     .manual = "Write the private key to _FILE_, which gets mode 0600. A file that exists is\n"
               "not overwritten."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static const struct conf_table table = {"keygen", &part, 1};
const struct options keygen_options = {&table, intro, 24, NULL, NULL, NULL, CONF_NOTHING};

static int write_key(const char *path, const char *text)
{
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        say("keygen",
            errno == EEXIST ? "%s exists already and is not overwritten" : "cannot make %s: %m",
            path);
        return EXIT_FAILURE;
    }
    char line[KEY_TEXT_LEN + 2];
    int n = snprintf(line, sizeof(line), "%s\n", text);
    bool ok = write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    secure_wipe(line, sizeof(line));
    if (!ok) {
        say("keygen", "cannot write %s: %m", path);
        unlink(path);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int generate(const char *path)
{
    uint8_t priv[KEY_LEN], pub[KEY_LEN];
    char priv_text[KEY_TEXT_LEN + 1], pub_text[KEY_TEXT_LEN + 1];
    int r = key_generate(priv);
    if (r < 0) {
        say("keygen", "no random numbers: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    key_public(priv, pub);
    key_format(priv, priv_text);
    key_format(pub, pub_text);
    int status = EXIT_SUCCESS;
    if (path) {
        status = write_key(path, priv_text);
        if (status == EXIT_SUCCESS) {
            printf("%s\n", pub_text);
        }
    } else {
        printf("# public key: %s\n%s\n", pub_text, priv_text);
    }
    secure_wipe(priv, sizeof(priv));
    secure_wipe(priv_text, sizeof(priv_text));
    return end_output("keygen", status);
}

int cmd_keygen(int argc, char **argv)
{
    struct keygen k = {NULL};
    int r = options_parse(&keygen_options, &k, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    if (optind < argc) {
        return usage_error("keygen", "there is nothing to do with \"%s\"", argv[optind]);
    }
    return generate(k.path);
}
