/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/kafka.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/kafka_process.h"
#include "sys/read_file.h"

enum {
    READY_MS = 10000, /* for librdkafka to look at the properties and the files that they name */
};

/* ---- words of the command line ---- */

static bool is_topic(const char *s)
{
    const size_t n = strlen(s);
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i])) {
            return false;
        }
    }
    return n > 0 && n <= KAFKA_TOPIC_MAX && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* Each broker is looked at by librdkafka too; here it is only to be seen which is none. */
static bool are_brokers(const char *s)
{
    for (;;) {
        const size_t n = strcspn(s, ",");
        const char *bad = memchr(s, '/', n);
        if (n == 0 || bad || s[0] == ':') {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            if (!isgraph((unsigned char)s[i])) {
                return false;
            }
        }
        if (s[n] == '\0') {
            return true;
        }
        s += n + 1;
    }
}

int kafka_parse(const char *text, struct kafka_conf *ret, struct error *err)
{
    struct kafka_conf c = {.properties = ret->properties, .waits = ret->waits};
    const char *slash = strrchr(text, '/');
    const size_t n = slash ? (size_t)(slash - text) : 0;
    if (!slash) {
        return error_set(err, EINVAL, "\"%.60s\" has no topic: BROKER:PORT[,BROKER:PORT]/TOPIC",
                         text);
    }
    if (n > KAFKA_BROKERS_MAX) {
        return error_set(err, EINVAL, "the list of brokers has more than %d bytes",
                         KAFKA_BROKERS_MAX);
    }
    memcpy(c.brokers, text, n);
    if (!are_brokers(c.brokers)) {
        return error_set(err, EINVAL, "\"%.60s\" is no list BROKER:PORT[,BROKER:PORT]", c.brokers);
    }
    if (!is_topic(slash + 1)) {
        return error_set(err, EINVAL,
                         "\"%.60s\" is no topic: 1 to %d letters, digits, dots, dashes and "
                         "underscores",
                         slash + 1, KAFKA_TOPIC_MAX);
    }
    memcpy(c.topic, slash + 1, strlen(slash + 1) + 1);
    *ret = c;
    return 0;
}

/* ---- the start ---- */

/* The first packet of the process: empty words, or why there is no producer. */
static int hear(int fd, struct error *err)
{
    char words[sizeof(err->text)];
    const struct mono end = mono_add_ms(mono_now(), READY_MS);
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        const int64_t left = mono_diff(end, mono_now()) / NSEC_PER_MSEC;
        const int r = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r <= 0) {
            return error_set(err, ETIMEDOUT, "Kafka: its process does not begin");
        }
        const ssize_t n = read(fd, words, sizeof(words) - 1);
        if (n <= 0) {
            return error_set(err, EPIPE, "Kafka: its process has ended");
        }
        words[n] = '\0';
        return words[0] == '\0' ? 0 : error_set(err, EINVAL, "%s", words);
    }
}

static int start(const struct kafka_conf *conf, const struct sandbox_conf *child, char *properties,
                 size_t len, int *ret_fd, pid_t *ret_pid, struct error *err)
{
    _cleanup_(closep) int mine = -1;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        return error_sys(err, errno, "Kafka");
    }
    mine = pair[0];
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        kafka_process(conf, child, properties, len, pair[1], parent);
    }
    const int e = errno;
    close(pair[1]);
    if (pid < 0) {
        return error_sys(err, e, "cannot start a process for Kafka");
    }
    const int r = hear(mine, err);
    if (r == 0) {
        *ret_fd = TAKE_FD(mine);
        *ret_pid = pid;
    } else {
        closep(&mine);
        kafka_wait(pid);
    }
    return r;
}

void kafka_wait(pid_t pid)
{
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

int kafka_start(const struct kafka_conf *conf, const struct sandbox_conf *child, int *ret_fd,
                pid_t *ret_pid, struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (conf->properties) {
        const int r = read_file(conf->properties, KAFKA_PROPERTIES_MAX, &text, &len, err);
        if (r < 0) {
            return r;
        }
        if (memchr(text, '\0', len)) {
            explicit_bzero(text, len);
            free(text);
            return error_set(err, EINVAL, "%s: a zero byte in a file of properties",
                             conf->properties);
        }
    }
    const int r = start(conf, child, text, len, ret_fd, ret_pid, err);
    if (text) {
        explicit_bzero(text, len); /* it may have a password */
    }
    free(text);
    return r;
}
