/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/client.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "sys/unixsock.h"

enum {
    TOKEN_MAX = 256,
};

static const struct conf_row rows[] = {
    {0, "server", "SERVER", "the service: unix:PATH or http://HOST:PORT (default: the local one)",
     CONF_TEXT_AT(struct client_options, server),
     .manual =
         "The service that is asked: _unix:PATH_, _http://HOST:PORT_ or _https://HOST:PORT_.\n"
         "Without it the environment variable *FARSPAN_SERVER* says it, or else it is that\n"
         "of this host, at _/run/farspan/serve.api_."},
    {0, "token-file", "FILE", "the file with the token of whoever asks",
     CONF_TEXT_AT(struct client_options, token_file), .offer = CONF_FILE,
     .manual = "Ask with the token that stands in _FILE_. Without it the environment variable\n"
               "*FARSPAN_TOKEN* has the token. The local socket needs none for root."},
    {0, "json", NULL, "print JSON", CONF_FLAG_AT(struct client_options, json),
     .manual = "Print what the service answers, as JSON."},
};
const struct conf_group client_group = {"Service:", rows, ARRAY_SIZE(rows)};

/* The first line of the file, without blanks at its end. */
static int read_file(const char *path, char ret[TOKEN_MAX], struct error *err)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        return error_sys(err, errno, "cannot read %s", path);
    }
    char *line = fgets(ret, TOKEN_MAX, f);
    const int e = ferror(f) ? errno : 0;
    (void)fclose(f);
    if (e != 0) {
        return error_sys(err, e, "cannot read %s", path);
    }
    if (!line) {
        return error_set(err, ENODATA, "%s is empty", path);
    }
    ret[strcspn(ret, " \t\r\n")] = '\0';
    return 0;
}

static int check_token(const char *token, const char *whence, struct error *err)
{
    return !http_client_is_token(token) || strlen(token) >= TOKEN_MAX - 1
               ? error_set(err, EINVAL, "%s has no token in it", whence)
               : 0;
}

/* "": there is none. */
static int find_token(const struct client_options *o, char ret[TOKEN_MAX], struct error *err)
{
    const char *of_environment = getenv("FARSPAN_TOKEN");
    ret[0] = '\0';
    if (o->token_file) {
        int r = read_file(o->token_file, ret, err);
        return r < 0 ? r : check_token(ret, o->token_file, err);
    }
    if (!of_environment || !of_environment[0]) {
        return 0;
    }
    const int r = check_token(of_environment, "FARSPAN_TOKEN", err);
    if (r == 0) {
        (void)snprintf(ret, TOKEN_MAX, "%s", of_environment);
    }
    return r;
}

/* The socket of the user's own service where there is one, else of the system's. */
static int local_server(char *ret, size_t cap, struct error *err)
{
    struct unixsock_dir dir;
    const uid_t users[] = {geteuid(), 0};
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        if (unixsock_dir_for(users[i], getenv("XDG_RUNTIME_DIR"), &dir) < 0) {
            return error_set(err, ENAMETOOLONG, "XDG_RUNTIME_DIR is too long");
        }
        (void)snprintf(ret, cap, "unix:%s/serve.api", dir.path);
        if (access(ret + strlen("unix:"), F_OK) == 0) {
            break;
        }
    }
    return 0;
}

int client_open(struct client *c, const struct client_options *o, struct error *err)
{
    char token[TOKEN_MAX], local[UNIXSOCK_PATH_MAX + 32];
    const char *server = o->server ? o->server : getenv("FARSPAN_SERVER");
    int r = find_token(o, token, err);
    if (r == 0 && !(server && server[0])) {
        server = local;
        r = local_server(local, sizeof(local), err);
    }
    return r < 0 ? r : http_client_new(server, token[0] ? token : NULL, &c->http, err);
}

void client_close(struct client *c)
{
    http_client_free(c->http);
    c->http = NULL;
}

int client_escape(const char *from, char *to, size_t cap)
{
    size_t n = 0;
    for (; *from; from++) {
        const unsigned char b = (unsigned char)*from;
        const bool plain = isalnum(b) || strchr("-._", b);
        if (n + 4 > cap) {
            return -EMSGSIZE;
        }
        n += (size_t)snprintf(to + n, cap - n, plain ? "%c" : "%%%02X", b);
    }
    to[n] = '\0';
    return 0;
}

int client_exit(const char *command, int r, const struct error *err)
{
    char line[sizeof(err->text)];
    if (r >= 0) {
        return end_output(command, EXIT_SUCCESS);
    }
    text_line(line, sizeof(line), err->text);
    if (r == -EINVAL) {
        return usage_error(command, "%s", line);
    }
    say(command, "%s", line);
    return EXIT_FAILURE;
}
