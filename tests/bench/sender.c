/* SPDX-License-Identifier: Apache-2.0
 *
 * The source of the side-by-side measurements: UDP frames of one size or of a mix, sent on an
 * interface at a fixed rate, or as fast as it goes. It sleeps between bursts, so that what it costs
 * can be told from what the kernel does on its time (on veth: all of reception, the capture hook
 * included). Prints one line of JSON; its CPU time in it covers the sending alone.
 *
 *     sender INTERFACE {64|imix|1514} RATE SECONDS        RATE in frames a second, 0: unlimited
 *
 * The frames' destination address is nobody's, so the host behind the interface drops them right
 * after the capture hook. The mix is 7 : 4 : 1 of 64, 570 and 1514 bytes, 353.5 on average.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BURST = 48,   /* frames a call: four rounds of the mix */
    FLOWS = 4096, /* different source ports */
    FRAME_MAX = 1514,
    NS = 1000000000,
    SEND_BUFFER = 4 << 20,
};

struct sender {
    int fd;
    uint64_t rate;
    uint64_t frames, bytes, refused;
    uint32_t flow;
    uint8_t frame[BURST][FRAME_MAX];
    struct iovec iov[BURST];
    struct mmsghdr msg[BURST];
};

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void make_frame(uint8_t *f, uint32_t len)
{
    static const uint8_t head[] = {
        0x02, 0,  0, 0, 0, 0xfe, 0x02, 0, 0,  0,  0, 1, 0x08, 0,        /* Ethernet, IPv4 */
        0x45, 0,  0, 0, 0, 0,    0,    0, 64, 17, 0, 0, 198,  18, 0, 1, /* benchmarking, RFC 2544 */
        198,  18, 1, 1,
    };
    memcpy(f, head, sizeof(head));
    put16(f + 16, len - 14);
    uint32_t sum = 0;
    for (unsigned i = 14; i < 34; i += 2) {
        sum += (uint32_t)f[i] << 8 | f[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    put16(f + 24, ~((sum & 0xffff) + (sum >> 16)));
    put16(f + 36, 9); /* discard */
    put16(f + 38, len - 34);
    for (uint32_t i = 42; i < len; i++) {
        f[i] = (uint8_t)(i * 131);
    }
}

static void make_burst(struct sender *s, uint32_t size)
{
    static const uint32_t mix[12] = {64, 570, 64, 64, 570, 64, 1514, 64, 570, 64, 570, 64};
    for (unsigned i = 0; i < BURST; i++) {
        uint32_t len = size ? size : mix[i % 12];
        make_frame(s->frame[i], len);
        s->iov[i] = (struct iovec){s->frame[i], len};
        s->msg[i].msg_hdr.msg_iov = &s->iov[i];
        s->msg[i].msg_hdr.msg_iovlen = 1;
    }
}

static int open_socket(const char *interface)
{
    int one = 1, buffer = SEND_BUFFER;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: receives nothing */
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_ifindex = (int)if_nametoindex(interface)};
    if (fd < 0 || to.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) < 0) {
        fprintf(stderr, "sender: %s: %s\n", interface, strerror(errno));
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void send_burst(struct sender *s)
{
    for (unsigned i = 0; i < BURST; i++) {
        put16(s->frame[i] + 34, 1024 + s->flow++ % FLOWS);
    }
    for (int at = 0; at < BURST;) {
        int n = sendmmsg(s->fd, s->msg + at, (unsigned)(BURST - at), 0);
        if (n <= 0) {
            s->refused++; /* it was not sent: the same frame again */
            continue;
        }
        for (int i = at; i < at + n; i++) {
            s->bytes += s->iov[i].iov_len;
        }
        s->frames += (uint64_t)n;
        at += n;
    }
}

static void run(struct sender *s, uint64_t start, uint64_t end)
{
    for (uint64_t due = start; now(CLOCK_MONOTONIC) < end;) {
        send_burst(s);
        if (s->rate == 0) {
            continue;
        }
        due = start + s->frames / s->rate * NS + s->frames % s->rate * NS / s->rate;
        if (due > now(CLOCK_MONOTONIC)) {
            struct timespec t = {(time_t)(due / NS), (long)(due % NS)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: sender INTERFACE {64|imix|1514} RATE SECONDS\n");
        return 2;
    }
    struct sender *s = calloc(1, sizeof(*s));
    uint32_t size = strcmp(argv[2], "imix") == 0 ? 0 : (uint32_t)strtoul(argv[2], NULL, 10);
    if (!s || (size != 0 && (size < 64 || size > FRAME_MAX))) {
        fprintf(stderr, "sender: a size from 64 to %d, or imix\n", FRAME_MAX);
        return 2;
    }
    s->fd = open_socket(argv[1]);
    s->rate = strtoull(argv[3], NULL, 10);
    make_burst(s, size);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    uint64_t start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    run(s, start, start + (uint64_t)(strtod(argv[4], NULL) * NS));
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    uint64_t took = now(CLOCK_MONOTONIC) - start;
    printf(
        "{\"frames\": %llu, \"bytes\": %llu, \"refused\": %llu, \"ns\": %llu, \"cpu_ns\": %llu}\n",
        (unsigned long long)s->frames, (unsigned long long)s->bytes, (unsigned long long)s->refused,
        (unsigned long long)took, (unsigned long long)cpu);
    close(s->fd);
    free(s);
    return EXIT_SUCCESS;
}
