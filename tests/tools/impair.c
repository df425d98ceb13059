/* SPDX-License-Identifier: Apache-2.0
 *
 * A UDP relay that stands between a tap and its collector and loses, doubles, damages or delays
 * datagrams on purpose, each with a probability drawn from a seeded generator, and says at the end
 * exactly what it did. The kernel's own means (netem) are not on every machine, and tell less.
 *
 * Each client gets a socket of its own towards the target, so that answers find their way back.
 */
#include "base/bytes.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 16, HELD = 64, HOLD_DATAGRAMS = 5, HOLD_MS = 20, MAX_DATAGRAM = 65536 };

struct odds {
    double drop, copy, damage, reorder;
};

struct held {
    uint8_t *data;
    size_t len;
    unsigned client;
    unsigned wait; /* for so many more datagrams of that way */
    int64_t until;
};

/* One way: 0 from the clients to the target, 1 back. */
struct way {
    struct odds odds;
    struct held held[HELD];
    unsigned n_held;
    uint64_t received, sent, dropped, copied, damaged, reordered, unsent;
};

struct client {
    struct sockaddr_storage from;
    socklen_t len;
    int fd;
};

struct relay {
    int fd;
    struct addrinfo *target;
    struct client clients[CLIENTS];
    unsigned n_clients;
    struct way ways[2];
    uint64_t rng, skip, stop_after;
    size_t min_size;
    uint8_t buf[MAX_DATAGRAM];
};

static const char usage[] =
    "Usage: impair -l [ADDR:]PORT -t HOST:PORT [--drop P] [--copy P] [--damage P] [--reorder P]\n"
    "              [--back-drop P] [--min-size BYTES] [--skip N] [--stop-after N] [--seed N]\n"
    "Relays UDP. P is a probability from 0 to 1; datagrams below --min-size, the first --skip and\n"
    "those after --stop-after of a way pass untouched. At the end (SIGINT, SIGTERM) prints JSON.\n";

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool happens(struct relay *r, double p)
{
    uint64_t z = (r->rng += 0x9e3779b97f4a7c15u); /* splitmix64, as in frames.c */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0 < p;
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

static int find_client(struct relay *r, const struct sockaddr_storage *from, socklen_t len)
{
    for (unsigned i = 0; i < r->n_clients; i++) {
        if (r->clients[i].len == len && memcmp(&r->clients[i].from, from, len) == 0) {
            return (int)i;
        }
    }
    if (r->n_clients == CLIENTS) {
        return -ENOSPC;
    }
    int fd = socket(r->target->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, r->target->ai_addr, r->target->ai_addrlen) < 0) {
        return -errno;
    }
    big_buffers(fd);
    r->clients[r->n_clients] = (struct client){.from = *from, .len = len, .fd = fd};
    return (int)r->n_clients++;
}

static void pass(struct relay *r, unsigned way, unsigned client, const uint8_t *data, size_t len)
{
    struct client *c = &r->clients[client];
    ssize_t n = way == 0 ? send(c->fd, data, len, 0)
                         : sendto(r->fd, data, len, 0, (struct sockaddr *)&c->from, c->len);
    if (n == (ssize_t)len) {
        r->ways[way].sent++;
    } else {
        r->ways[way].unsent++; /* such as: nobody listens at the target now */
    }
}

/* Lets go what was held long enough; `passed` datagrams went by since. */
static void release(struct relay *r, unsigned way, unsigned passed, int64_t now)
{
    struct way *w = &r->ways[way];
    for (unsigned i = 0; i < w->n_held;) {
        struct held *h = &w->held[i];
        h->wait -= h->wait < passed ? h->wait : passed;
        if (h->wait && now < h->until) {
            i++;
            continue;
        }
        pass(r, way, h->client, h->data, h->len);
        free(h->data);
        memmove(h, h + 1, (--w->n_held - i) * sizeof(*h));
    }
}

static bool hold(struct way *w, unsigned client, const uint8_t *data, size_t len)
{
    uint8_t *copy = w->n_held < HELD ? malloc(len + 1) : NULL;
    if (!copy) {
        return false;
    }
    memcpy(copy, data, len);
    w->held[w->n_held++] = (struct held){copy, len, client, HOLD_DATAGRAMS, now_ms() + HOLD_MS};
    w->reordered++;
    return true;
}

static void handle(struct relay *r, unsigned way, unsigned client, size_t len)
{
    struct way *w = &r->ways[way];
    bool exempt = len < r->min_size || w->received < r->skip ||
                  (r->stop_after && w->received >= r->stop_after);
    w->received++;
    if (exempt) {
        pass(r, way, client, r->buf, len);
        release(r, way, 1, now_ms());
        return;
    }
    if (happens(r, w->odds.drop)) {
        w->dropped++;
        return;
    }
    if (happens(r, w->odds.damage)) {
        r->buf[len / 2] ^= 0x10;
        w->damaged++;
    }
    if (happens(r, w->odds.copy)) {
        pass(r, way, client, r->buf, len);
        w->copied++;
    }
    if (happens(r, w->odds.reorder) && hold(w, client, r->buf, len)) {
        return;
    }
    pass(r, way, client, r->buf, len);
    release(r, way, 1, now_ms());
}

