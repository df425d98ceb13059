/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends mixed frames (frames.h) from an interface at a steady rate, each numbered, and can write
 * what it sends to a capture file too: a reference that no capture tool had a part in. The same
 * seed, kinds and numbers give the same frames, whether they are sent or only written.
 */
#include "base/bytes.h"
#include "frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, BATCHES_PER_S = 100 /* at least, at slow rates */ };

struct conf {
    const char *interface, *file;
    uint64_t count, first, seed, pps;
    uint32_t kinds, max_len, pool;
};

struct run {
    int fd;
    FILE *out;
    struct frames frames;
    uint64_t sent, bytes, errors, retries, by_kind[FRAME_KINDS];
};

static const char usage[] =
    "Usage: framegen [-i IF] [-w FILE] [-n COUNT] [--pps RATE] [--seed N] [--first N]\n"
    "                [--kinds LIST] [--max-len BYTES] [--pool N]\n"
    "Sends COUNT numbered frames from IF and/or writes them to FILE (pcap, all times 0).\n"
    "Kinds: all, or a list such as tcp4,vlan (a leading - leaves kinds out: -runt,malformed).\n";

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int parse_kinds(const char *list, uint32_t *ret_kinds)
{
    const uint32_t all = (1u << FRAME_KINDS) - 1;
    uint32_t kinds = 0;
    const char *p = list[0] == '-' ? list + 1 : list;
    while (*p) {
        size_t n = strcspn(p, ",");
        uint32_t bit = n == 3 && memcmp(p, "all", 3) == 0 ? all : 0;
        for (unsigned k = 0; k < FRAME_KINDS && !bit; k++) {
            const char *name = frame_kind_name((enum frame_kind)k);
            bit = strlen(name) == n && memcmp(name, p, n) == 0 ? 1u << k : 0;
        }
        if (!bit) {
            return -EINVAL;
        }
        kinds |= bit;
        p += p[n] ? n + 1 : n;
    }
    *ret_kinds = list[0] == '-' ? all & ~kinds : kinds;
    return *ret_kinds ? 0 : -EINVAL;
}

static int open_interface(const char *name)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
    if (to.sll_ifindex == 0) {
        return -ENODEV;
    }
    /* protocol 0: this socket only sends */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int size = 8 << 20;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* pcap, nanoseconds, Ethernet, in this machine's byte order */
static FILE *open_file(const char *name)
{
    const uint32_t head[6] = {0xa1b23c4d, 2 | 4u << 16, 0, 0, 262144, 1};
    FILE *out = fopen(name, "we");
    if (out && fwrite(head, sizeof(head), 1, out) != 1) {
        fclose(out);
        out = NULL;
    }
    return out;
}

static int write_frame(FILE *out, const struct frame *f)
{
    const uint32_t head[4] = {0, 0, f->len, f->len};
    return fwrite(head, sizeof(head), 1, out) == 1 && fwrite(f->data, f->len, 1, out) == 1 ? 0
                                                                                           : -EIO;
}

/* Sends all of the batch; a full queue is waited for, a refused frame is counted and left out. */
static void send_batch(struct run *run, struct mmsghdr *messages, unsigned n)
{
    unsigned done = 0;
    while (done < n) {
        int r = sendmmsg(run->fd, messages + done, n - done, 0);
        if (r > 0) {
            done += (unsigned)r;
        } else if (r < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)) {
            struct pollfd p = {.fd = run->fd, .events = POLLOUT};
            run->retries++;
            (void)poll(&p, 1, 1);
        } else {
            run->errors++;
            run->sent--;
            done++;
        }
    }
}

static int make_batch(const struct conf *conf, struct run *run, uint64_t at, unsigned n)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec iov[BATCH];
    for (unsigned i = 0; i < n; i++) {
        struct frame *f = &run->frames.v[(at + i) % run->frames.n];
        frame_mark(f, conf->first + at + i);
        iov[i] = (struct iovec){f->data, f->len};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
        run->by_kind[f->kind]++;
        run->bytes += f->len;
        if (run->out && write_frame(run->out, f) < 0) {
            return -EIO;
        }
    }
    run->sent += n;
    if (run->fd >= 0) {
        send_batch(run, messages, n);
    }
    return 0;
}

