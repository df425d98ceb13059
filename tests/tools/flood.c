/* SPDX-License-Identifier: Apache-2.0
 *
 * Somebody who means a collector no good: sends one kind of datagram at a steady rate, from real
 * sockets or from forged addresses, a bounded number of times, and says at the end how much it sent
 * and what came back. It is written from docs/protocol.md and shares no code with the link.
 */
#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SOURCES = 1024,
    INDICES = 256,
    FILE_MAX = 16 << 20,
    DATAGRAM = 1400,
    HELLO = 384,
    COOKIE_AT = 368,
    TYPES = 17,
    HEADERS = 28, /* of IPv4 and UDP */
};

enum kind { KIND_HELLO, KIND_GARBAGE, KIND_INDEX, KIND_REPLAY, KIND_NOISE };
static const char *const kinds[] = {"hello", "garbage", "index", "replay", "noise"};

union address {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6; /* its port is where IPv4's is */
};

struct source {
    int fd;
    uint8_t cookie[16];
};

struct flood {
    enum kind kind;
    union address to, from;
    unsigned sources, method, n_index, stream;
    bool forge, cookies, one;
    size_t len;
    uint64_t count, pps, rng, at;
    uint32_t index[INDICES];
    uint8_t *file;
    size_t file_len, file_at;
    struct source source[SOURCES];
    int raw;
    uint64_t sent, errors, bytes_out, answers, bytes_in, by_type[TYPES];
};

static const char usage[] =
    "Usage: flood KIND --to ADDR:PORT [--count N] [--pps RATE] [--from ADDR[:PORT]]\n"
    "             [--sources N] [--one] [--forge] [--cookies] [--method M] [--index HEX,...]\n"
    "             [--stream N] [--len BYTES] [--file FILE] [--seed N]\n"
    "KIND: hello; garbage (records of the sessions --index, random inside); index (records of no\n"
    "session); replay (datagrams of FILE, each behind its length in two bytes); noise (random).\n"
    "--sources: so many sockets, on addresses from --from upwards, with --one all on that one; "
    "with\n"
    "--forge no sockets, but as many addresses (IPv4) written into the datagrams, from the port "
    "of\n"
    "--from, or else from any. --cookies: HELLOs bring back what they were sent.\n";

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t draw(struct flood *f)
{
    uint64_t z = (f->rng += 0x9e3779b97f4a7c15u); /* splitmix64, as in frames.c */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void fill(struct flood *f, uint8_t *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = (uint8_t)draw(f);
    }
}

/* A HELLO that makes the collector work: for CPace with a point that is one, the group's base. */
static size_t hello(struct flood *f, const struct source *s, uint8_t *d)
{
    static const uint8_t base[32] = {0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71,
                                     0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
                                     0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d,
                                     0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76};
    uint16_t len = f->method == 1 ? 48 : f->method == 2 ? 104 : 0;
    struct wr w = wr_make(d, HELLO);
    wr_u32(&w, 0x01010000 | f->method << 8);
    wr_u32(&w, 0x46535031);
    wr_u32(&w, (uint32_t)draw(f) | 1);
    wr_u32(&w, 0);
    wr_u16(&w, 0x0101);
    wr_u16(&w, f->method == 0 ? 1 : 6);
    wr_u16(&w, len);
    uint8_t *data = wr_take(&w, len);
    wr_zero(&w, wr_left(&w));
    fill(f, data, len);
    if (f->method == 1) {
        memcpy(data + 16, base, sizeof(base));
    }
    if (s && f->cookies) {
        memcpy(d + COOKIE_AT, s->cookie, sizeof(s->cookie));
    }
    return HELLO;
}

/* By docs/protocol.md, of the other 14 bytes of a record's header. */
static uint16_t mark(uint32_t start, uint32_t index, uint64_t counter)
{
    uint32_t h = index * 0x9e3779b1;
    h = (h ^ (uint32_t)counter) * 0x85ebca6b;
    h = (h ^ start) * 0xc2b2ae35;
    h = (h ^ (uint16_t)(counter >> 32)) * 0x27d4eb2f;
    return (uint16_t)(h >> 16);
}

static size_t record(struct flood *f, uint32_t index, uint8_t *d)
{
    struct wr w = wr_make(d, DATAGRAM);
    uint32_t start = 0x10010000 | f->stream;
    wr_u32(&w, start);
    wr_u32(&w, index);
    wr_u64(&w, (uint64_t)mark(start, index, f->at) << 48 | f->at);
    fill(f, d + 16, f->len - 16);
    return f->len;
}

