/* SPDX-License-Identifier: Apache-2.0
 *
 * taps_bench [FRAMES [ROUNDS]]: the processor time of a frame of 64 bytes that is sent by a veth
 * and copied to another one, by a generated program (proto/ebpf_taps.h) and by tc's cls_bpf with
 * mirred, in turns. As root; in a network namespace of its own. Prints medians, in ns.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proto/ebpf_taps.h"
#include "sys/bpf.h"
#include "sys/filter.h"

enum { LEN = 64, BATCH = 64, ROUNDS_MAX = 99, CASES = 10, ROOM = 65536, PROGRAMS_MAX = 16 };

#define MIRRED "action mirred egress mirror dev da continue"

/* One way to look at the frames: that expression in so many flows; 0: none. */
struct way {
    const char *name, *filter;
    unsigned flows;
    unsigned programs; /* each with all flows; 0: filters of tc */
};

static const struct way ways[CASES] = {
    {"send alone", NULL, 0, 1},
    {"one flow, tcx", NULL, 1, 1},
    {"one flow, cls_bpf and mirred", NULL, 1, 0},
    {"16 flows of one service, tcx: one copy", NULL, 16, 1},
    {"a flow of each of 16 services, tcx", NULL, 1, 16},
    {"16 flows, cls_bpf and mirred", NULL, 16, 0},
    {"'udp port 53' matches, tcx", "udp port 53", 1, 1},
    {"'udp port 53' matches, cls_bpf and mirred", "udp port 53", 1, 0},
    {"'tcp port 80' does not match, tcx", "tcp port 80", 1, 1},
    {"16 of it do not match, tcx", "tcp port 80", 16, 1},
};

static void run(const char *command)
{
    if (system(command) != 0) {
        fprintf(stderr, "taps_bench: failed: %s\n", command);
        exit(EXIT_FAILURE);
    }
}

static void fail(const struct error *err)
{
    fprintf(stderr, "taps_bench: %s\n", err->text);
    exit(EXIT_FAILURE);
}

/* The descriptor of the program's place. */
static int attach(const struct way *w)
{
    static struct bpf_insn code[ROOM];
    _cleanup_(filter_done) struct filter_prog p = {0};
    struct ebpf_taps_flow flows[EBPF_TAPS_FLOWS];
    struct error err = {""};
    unsigned n = 0;
    if (w->filter && filter_compile(w->filter, "va", NETIF_ETHERNET, 0, &p, &err) < 0) {
        fail(&err);
    }
    _cleanup_(closep) int map =
        bpf_map_create("taps_bench", sizeof(struct ebpf_taps_count), EBPF_TAPS_FLOWS, &err);
    for (unsigned i = 0; i < w->flows; i++) {
        flows[i] = (struct ebpf_taps_flow){.filter = p.insns, .n_filter = p.n, .counter = i};
    }
    const struct ebpf_taps conf = {.egress = true,
                                   .hatype = ARPHRD_ETHER,
                                   .mark = 1,
                                   .to = if_nametoindex("da"),
                                   .map_fd = map,
                                   .flows = flows,
                                   .n_flows = w->flows};
    if (map < 0 || ebpf_taps_make(&conf, code, ROOM, &n, &err) < 0) {
        fail(&err);
    }
    _cleanup_(closep) int prog = bpf_prog_load("taps_bench", code, n, &err);
    int at = prog < 0 ? prog : bpf_attach(prog, (int)if_nametoindex("va"), true, &err);
    if (at < 0) {
        fail(&err);
    }
    return at;
}

/* The same by tc: a filter of classic BPF for each flow. */
static void add_filters(const struct way *w)
{
    static char line[65536];
    _cleanup_(filter_done) struct filter_prog p = {0};
    struct error err = {""};
    if (filter_compile(w->filter, "va", NETIF_ETHERNET, 0, &p, &err) < 0) {
        fail(&err);
    }
    run("tc qdisc add dev va clsact");
    for (unsigned i = 0; i < w->flows; i++) {
        size_t at = (size_t)snprintf(
            line, sizeof(line), "tc filter add dev va egress pref %u protocol all bpf bytecode '%u",
            i + 1, p.n);
        for (unsigned k = 0; k < p.n; k++) {
            const struct sock_filter *in = &p.insns[k];
            at += (size_t)snprintf(line + at, sizeof(line) - at, ",%u %u %u %u", in->code, in->jt,
                                   in->jf, in->k);
        }
        snprintf(line + at, sizeof(line) - at, "' " MIRRED);
        run(line);
    }
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ns of a frame. */
static double send_frames(unsigned frames)
{
    static uint8_t frame[LEN] = {2,    0, 0,  0,  0, 2, 2,    0,    0,  0,  0, 1, 8,  0,
                                 0x45, 0, 0,  50, 0, 1, 0,    0,    64, 17, 0, 0, 10, 0,
                                 0,    1, 10, 0,  0, 2, 0x13, 0x88, 0,  53, 0, 30};
    struct mmsghdr msgs[BATCH];
    struct iovec iov = {frame, LEN};
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("va")};
    _cleanup_(closep) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        exit(EXIT_FAILURE);
    }
    memset(msgs, 0, sizeof(msgs));
    for (unsigned i = 0; i < BATCH; i++) {
        msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    }
    double began = now_ns();
    for (unsigned sent = 0; sent < frames;) {
        int n = sendmmsg(fd, msgs, BATCH, 0);
        sent += n > 0 ? (unsigned)n : 0;
    }
    return (now_ns() - began) / frames;
}

static double measure(const struct way *w, unsigned frames)
{
    int at[PROGRAMS_MAX];
    unsigned programs = w->flows ? w->programs : 0;
    bool tc = w->programs == 0;
    for (unsigned i = 0; i < programs; i++) {
        at[i] = attach(w);
    }
    if (tc) {
        add_filters(w);
    }
    double ns = send_frames(frames);
    if (tc) {
        run("tc qdisc del dev va clsact");
    }
    for (unsigned i = 0; i < programs; i++) {
        close(at[i]);
    }
    return ns;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    static double seen[CASES][ROUNDS_MAX];
    unsigned frames = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200000;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 7;
    if (frames == 0 || rounds == 0 || rounds > ROUNDS_MAX || unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "usage, as root: taps_bench [FRAMES [ROUNDS]]\n");
        return EXIT_FAILURE;
    }
    run("ip link add va type veth peer name vb && ip link add da type veth peer name db && "
        "for i in va vb da db; do ip link set $i addrgenmode none arp off multicast off up; done");
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < CASES; i++) {
            seen[i][r] = measure(&ways[i], frames);
        }
    }
    for (unsigned i = 0; i < CASES; i++) {
        qsort(seen[i], rounds, sizeof(seen[i][0]), ascending);
        printf("%-44s %6.0f ns  (+ %.0f)\n", ways[i].name, seen[i][rounds / 2],
               seen[i][rounds / 2] - seen[0][rounds / 2]);
    }
    return EXIT_SUCCESS;
}
