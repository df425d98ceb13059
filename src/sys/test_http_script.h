/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a server in a thread of the test, on loopback or a Unix socket, that keeps what
 * it is asked and gives answers that the test wrote, byte for byte, each on a connection of its
 * own.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SCRIPT_ASKS = 8,
    SCRIPT_ASK = 4096,
    SCRIPT_MS = 10000, /* until a test fails for want of something */
};

struct script {
    const char *const *answers; /* to a NULL */
    bool holds;                 /* the last connection stays open until the client ends it */
    int listening;
    char server[128], folder[64];
    pthread_t thread;
    char asked[SCRIPT_ASKS][SCRIPT_ASK];
    unsigned n;
};

/* How many bytes of a request there are behind its empty line. */
static inline size_t script_body(const char *head)
{
    const char *length = strcasestr(head, "\r\nContent-Length:");
    return length ? strtoul(length + 17, NULL, 10) : 0;
}

static inline void script_read(int fd, char *to)
{
    size_t n = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const char *behind = strstr(to, "\r\n\r\n");
        if (behind && n >= (size_t)(behind + 4 - to) + script_body(to)) {
            return;
        }
        const ssize_t got = poll(&p, 1, SCRIPT_MS) == 1 ? read(fd, to + n, SCRIPT_ASK - 1 - n) : -1;
        if (got <= 0) {
            return;
        }
        n += (size_t)got;
        to[n] = '\0';
    }
}

static inline void *script_serve(void *user)
{
    struct script *s = user;
    for (; s->answers[s->n] && s->n < SCRIPT_ASKS; s->n++) {
        struct pollfd p = {.fd = s->listening, .events = POLLIN};
        const int fd = poll(&p, 1, SCRIPT_MS) == 1 ? accept(s->listening, NULL, NULL) : -1;
        if (fd < 0) {
            break;
        }
        const char *answer = s->answers[s->n];
        char rest[256];
        script_read(fd, s->asked[s->n]);
        (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        if (s->holds && !s->answers[s->n + 1]) {
            p.fd = fd;
            while (poll(&p, 1, SCRIPT_MS) == 1 && read(fd, rest, sizeof(rest)) > 0) {
            }
        }
        close(fd);
    }
    return NULL;
}

static inline void script_listen(struct script *s, bool is_unix)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(in);
    s->listening = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listening >= 0);
    if (is_unix) {
        (void)snprintf(s->folder, sizeof(s->folder), "/tmp/farspan-script-XXXXXX");
        assert_non_null(mkdtemp(s->folder));
        (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/socket", s->folder);
        (void)snprintf(s->server, sizeof(s->server), "unix:%s", un.sun_path);
        assert_int_equal(bind(s->listening, (const struct sockaddr *)&un, sizeof(un)), 0);
    } else {
        assert_int_equal(bind(s->listening, (const struct sockaddr *)&in, sizeof(in)), 0);
        assert_int_equal(getsockname(s->listening, (struct sockaddr *)&in, &len), 0);
        (void)snprintf(s->server, sizeof(s->server), "http://127.0.0.1:%u", ntohs(in.sin_port));
    }
    assert_int_equal(listen(s->listening, 4), 0);
}

/* `answers` lives until script_end(). */
static inline void script_begin(struct script *s, const char *const *answers, bool is_unix)
{
    memset(s, 0, sizeof(*s));
    s->answers = answers;
    script_listen(s, is_unix);
    assert_int_equal(pthread_create(&s->thread, NULL, script_serve, s), 0);
}

/* Waits for the last answer; what was asked can be read then. */
static inline void script_end(struct script *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listening);
    if (s->folder[0]) {
        (void)unlink(s->server + strlen("unix:"));
        (void)rmdir(s->folder);
    }
}