static int send_all(const struct conf *conf, struct run *run)
{
    int64_t next = now_ns();
    uint64_t most = conf->pps ? conf->pps / BATCHES_PER_S : BATCH;
    most = most < 1 ? 1 : most < BATCH ? most : BATCH;
    for (uint64_t at = 0; at < conf->count;) {
        uint64_t left = conf->count - at;
        unsigned n = (unsigned)(left < most ? left : most);
        int r = make_batch(conf, run, at, n);
        if (r < 0) {
            return r;
        }
        at += n;
        if (!conf->pps || run->fd < 0) {
            continue;
        }
        next += (int64_t)(n * 1000000000ull / conf->pps);
        int64_t behind = now_ns() - next;
        if (behind > 2000000) {
            next += behind; /* never catch up in a burst */
        } else if (behind < 0) {
            struct timespec t = {next / 1000000000, next % 1000000000};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        }
    }
    return 0;
}

static void report(const struct run *run, int64_t ns)
{
    printf("{\"sent\": %llu, \"bytes\": %llu, \"errors\": %llu, \"retries\": %llu, "
           "\"seconds\": %.3f, \"kinds\": {",
           (unsigned long long)run->sent, (unsigned long long)run->bytes,
           (unsigned long long)run->errors, (unsigned long long)run->retries, (double)ns / 1e9);
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        printf("%s\"%s\": %llu", k ? ", " : "", frame_kind_name((enum frame_kind)k),
               (unsigned long long)run->by_kind[k]);
    }
    printf("}}\n");
}

static int parse_options(int argc, char **argv, struct conf *conf)
{
    static const struct option options[] = {
        {"pps", 1, NULL, 'p'},     {"seed", 1, NULL, 's'},
        {"first", 1, NULL, 'f'},   {"kinds", 1, NULL, 'k'},
        {"max-len", 1, NULL, 'm'}, {"pool", 1, NULL, 'o'},
        {"help", 0, NULL, 'h'},    {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "i:w:n:h", options, NULL)) != -1) {
        const char *arg = optarg ? optarg : "";
        uint64_t number = strtoull(arg, NULL, 0);
        switch (c) {
        case 'i':
            conf->interface = arg;
            break;
        case 'w':
            conf->file = arg;
            break;
        case 'n':
            conf->count = number;
            break;
        case 'p':
            conf->pps = number;
            break;
        case 's':
            conf->seed = number;
            break;
        case 'f':
            conf->first = number;
            break;
        case 'm':
            conf->max_len = (uint32_t)number;
            break;
        case 'o':
            conf->pool = (uint32_t)number;
            break;
        case 'k':
            if (parse_kinds(arg, &conf->kinds) < 0) {
                return -EINVAL;
            }
            break;
        default:
            return -EINVAL;
        }
    }
    bool sane = conf->max_len >= 200 && conf->max_len <= 65000 && conf->pool >= BATCH;
    return (conf->interface || conf->file) && sane && optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct conf conf = {.count = 1000,
                        .seed = 1,
                        .kinds = (1u << FRAME_KINDS) - 1,
                        .max_len = 9000,
                        .pool = 8192,
                        .pps = 100000};
    struct run run = {.fd = -1};
    if (parse_options(argc, argv, &conf) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (conf.interface && (run.fd = open_interface(conf.interface)) < 0) {
        fprintf(stderr, "framegen: %s: %s\n", conf.interface, strerror(-run.fd));
        return 1;
    }
    if (conf.file && !(run.out = open_file(conf.file))) {
        fprintf(stderr, "framegen: %s: %s\n", conf.file, strerror(errno));
        return 1;
    }
    if (frames_build(&run.frames, conf.pool, conf.seed, conf.kinds, conf.max_len) < 0) {
        fputs("framegen: out of memory\n", stderr);
        return 1;
    }
    int64_t start = now_ns();
    int r = send_all(&conf, &run);
    if (run.out && fclose(run.out) != 0) {
        r = -EIO;
    }
    if (r < 0) {
        fprintf(stderr, "framegen: %s: cannot write\n", conf.file);
    }
    report(&run, now_ns() - start);
    frames_done(&run.frames);
    return r < 0 || run.errors ? 1 : 0;
}
