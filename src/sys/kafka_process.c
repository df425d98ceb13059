/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/kafka_process.h"

#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/time.h"

enum {
    POLL_MS = 50,
    REPORT_MS = 100,
    LOG_MS = 10000, /* between two sentences for people */
    PROPERTY_MAX = 16384,
};

struct process {
    const struct kafka_conf *conf;
    rd_kafka_conf_t *like; /* the producer's, for another one */
    rd_kafka_t *producer;
    int fd;
    struct kafka_counts now, told;
    bool all_down; /* no broker can be reached, as far as is known */
    bool ended;    /* the engine has nothing more */
    bool alone;    /* the engine waits for nothing more */
    struct mono reported, logged;
    char first[200]; /* that was said before there was a producer */
};

/* ---- for people ---- */

static void say(struct process *p, const char *text)
{
    const struct mono now = mono_now();
    if (p->logged.ns == 0 || mono_diff(now, p->logged) >= LOG_MS * NSEC_PER_MSEC) {
        p->logged = now;
        fprintf(stderr, "farspan: Kafka: %s\n", text);
    }
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct process *p = rd_kafka_opaque(rk);
    (void)facility;
    if (level <= 4 && p->producer) { /* syslog's: a warning, or worse */
        say(p, text);
    } else if (level <= 4 && !p->first[0]) {
        (void)snprintf(p->first, sizeof(p->first), "%s", text);
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *user)
{
    struct process *p = user;
    (void)rk;
    p->all_down |= code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    say(p, reason);
}

/* ---- messages ---- */

/* Is it that the brokers were away, and not that they said no? */
static bool is_away(rd_kafka_resp_err_t e)
{
    return e == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || e == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           e == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || e == RD_KAFKA_RESP_ERR__TRANSPORT ||
           e == RD_KAFKA_RESP_ERR__PURGE_QUEUE || e == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
           e == RD_KAFKA_RESP_ERR__DESTROY || e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *user)
{
    struct process *p = user;
    (void)rk;
    if (m->err == 0) {
        p->all_down = false;
        p->now.delivered++;
    } else if (is_away(m->err)) {
        p->now.away++;
    } else {
        p->now.refused++;
        say(p, rd_kafka_err2str(m->err));
    }
}

int kafka_messages(const uint8_t *packet, size_t len,
                   void (*each)(void *user, const uint8_t *key, size_t key_len,
                                const uint8_t *value, size_t value_len),
                   void *user)
{
    int n = 0;
    struct rd r = rd_make(packet, len);
    while (rd_left(&r) > 0) {
        const size_t key_len = rd_u16(&r), value_len = rd_u16(&r);
        const uint8_t *key = rd_take(&r, key_len), *value = rd_take(&r, value_len);
        if (!rd_ok(&r) || value_len == 0) {
            return -1;
        }
        each(user, key, key_len, value, value_len);
        n++;
    }
    return n;
}

/* The queue is full: hears of what was delivered. Where records wait, so does this, as long as the
 * engine is there. */
static void look_for_room(struct process *p)
{
    struct pollfd f = {p->fd, 0, 0};
    (void)rd_kafka_poll(p->producer, p->conf->waits ? POLL_MS : 0);
    if (poll(&f, 1, 0) > 0 && f.revents & (POLLHUP | POLLERR)) {
        p->ended = true;
        p->alone = true;
    }
}

static void report(struct process *p, bool now);

static void produce(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
                    size_t value_len)
{
    struct process *p = user;
    rd_kafka_resp_err_t e;
    p->now.in++;
    do {
        e = rd_kafka_producev(p->producer, RD_KAFKA_V_TOPIC(p->conf->topic),
                              RD_KAFKA_V_KEY(key_len ? key : NULL, key_len),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            look_for_room(p);
            report(p, false);
        }
    } while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL && p->conf->waits && !p->ended);
    if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        p->now.away += p->all_down;
        p->now.slow += !p->all_down;
    } else if (e != 0) {
        p->now.refused++;
        say(p, rd_kafka_err2str(e));
    }
}

/* ---- the socket ---- */

static void report(struct process *p, bool now)
{
    const struct mono t = mono_now();
    if (memcmp(&p->now, &p->told, sizeof(p->now)) == 0 ||
        (!now && mono_diff(t, p->reported) < REPORT_MS * NSEC_PER_MSEC)) {
        return;
    }
    p->reported = t;
    if (write(p->fd, &p->now, sizeof(p->now)) == (ssize_t)sizeof(p->now)) {
        p->told = p->now; /* else a later one has them */
    }
}

static void take_packet(struct process *p, uint8_t *packet)
{
    const ssize_t n = read(p->fd, packet, KAFKA_PACKET);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 1 || kafka_messages(packet, (size_t)n, produce, p) < 0) {
        p->ended = true; /* also where the engine is not what it was */
    }
}