static size_t from_file(struct flood *f, const uint8_t **ret)
{
    struct rd r = rd_make(f->file + f->file_at, f->file_len - f->file_at);
    size_t n = rd_u16(&r);
    *ret = rd_take(&r, n);
    if (!*ret) {
        exit(2);
    }
    f->file_at += 2 + n;
    f->file_at = f->file_at < f->file_len ? f->file_at : 0;
    return n;
}

static size_t make(struct flood *f, const struct source *s, uint8_t *d, const uint8_t **ret)
{
    *ret = d;
    switch (f->kind) {
    case KIND_HELLO:
        return hello(f, s, d);
    case KIND_GARBAGE:
        return record(f, f->index[f->at % f->n_index], d);
    case KIND_INDEX:
        return record(f, (uint32_t)draw(f) | 1, d);
    case KIND_REPLAY:
        return from_file(f, ret);
    case KIND_NOISE:
    default:
        fill(f, d, f->len);
        return f->len;
    }
}

static ssize_t send_forged(struct flood *f, const uint8_t *d, size_t n)
{
    uint8_t packet[HEADERS + DATAGRAM * 2] = {0x45};
    uint32_t from = ntohl(f->from.v4.sin_addr.s_addr) + (uint32_t)(draw(f) % f->sources);
    uint16_t port = f->from.v4.sin_port ? ntohs(f->from.v4.sin_port) : (uint16_t)(draw(f) | 1024);
    if (n > sizeof(packet) - HEADERS) {
        return -1;
    }
    packet[8] = 64;
    packet[9] = IPPROTO_UDP; /* lengths and checksums of IPv4 are the kernel's, UDP's may be 0 */
    st_u32(packet + 12, from);
    memcpy(packet + 16, &f->to.v4.sin_addr, 4);
    st_u16(packet + 20, port);
    memcpy(packet + 22, &f->to.v4.sin_port, 2);
    st_u16(packet + 24, (uint16_t)(8 + n));
    memcpy(packet + HEADERS, d, n);
    return sendto(f->raw, packet, HEADERS + n, 0, &f->to.sa, sizeof(f->to.v4));
}

static void listen_to(struct flood *f, struct source *s)
{
    uint8_t d[2048];
    ssize_t n;
    while ((n = recv(s->fd, d, sizeof(d), MSG_DONTWAIT)) >= 0) {
        f->answers++;
        f->bytes_in += (uint64_t)n;
        if (n > 0 && d[0] < TYPES) {
            f->by_type[d[0]]++;
        }
        if (n == 32 && d[0] == 6) {
            memcpy(s->cookie, d + 16, sizeof(s->cookie));
        }
    }
}

static void one(struct flood *f)
{
    uint8_t d[DATAGRAM];
    const uint8_t *p;
    struct source *s = f->forge ? NULL : &f->source[f->at % f->sources];
    size_t n = make(f, s, d, &p);
    ssize_t r = s ? send(s->fd, p, n, 0) : send_forged(f, p, n);
    f->at++;
    f->sent += r >= 0;
    f->errors += r < 0;
    f->bytes_out += r >= 0 ? n : 0;
    if (s) {
        listen_to(f, s);
    }
}

static void run(struct flood *f)
{
    int64_t begin = now_ns();
    while (f->at < f->count) {
        uint64_t due = (uint64_t)((now_ns() - begin) / 1000) * f->pps / 1000000 + 1;
        while (f->at < f->count && f->at < due) {
            one(f);
        }
        poll(NULL, 0, 1);
    }
    for (unsigned i = 0; !f->forge && i < 100; i++) { /* the last answers */
        poll(NULL, 0, 2);
        for (unsigned k = 0; k < f->sources; k++) {
            listen_to(f, &f->source[k]);
        }
    }
    printf("{\"sent\": %ju, \"errors\": %ju, \"bytes_out\": %ju, \"answers\": %ju, "
           "\"bytes_in\": %ju, \"types\": {",
           (uintmax_t)f->sent, (uintmax_t)f->errors, (uintmax_t)f->bytes_out, (uintmax_t)f->answers,
           (uintmax_t)f->bytes_in);
    bool first = true;
    for (unsigned i = 0; i < TYPES; i++) {
        if (f->by_type[i] > 0) {
            printf("%s\"%u\": %ju", first ? "" : ", ", i, (uintmax_t)f->by_type[i]);
            first = false;
        }
    }
    printf("}, \"seconds\": %.2f}\n", (double)(now_ns() - begin) / 1e9);
}

