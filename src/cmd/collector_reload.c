/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGHUP: the list of taps is read again. The engine cannot open files, so the broker opens the one
 * that the command line named; reading and parsing, both bounded, are the engine's. A list with a
 * mistake in it changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/collector.h"
#include "sys/crypto/kdf.h"

int collector_allow_request(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct collector *c = ctx;
    const char *path = c->conf.secret.allow;
    struct stat st;
    (void)args;
    (void)len;
    if (!path) {
        return error_set(&reply->err, EINVAL, "there is no list of taps");
    }
    /* without waiting: it may have become a pipe that nobody writes to */
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return error_sys(&reply->err, errno, "cannot read %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(&reply->err, EINVAL, "cannot read %s again: it is not a regular file",
                         path);
    }
    reply->fd = TAKE_FD(fd);
    return 0;
}

static int read_list(struct collector *c, struct allow_list *ret, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    const char *path = c->conf.secret.allow;
    char *text = NULL;
    size_t len = 0;
    int r = broker_call(c->broker, COLLECTOR_ALLOW, NULL, 0, NULL, NULL, &fd, err);
    if (r == 0) {
        r = read_open_file(fd, path, ALLOW_FILE_MAX, &text, &len, err);
    }
    if (r == 0) {
        r = allow_parse(text, len, path, ret, err);
        secure_wipe(text, len);
        free(text);
    }
    return r;
}

void collector_reload(struct collector *c)
{
    _cleanup_(allow_done) struct allow_list list = {0};
    struct listener_allowed done = {0};
    struct error err = {""};
    const char *path = c->conf.secret.allow;
    if (!path) {
        say("collector", "SIGHUP: there is no list of taps (--allow) to read again");
        return;
    }
    int r = read_list(c, &list, &err);
    if (r < 0) {
        say("collector", "%s; the list of taps stays as it was", err.text);
        return;
    }
    listener_set_allow(c->listener, &list, &done);
    allow_done(&c->secrets.allow); /* the one from the start, if this is the first time */
    say("collector", "%s was read again: %zu taps, %zu added, %zu removed, %zu changed", path,
        done.taps, done.added, done.removed, done.changed);
}