/* Gives up what waits or is under way, and counts it. */
static void purge(struct process *p)
{
    (void)rd_kafka_purge(p->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(p->producer, REPORT_MS);
}

/* ---- the producer ---- */

/* The line's property; `*line` is cut into its parts. */
static int set_property(rd_kafka_conf_t *c, char *line, char *why, size_t why_len)
{
    static const char *const ours[] = {"bootstrap.servers", "metadata.broker.list",
                                       "enable.idempotence", "plugin.library.paths"};
    char *name = line + strspn(line, " \t"), *value = strchr(name, '=');
    if (name[0] == '\0' || name[0] == '#') {
        return 0;
    }
    if (!value) {
        (void)snprintf(why, why_len, "is no name=value");
        return -EINVAL;
    }
    *value++ = '\0';
    for (size_t n = strlen(name); n > 0 && strchr(" \t", name[n - 1]); n--) {
        name[n - 1] = '\0';
    }
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n > 0 && strchr(" \t\r", value[n - 1]); n--) {
        value[n - 1] = '\0';
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(name, ours[i]) == 0) {
            (void)snprintf(why, why_len, "%s is not to be set here", name);
            return -EINVAL;
        }
    }
    return rd_kafka_conf_set(c, name, value, why, why_len) == RD_KAFKA_CONF_OK ? 0 : -EINVAL;
}

static int set_properties(rd_kafka_conf_t *c, const struct kafka_conf *conf, char *text,
                          struct error *err)
{
    unsigned n = 0;
    for (char *line = text, *next; line; line = next) {
        char why[200] = "";
        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        n++;
        if (set_property(c, line, why, sizeof(why)) < 0) {
            return error_set(err, EINVAL, "%s, line %u: %s", conf->properties, n, why);
        }
    }
    return 0;
}

static int configure(rd_kafka_conf_t *c, struct process *p, char *properties, struct error *err)
{
    const char *const first[][2] = {{"client.id", "farspan"},
                                    {"queue.buffering.max.kbytes", "16384"},
                                    {"queue.buffering.max.messages", "200000"},
                                    {"linger.ms", "100"},
                                    {"bootstrap.servers", p->conf->brokers},
                                    {"enable.idempotence", "true"}};
    char why[200] = "";
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        if (rd_kafka_conf_set(c, first[i][0], first[i][1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            return error_set(err, EINVAL, "Kafka: %s", why);
        }
    }
    rd_kafka_conf_set_opaque(c, p);
    rd_kafka_conf_set_dr_msg_cb(c, on_delivery);
    rd_kafka_conf_set_error_cb(c, on_error);
    rd_kafka_conf_set_log_cb(c, on_log);
    return properties ? set_properties(c, p->conf, properties, err) : 0;
}

static int make_producer(struct process *p, struct error *err)
{
    char why[200] = "";
    rd_kafka_conf_t *c = rd_kafka_conf_dup(p->like);
    p->producer = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof(why));
    if (!p->producer) {
        rd_kafka_conf_destroy(c); /* else it is the producer's */
        return error_set(err, EINVAL, "Kafka: %s%s%s%s", why, p->first[0] ? " (" : "", p->first,
                         p->first[0] ? ")" : "");
    }
    return 0;
}

/* A broker has forgotten what an idempotent producer needs of it, for instance: that one takes
 * nothing more. Another does, without the messages under way. */
static void look_at_fatal(struct process *p)
{
    char why[200] = "";
    struct error err = {""};
    if (rd_kafka_fatal_error(p->producer, why, sizeof(why)) == 0) {
        return;
    }
    say(p, why);
    purge(p);
    rd_kafka_destroy(p->producer);
    if (make_producer(p, &err) < 0) {
        say(p, err.text);
        _exit(EXIT_FAILURE);
    }
}

/* ---- its life ---- */

static void run(struct process *p)
{
    static uint8_t packet[KAFKA_PACKET];
    while (!p->ended) {
        struct pollfd f = {p->fd, POLLIN, 0};
        const int r = poll(&f, 1, POLL_MS);
        if (r > 0) {
            take_packet(p, packet);
        }
        (void)rd_kafka_poll(p->producer, 0);
        look_at_fatal(p);
        report(p, false);
    }
}

/* Delivers all that waits, within bounds, and counts the rest. */
static void finish(struct process *p)
{
    const struct mono end = mono_add_ms(mono_now(), KAFKA_FINISH_MS);
    while (rd_kafka_outq_len(p->producer) > 0 && !p->alone && !mono_due(mono_now(), end)) {
        (void)rd_kafka_flush(p->producer, POLL_MS);
        report(p, false);
    }
    purge(p);
    report(p, true);
}

static int become(const struct sandbox_conf *child, int fd, pid_t parent, struct error *err)
{
    (void)signal(SIGPIPE, SIG_IGN);
    /* A terminal's signals are for the engine, which tells us when it has ended. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0) {
        return error_sys(err, errno, "Kafka");
    }
    const int r = sandbox_drop_child(child, "farspan-kafka", parent, fd);
    return r < 0 ? error_sys(err, -r, "Kafka") : 0;
}

_Noreturn void kafka_process(const struct kafka_conf *conf, const struct sandbox_conf *child,
                             char *properties, size_t len, int fd, pid_t parent)
{
    struct error err = {""};
    struct process p = {.conf = conf, .fd = fd, .like = rd_kafka_conf_new()};
    int r = become(child, fd, parent, &err);
    r = r < 0 ? r : configure(p.like, &p, properties, &err);
    r = r < 0 ? r : make_producer(&p, &err);
    if (properties) {
        explicit_bzero(properties, len);
    }
    if (write(fd, err.text, strlen(err.text) + 1) < 0 || r < 0) {
        _exit(EXIT_FAILURE);
    }
    run(&p);
    finish(&p);
    _exit(EXIT_SUCCESS);
}