/* ADDR[:PORT], with IPv6 in brackets. */
static bool parse_address(const char *text, union address *ret)
{
    char host[64] = {0};
    bool v6 = text[0] == '[';
    const char *end = text + strcspn(text, v6 ? "]" : ":"), *colon = strchr(end, ':');
    size_t n = (size_t)(end - text) - v6;
    if (n >= sizeof(host)) {
        return false;
    }
    memcpy(host, text + v6, n);
    *ret = (union address){.sa.sa_family = v6 ? AF_INET6 : AF_INET};
    ret->v4.sin_port = htons((uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 0));
    return inet_pton(ret->sa.sa_family, host,
                     v6 ? (void *)&ret->v6.sin6_addr : &ret->v4.sin_addr) == 1;
}

/* The address is `i` higher. */
static void add_to(union address *a, unsigned i)
{
    uint8_t *last =
        a->sa.sa_family == AF_INET6 ? a->v6.sin6_addr.s6_addr + 12 : (uint8_t *)&a->v4.sin_addr;
    struct rd r = rd_make(last, 4);
    st_u32(last, rd_u32(&r) + i);
}

static bool parse_indices(struct flood *f, const char *text)
{
    for (char *end; *text; text = *end ? end + 1 : end) {
        unsigned long v = strtoul(text, &end, 16);
        if (end == text || f->n_index == INDICES) {
            return false;
        }
        f->index[f->n_index++] = (uint32_t)v;
    }
    return true;
}

static bool read_file(struct flood *f, const char *path)
{
    FILE *in = fopen(path, "rbe");
    f->file = malloc(FILE_MAX);
    f->file_len = in && f->file ? fread(f->file, 1, FILE_MAX, in) : 0;
    if (in) {
        fclose(in);
    }
    return f->file_len > 0;
}

static bool option(struct flood *f, int opt, const char *arg)
{
    switch (opt) {
    case 't':
        return parse_address(arg, &f->to);
    case 'f':
        return parse_address(arg, &f->from);
    case 'n':
        f->count = strtoull(arg, NULL, 0);
        return true;
    case 'p':
        f->pps = strtoull(arg, NULL, 0);
        return f->pps > 0;
    case 's':
        f->sources = (unsigned)strtoul(arg, NULL, 0);
        return f->sources > 0 && f->sources <= SOURCES;
    case 'F':
        return f->forge = true;
    case 'C':
        return f->cookies = true;
    case 'o':
        return f->one = true;
    case 'm':
        f->method = (unsigned)strtoul(arg, NULL, 0);
        return f->method <= 2;
    case 'i':
        return parse_indices(f, arg);
    case 'S':
        f->stream = (unsigned)strtoul(arg, NULL, 0);
        return true;
    case 'l':
        f->len = strtoul(arg, NULL, 0);
        return f->len >= 16 && f->len <= DATAGRAM;
    case 'r':
        return read_file(f, arg);
    case 'x':
        f->rng = strtoull(arg, NULL, 0);
        return true;
    default:
        return false;
    }
}

static bool open_sources(struct flood *f)
{
    int size = 4 << 20;
    if (f->forge) {
        f->raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        (void)setsockopt(f->raw, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
        return f->raw >= 0;
    }
    for (unsigned i = 0; i < f->sources; i++) {
        union address a = f->from;
        int fd = socket(f->to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        add_to(&a, f->one ? 0 : i);
        if (fd < 0 || (a.sa.sa_family && bind(fd, &a.sa, sizeof(a)) < 0) ||
            connect(fd, &f->to.sa, sizeof(f->to)) < 0) {
            perror("flood: a source");
            return false;
        }
        f->source[i].fd = fd;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"to", 1, NULL, 't'},      {"from", 1, NULL, 'f'},    {"count", 1, NULL, 'n'},
        {"pps", 1, NULL, 'p'},     {"sources", 1, NULL, 's'}, {"forge", 0, NULL, 'F'},
        {"cookies", 0, NULL, 'C'}, {"method", 1, NULL, 'm'},  {"index", 1, NULL, 'i'},
        {"stream", 1, NULL, 'S'},  {"len", 1, NULL, 'l'},     {"file", 1, NULL, 'r'},
        {"seed", 1, NULL, 'x'},    {"one", 0, NULL, 'o'},     {0},
    };
    static struct flood f = {
        .sources = 1, .method = 1, .stream = 1, .len = 1000, .count = 1000, .pps = 1000, .rng = 1};
    bool good = argc > 1, known = false;
    for (unsigned i = 0; good && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[1], kinds[i]) == 0) {
            f.kind = (enum kind)i;
            known = true;
        }
    }
    optind = 2;
    for (int opt; good && known && (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        good = option(&f, opt, optarg);
    }
    if (!good || !known || f.to.v4.sin_port == 0 || (f.kind == KIND_GARBAGE && f.n_index == 0) ||
        (f.kind == KIND_REPLAY && !f.file)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!open_sources(&f)) {
        return 1;
    }
    run(&f);
    return 0;
}
