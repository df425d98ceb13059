/* SPDX-License-Identifier: Apache-2.0
 *
 * A UDP relay that stands between a tap and its collector and does to datagrams what networks do,
 * each way apart, by a seeded generator (impair_way.h); and says at the end exactly what it did.
 * The kernel's own means (netem) are not on every machine, and tell less. What it does can be
 * changed while it runs, by lines on its standard input.
 *
 * Each client gets a socket of its own towards the target, so that answers find their way back;
 * like a NAT that forgets, the relay can change that socket for another.
 */
#include "base/bytes.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "impair_way.h"

enum { CLIENTS = 64, MAX_DATAGRAM = 65536, LINE = 256, QUEUE = 1000 };

struct client {
    struct sockaddr_storage from;
    socklen_t len;
    int fd;
    uint64_t passed; /* towards the target since its last socket */
    int64_t since;
};

struct relay {
    int fd;
    struct addrinfo *target;
    struct client clients[CLIENTS];
    unsigned n_clients;
    struct way ways[2]; /* 0 from the clients to the target, 1 back */
    uint64_t rng, rebind, rebinds, overflow, strangers;
    int64_t rebind_ns;
    char line[LINE];
    size_t line_len;
    uint8_t buf[MAX_DATAGRAM];
};

static const char usage[] =
    "Usage: impair -l [ADDR:]PORT -t HOST:PORT [--seed N] [--rebind N] [--rebind-ms MS] [OPTION…]\n"
    "Relays UDP. At the end (SIGINT, SIGTERM) prints JSON. What happens from the clients to the\n"
    "target; the same with back- before it (--back-drop) on the way back; P from 0 to 1:\n"
    "  --drop P, --copy P, --damage P, --truncate P, --reorder P\n"
    "  --burst P:N           a burst of loss begins, of N datagrams on average\n"
    "  --delay MS[:JITTER]   each waits so long, give or take\n"
    "  --rate BYTES[:QUEUE]  a second; so many datagrams may wait (1000)\n"
    "  --max-size BYTES      larger datagrams vanish without a word\n"
    "  --min-size BYTES, --skip N, --stop-after N\n"
    "                        smaller ones, the first N and those after N pass untouched\n"
    "--rebind and --rebind-ms change the port that the target sees, as a NAT does that forgets.\n"
    "Lines on standard input: an option and its value (drop 0.5), outage (nothing passes any "
    "more,\n"
    "either way), heal (nothing happens to datagrams any more), rebind, count (says how many "
    "came).\n";

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void big_buffers(int fd)
{
    int size = 64 << 20;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

/* How many datagrams the kernel threw away because we were too slow: must be 0. */
static uint64_t overflow(int fd)
{
    uint32_t info[16] = {0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 ? info[8] : 0;
}

/* HOST:PORT, [HOST]:PORT or PORT. */
static int resolve(const char *text, bool passive, struct addrinfo **ret_list)
{
    char host[128] = {0};
    const char *colon = strrchr(text, ':');
    const char *start = text[0] == '[' ? text + 1 : text;
    if (colon) {
        size_t n = (size_t)(colon - start) - (text[0] == '[' ? 1 : 0);
        if (n >= sizeof(host)) {
            return -EINVAL;
        }
        memcpy(host, start, n);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = passive ? AI_PASSIVE : 0};
    return getaddrinfo(host[0] ? host : NULL, colon ? colon + 1 : text, &hints, ret_list) ? -EINVAL
                                                                                          : 0;
}

/* ---- datagrams ---- */

static int open_towards(const struct relay *r)
{
    int fd = socket(r->target->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, r->target->ai_addr, r->target->ai_addrlen) < 0) {
        int e = errno;
        if (fd >= 0) {
            close(fd);
        }
        return -e;
    }
    big_buffers(fd);
    return fd;
}

static int find_client(struct relay *r, const struct sockaddr_storage *from, socklen_t len)
{
    for (unsigned i = 0; i < r->n_clients; i++) {
        if (r->clients[i].len == len && memcmp(&r->clients[i].from, from, len) == 0) {
            return (int)i;
        }
    }
    int fd = r->n_clients < CLIENTS ? open_towards(r) : -ENOSPC;
    if (fd < 0) {
        r->strangers++;
        return fd;
    }
    r->clients[r->n_clients] =
        (struct client){.from = *from, .len = len, .fd = fd, .since = now_ns()};
    return (int)r->n_clients++;
}

static bool pass(void *user, unsigned way, unsigned client, const uint8_t *data, size_t len)
{
    struct relay *r = user;
    struct client *c = &r->clients[client];
    ssize_t n = 0;
    for (unsigned tries = 0; tries < 2; tries++) { /* the first may tell of an earlier refusal */
        n = way == 0 ? send(c->fd, data, len, 0)
                     : sendto(r->fd, data, len, 0, (struct sockaddr *)&c->from, c->len);
        if (n >= 0 || errno != ECONNREFUSED) {
            break;
        }
    }
    c->passed += way == 0;
    return n == (ssize_t)len;
}

/* Takes what is there, 256 at most; true when that was all. */
static bool receive(struct relay *r, int fd, int client)
{
    for (unsigned i = 0; i < 256; i++) {
        struct sockaddr_storage from = {0};
        socklen_t from_len = sizeof(from);
        ssize_t n =
            recvfrom(fd, r->buf, sizeof(r->buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0) {
            return true; /* empty, or the target's host said that nobody listens: it will again */
        }
        int who = client >= 0 ? client : find_client(r, &from, from_len);
        if (who >= 0) {
            way_datagram(&r->ways[client >= 0], (unsigned)who, r->buf, (size_t)n, now_ns());
        }
    }
    return false;
}

/* Another port towards the target: what comes to the old one from now on is gone. */
static void rebind(struct relay *r, unsigned client)
{
    struct client *c = &r->clients[client];
    int fd = open_towards(r);
    if (fd < 0) {
        return;
    }
    while (!receive(r, c->fd, (int)client)) {
    }
    r->overflow += overflow(c->fd);
    close(c->fd);
    c->fd = fd;
    c->passed = 0;
    c->since = now_ns();
    r->rebinds++;
}

static void rebind_due(struct relay *r, int64_t now)
{
    for (unsigned i = 0; i < r->n_clients; i++) {
        const struct client *c = &r->clients[i];
        if ((r->rebind && c->passed >= r->rebind) ||
            (r->rebind_ns && now - c->since >= r->rebind_ns)) {
            rebind(r, i);
        }
    }
}

/* ---- options, also at run time ---- */

/* "A:B"; `b` stays as it is when there is none. */
static bool two(const char *arg, double *a, double *b)
{
    char *end = NULL;
    *a = strtod(arg, &end);
    if (end == arg) {
        return false;
    }
    if (*end == ':') {
        const char *second = end + 1;
        *b = strtod(second, &end);
        return end != second && !*end;
    }
    return !*end;
}

static bool set_way(struct way_conf *c, const char *name, double a, double b)
{
    const struct {
        const char *name;
        double *p;
    } odds[] = {{"drop", &c->drop},         {"copy", &c->copy},       {"damage", &c->damage},
                {"truncate", &c->truncate}, {"reorder", &c->reorder}, {"burst", &c->burst},
                {"rate", &c->rate}};
    const struct {
        const char *name;
        uint64_t *n;
    } numbers[] = {{"max-size", &c->max_size},
                   {"min-size", &c->min_size},
                   {"skip", &c->skip},
                   {"stop-after", &c->stop_after}};
    if (strcmp(name, "delay") == 0) {
        c->delay_ns = (int64_t)(a * 1e6);
        c->jitter_ns = (int64_t)(b * 1e6);
        return true;
    }
    for (size_t i = 0; i < sizeof(odds) / sizeof(odds[0]); i++) {
        if (strcmp(name, odds[i].name) == 0) {
            *odds[i].p = a;
            c->burst_len = odds[i].p == &c->burst ? b : c->burst_len;
            c->queue = odds[i].p == &c->rate ? (b > 0 ? (uint64_t)b : QUEUE) : c->queue;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].n = (uint64_t)a;
            return true;
        }
    }
    return false;
}

static bool set(struct relay *r, const char *name, const char *arg)
{
    double a = 0, b = 0;
    if (!two(arg, &a, &b) || a < 0 || b < 0) {
        return false;
    }
    if (strcmp(name, "seed") == 0) {
        r->rng = (uint64_t)a;
    } else if (strcmp(name, "rebind") == 0) {
        r->rebind = (uint64_t)a;
    } else if (strcmp(name, "rebind-ms") == 0) {
        r->rebind_ns = (int64_t)(a * 1e6);
    } else {
        bool back = strncmp(name, "back-", 5) == 0;
        return set_way(&r->ways[back].conf, back ? name + 5 : name, a, b);
    }
    return true;
}

static void command(struct relay *r, char *line)
{
    char *space = strchr(line, ' ');
    bool ok = true;
    if (space) {
        *space = '\0';
        ok = set(r, line, space + 1);
        *space = ' ';
    } else if (strcmp(line, "outage") == 0) {
        r->ways[0].off = r->ways[1].off = true;
    } else if (strcmp(line, "heal") == 0) {
        for (unsigned i = 0; i < 2; i++) {
            r->ways[i].off = false;
            r->ways[i].bursting = 0;
            r->ways[i].conf = (struct way_conf){0};
        }
        r->rebind = 0;
        r->rebind_ns = 0;
    } else if (strcmp(line, "count") == 0) {
        fprintf(stderr, "impair: received %llu %llu\n", (unsigned long long)r->ways[0].n.received,
                (unsigned long long)r->ways[1].n.received);
    } else if (strcmp(line, "rebind") == 0) {
        for (unsigned i = 0; i < r->n_clients; i++) {
            rebind(r, i);
        }
    } else {
        ok = false;
    }
    fprintf(stderr, "impair: %s: %s\n", ok ? "done" : "cannot", line);
}

/* False at the end of the input. */
static bool commands(struct relay *r)
{
    ssize_t n = read(STDIN_FILENO, r->line + r->line_len, LINE - 1 - r->line_len);
    if (n <= 0) {
        return false;
    }
    r->line_len += (size_t)n;
    for (char *end; (end = memchr(r->line, '\n', r->line_len)) != NULL;) {
        *end = '\0';
        command(r, r->line);
        r->line_len -= (size_t)(end + 1 - r->line);
        memmove(r->line, end + 1, r->line_len);
    }
    return r->line_len < LINE - 1;
}

/* ---- the loop ---- */

static struct timespec *wait_for(const struct relay *r, struct timespec *ts)
{
    int64_t now = now_ns(), next = 0;
    for (unsigned i = 0; i < 2; i++) {
        int64_t t = way_next(&r->ways[i]);
        next = t && (!next || t < next) ? t : next;
    }
    for (unsigned i = 0; r->rebind_ns && i < r->n_clients; i++) {
        int64_t t = r->clients[i].since + r->rebind_ns;
        next = !next || t < next ? t : next;
    }
    if (!next) {
        return NULL;
    }
    int64_t left = next > now ? next - now : 0;
    *ts = (struct timespec){left / 1000000000, left % 1000000000};
    return ts;
}

static void run(struct relay *r, int signals)
{
    bool input = true;
    for (;;) {
        struct pollfd p[CLIENTS + 3] = {{.fd = signals, .events = POLLIN},
                                        {.fd = r->fd, .events = POLLIN},
                                        {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};
        struct timespec ts;
        for (unsigned i = 0; i < r->n_clients; i++) {
            p[3 + i] = (struct pollfd){.fd = r->clients[i].fd, .events = POLLIN};
        }
        unsigned n = r->n_clients;
        if (ppoll(p, 3 + n, wait_for(r, &ts), NULL) < 0 && errno != EINTR) {
            return;
        }
        way_release(&r->ways[0], now_ns());
        way_release(&r->ways[1], now_ns());
        if (p[1].revents) {
            receive(r, r->fd, -1);
        }
        for (unsigned i = 0; i < n; i++) {
            if (p[3 + i].revents) {
                receive(r, r->clients[i].fd, (int)i);
            }
        }
        if (p[2].revents) { /* after what came before it */
            input = commands(r);
        }
        rebind_due(r, now_ns());
        if (p[0].revents) {
            return;
        }
    }
}

static void report_way(const struct way *w, const char *name)
{
    const struct way_counts *n = &w->n;
    const struct {
        const char *name;
        uint64_t n;
    } all[] = {
        {"received", n->received},   {"copied", n->copied},       {"sent", n->sent},
        {"unsent", n->unsent},       {"dropped", n->dropped},     {"burst", n->burst},
        {"outage", n->outage},       {"swallowed", n->swallowed}, {"queue_full", n->queue_full},
        {"left", n->left},           {"damaged", n->damaged},     {"truncated", n->truncated},
        {"reordered", n->reordered}, {"delayed", n->delayed}};
    printf("\"%s\": {", name);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        printf("\"%s\": %llu, ", all[i].name, (unsigned long long)all[i].n);
    }
    printf("\"sums\": %s}, ", way_sums(w) ? "true" : "false");
}

static void report(struct relay *r)
{
    uint64_t lost = r->overflow + overflow(r->fd);
    for (unsigned i = 0; i < r->n_clients; i++) {
        lost += overflow(r->clients[i].fd);
    }
    printf("{");
    report_way(&r->ways[0], "forward");
    report_way(&r->ways[1], "back");
    printf("\"clients\": %u, \"rebinds\": %llu, \"strangers\": %llu, \"overflow\": %llu}\n",
           r->n_clients, (unsigned long long)r->rebinds, (unsigned long long)r->strangers,
           (unsigned long long)lost);
}

/* "--drop 0.1" or "--drop=0.1"; -l and -t stand apart. */
static int parse_options(int argc, char **argv, struct relay *r, const char **ret_listen)
{
    for (int i = 1; i < argc; i++) {
        char *word = argv[i], *value = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        if (value) {
            *value++ = '\0';
        } else if (i + 1 < argc) {
            value = argv[++i];
        } else {
            return -EINVAL;
        }
        bool ok = false;
        if (strcmp(word, "-l") == 0) {
            *ret_listen = value;
            ok = true;
        } else if (strcmp(word, "-t") == 0) {
            ok = resolve(value, false, &r->target) == 0;
        } else if (strncmp(word, "--", 2) == 0) {
            ok = set(r, word + 2, value);
        }
        if (!ok) {
            return -EINVAL;
        }
    }
    return *ret_listen && r->target ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct relay *r = calloc(1, sizeof(*r));
    struct addrinfo *local = NULL;
    const char *listen_on = NULL;
    for (unsigned i = 0; r && i < 2; i++) {
        r->ways[i] = (struct way){.rng = &r->rng, .send = pass, .user = r, .number = i};
    }
    if (!r || parse_options(argc, argv, r, &listen_on) < 0 || resolve(listen_on, true, &local)) {
        fputs(usage, stderr);
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    r->fd = socket(local->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0 || signal_fd < 0 || bind(r->fd, local->ai_addr, local->ai_addrlen) < 0) {
        fprintf(stderr, "impair: %s: %s\n", listen_on, strerror(errno));
        return 1;
    }
    big_buffers(r->fd);
    /* The relay holds datagrams back for as long as it says, also where others want the processor.
     * If that is not allowed, a busy machine makes some of them later. */
    (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    fputs("impair: ready\n", stderr);
    run(r, signal_fd);
    way_done(&r->ways[0]);
    way_done(&r->ways[1]);
    report(r);
    freeaddrinfo(local);
    freeaddrinfo(r->target);
    free(r);
    return 0;
}