static void receive(struct relay *r, int fd, int client)
{
    for (unsigned i = 0; i < 256; i++) {
        struct sockaddr_storage from = {0};
        socklen_t from_len = sizeof(from);
        ssize_t n =
            recvfrom(fd, r->buf, sizeof(r->buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0) {
            return; /* empty, or the target's host said that nobody listens: it will again */
        }
        int who = client >= 0 ? client : find_client(r, &from, from_len);
        if (who >= 0) {
            handle(r, client >= 0, (unsigned)who, (size_t)n);
        }
    }
}

static void run(struct relay *r, int signals)
{
    for (;;) {
        struct pollfd p[CLIENTS + 2] = {{.fd = signals, .events = POLLIN},
                                        {.fd = r->fd, .events = POLLIN}};
        for (unsigned i = 0; i < r->n_clients; i++) {
            p[2 + i] = (struct pollfd){.fd = r->clients[i].fd, .events = POLLIN};
        }
        unsigned n = r->n_clients;
        bool held = r->ways[0].n_held || r->ways[1].n_held;
        if (poll(p, 2 + n, held ? HOLD_MS : -1) < 0 && errno != EINTR) {
            return;
        }
        if (p[1].revents) {
            receive(r, r->fd, -1);
        }
        for (unsigned i = 0; i < n; i++) {
            if (p[2 + i].revents) {
                receive(r, r->clients[i].fd, (int)i);
            }
        }
        release(r, 0, 0, now_ms());
        release(r, 1, 0, now_ms());
        if (p[0].revents) {
            return;
        }
    }
}

static void report(const struct relay *r)
{
    static const char *const names[] = {"forward", "back"};
    uint64_t lost = overflow(r->fd);
    for (unsigned i = 0; i < r->n_clients; i++) {
        lost += overflow(r->clients[i].fd);
    }
    printf("{");
    for (unsigned i = 0; i < 2; i++) {
        const struct way *w = &r->ways[i];
        printf("\"%s\": {\"received\": %llu, \"sent\": %llu, \"dropped\": %llu, \"copied\": %llu, "
               "\"damaged\": %llu, \"reordered\": %llu, \"unsent\": %llu}, ",
               names[i], (unsigned long long)w->received, (unsigned long long)w->sent,
               (unsigned long long)w->dropped, (unsigned long long)w->copied,
               (unsigned long long)w->damaged, (unsigned long long)w->reordered,
               (unsigned long long)w->unsent);
    }
    printf("\"clients\": %u, \"overflow\": %llu}\n", r->n_clients, (unsigned long long)lost);
}

static int parse_options(int argc, char **argv, struct relay *r, const char **ret_listen)
{
    static const struct option options[] = {{"drop", 1, NULL, 'd'},       {"copy", 1, NULL, 'c'},
                                            {"damage", 1, NULL, 'g'},     {"reorder", 1, NULL, 'r'},
                                            {"back-drop", 1, NULL, 'b'},  {"seed", 1, NULL, 's'},
                                            {"min-size", 1, NULL, 'm'},   {"skip", 1, NULL, 'k'},
                                            {"stop-after", 1, NULL, 'a'}, {0}};
    int c, bad = 0;
    while ((c = getopt_long(argc, argv, "l:t:", options, NULL)) != -1) {
        const char *arg = optarg ? optarg : "";
        double p = strtod(arg, NULL);
        if (c == 'l') {
            *ret_listen = arg;
        } else if (c == 't') {
            bad |= resolve(arg, false, &r->target);
        } else if (c == 'd') {
            r->ways[0].odds.drop = p;
        } else if (c == 'c') {
            r->ways[0].odds.copy = p;
        } else if (c == 'g') {
            r->ways[0].odds.damage = p;
        } else if (c == 'r') {
            r->ways[0].odds.reorder = p;
        } else if (c == 'b') {
            r->ways[1].odds.drop = p;
        } else if (c == 's') {
            r->rng = (uint64_t)p;
        } else if (c == 'm') {
            r->min_size = (size_t)p;
        } else if (c == 'k') {
            r->skip = (uint64_t)p;
        } else if (c == 'a') {
            r->stop_after = (uint64_t)p;
        } else {
            bad = 1;
        }
    }
    return bad || !*ret_listen || !r->target || optind != argc ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
    struct relay *r = calloc(1, sizeof(*r));
    struct addrinfo *local = NULL;
    const char *listen_on = NULL;
    if (!r || parse_options(argc, argv, r, &listen_on) < 0 || resolve(listen_on, true, &local)) {
        fputs(usage, stderr);
        return 2;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    r->fd = socket(local->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0 || signals < 0 || bind(r->fd, local->ai_addr, local->ai_addrlen) < 0) {
        fprintf(stderr, "impair: %s: %s\n", listen_on, strerror(errno));
        return 1;
    }
    big_buffers(r->fd);
    fputs("impair: ready\n", stderr);
    run(r, signals);
    report(r);
    freeaddrinfo(local);
    freeaddrinfo(r->target);
    free(r);
    return 0;
}
