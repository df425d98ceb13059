/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture ring on a pair of interfaces in a network namespace of the test's own: bytes,
 * counts, order and time stamps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "sys/ring_testing.h"

enum {
    MANY = 40000,
};

/* Exactly `want` frames, however many batches the kernel's timer makes of them; `b` has copies. */
static void few_frames(struct ring *r, struct batch *b, struct ring_skips *skips, unsigned want)
{
    static uint8_t bytes[4][9100];
    static struct batch some;
    for (b->n = 0; b->n < want;) {
        unsigned n = next_batch(r, &some, skips);
        assert_true(n <= want - b->n);
        for (unsigned i = 0; i < n; i++) {
            struct frame *f = &b->f[b->n];
            uint8_t *copy = bytes[b->n++];
            *f = some.f[i];
            assert_true(f->caplen <= sizeof(bytes[0]));
            frame_copy(f, 0, copy, f->caplen);
            f->data = copy;
            f->datalen = f->caplen;
            f->ins_len = 0;
        }
    }
}

struct sending {
    int fd;
    uint32_t n;
    uint32_t window;       /* 0, or how far to be ahead of `read` at most */
    _Atomic uint32_t read; /* frames that the reader has had */
};

/* On one CPU: the kernel's queue between the ends of a veth is one a CPU, and a sender that moves
 * can overtake itself there. */
static void *send_mixed(void *arg)
{
    struct sending *s = arg;
    uint8_t buf[9100];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
    struct mono end = deadline_s(60);
    for (uint32_t i = 0; i < s->n; i++) {
        while (s->window && i > s->read + s->window && !mono_due(mono_now(), end)) {
            sched_yield();
        }
        uint32_t len = mixed_frame(buf, i);
        send_all(s->fd, buf, len);
    }
    return NULL;
}

static void assert_balance(struct ring *r, uint64_t read, uint64_t min_drops)
{
    uint64_t seen, dropped;
    assert_int_equal(ring_stats(r, &seen, &dropped), 0);
    assert_int_equal(seen, dropped + read);
    assert_true(dropped >= min_drops);
}

static void every_byte_in_order(void **state)
{
    (void)state;
    struct ring_conf conf = {.ifindex = index_of("vb"), .point = 7};
    _cleanup_(ring_freep) struct ring *r = ring_on(&conf);
    /* The kernel keeps 1000 frames (netdev_max_backlog) between the ends of a veth. */
    struct sending s = {.fd = sender_on("va", 0), .n = MANY, .window = 500};
    pthread_t thread;
    pthread_create(&thread, NULL, send_mixed, &s);
    struct batch b;
    struct ring_skips skips = {0};
    uint8_t want[9100];
    int64_t last_ts = 0;
    for (uint32_t i = 0; i < MANY;) {
        unsigned n = next_batch(r, &b, &skips);
        for (unsigned k = 0; k < n; k++, i++) {
            uint32_t len = mixed_frame(want, i);
            assert_frame(&b.f[k], want, len);
            assert_int_equal(b.f[k].origlen, len);
            assert_int_equal(b.f[k].dir, FRAME_DIR_IN);
            assert_int_equal(b.f[k].point, 7);
            assert_int_equal(b.f[k].gso_type, 0);
            assert_true(b.f[k].ts_ns >= last_ts);
            last_ts = b.f[k].ts_ns;
        }
        s.read = i;
    }
    pthread_join(thread, NULL);
    close(s.fd);
    assert_int_equal(ring_stop(r), 0);
    struct mono end = deadline_s(5);
    while (!ring_drained(r)) {
        assert_int_equal(ring_read(r, &b, &skips), 0);
        not_after(end);
        wait_readable(r, 4);
    }
    assert_balance(r, MANY, 0);
    assert_int_equal(skips.bad + skips.unfilled, 0);
}

static void overload_is_counted(void **state)
{
    (void)state;
    struct ring_conf conf = {.ifindex = index_of("vb"), .bytes = 65536, .block_size = 16384};
    _cleanup_(ring_freep) struct ring *r = ring_on(&conf);
    struct sending s = {.fd = sender_on("va", 0), .n = 20000};
    pthread_t thread;
    pthread_create(&thread, NULL, send_mixed, &s);
    struct batch b;
    struct ring_skips skips = {0};
    uint64_t read = next_batch(r, &b, &skips); /* then look away until all is sent */
    pthread_join(thread, NULL);
    close(s.fd);
    assert_int_equal(ring_stop(r), 0);
    assert_false(ring_drained(r));
    struct mono end = deadline_s(5);
    uint32_t last = 0;
    while (!ring_drained(r)) {
        unsigned n = ring_read(r, &b, &skips);
        read += n;
        for (unsigned i = 0; i < n; i++) {
            uint8_t want[9100], head[26];
            frame_copy(&b.f[i], 0, head, sizeof(head));
            for (uint32_t k = last;; k++) { /* still whole and in order, with gaps */
                assert_true(k < s.n);
                uint32_t len = mixed_frame(want, k);
                if (memcmp(want, head, sizeof(head)) == 0) {
                    assert_frame(&b.f[i], want, len);
                    last = k + 1;
                    break;
                }
            }
        }
        not_after(end);
        if (!n) {
            wait_readable(r, 4);
        }
    }
    assert_balance(r, read, 1000);
}

static void shut_until_a_filter_is_set(void **state)
{
    (void)state;
    struct ring_conf conf = {.ifindex = index_of("vb")};
    struct error err = {""};
    int fd = -1;
    assert_int_equal(ring_open(&conf, &fd, &err), 0);
    int tx = sender_on("va", 0);
    uint8_t buf[9100];
    for (uint32_t i = 0; i < 50; i++) {
        send_all(tx, buf, mixed_frame(buf, i));
    }
    _cleanup_(ring_freep) struct ring *r = NULL;
    assert_int_equal(ring_attach(fd, &conf, &r, &err), 0);
    assert_int_equal(ring_set_filter(r, &accept_all, 1, &err), 0);
    for (uint32_t i = 50; i < 53; i++) {
        send_all(tx, buf, mixed_frame(buf, i));
    }
    struct batch b;
    struct ring_skips skips = {0};
    few_frames(r, &b, &skips, 3);
    assert_frame(&b.f[0], buf, mixed_frame(buf, 50));
    assert_balance(r, 3, 0);
    close(tx);
}

static void directions(void **state)
{
    (void)state;
    struct ring_conf both = {.ifindex = index_of("va")};
    struct ring_conf in = {.ifindex = index_of("va"), .ignore_outgoing = true};
    _cleanup_(ring_freep) struct ring *rb = ring_on(&both);
    _cleanup_(ring_freep) struct ring *ri = ring_on(&in);
    int a = sender_on("va", 0), v = sender_on("vb", 0);
    uint8_t buf[9100];
    send_all(a, buf, mixed_frame(buf, 0));
    send_all(v, buf, mixed_frame(buf, 1));
    struct batch b;
    struct ring_skips skips = {0};
    few_frames(rb, &b, &skips, 2);
    assert_int_equal(b.f[0].dir, FRAME_DIR_OUT);
    assert_frame(&b.f[0], buf, mixed_frame(buf, 0));
    assert_int_equal(b.f[1].dir, FRAME_DIR_IN);
    assert_int_equal(next_batch(ri, &b, &skips), 1);
    assert_int_equal(b.f[0].dir, FRAME_DIR_IN);
    assert_frame(&b.f[0], buf, mixed_frame(buf, 1));
    close(a);
    close(v);
}

static pcap_t *pcap_on(const char *name)
{
    char why[PCAP_ERRBUF_SIZE];
    pcap_t *p = pcap_create(name, why);
    assert_non_null(p);
    pcap_set_snaplen(p, 65535);
    pcap_set_immediate_mode(p, 1);
    assert_int_equal(pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO), 0);
    assert_int_equal(pcap_activate(p), 0);
    assert_int_equal(pcap_setnonblock(p, 1, why), 0);
    return p;
}

static struct pcap_pkthdr next_pcap(pcap_t *p)
{
    struct mono end = deadline_s(5);
    struct pcap_pkthdr *h;
    const u_char *data;
    for (;;) {
        if (pcap_next_ex(p, &h, &data) == 1) {
            return *h;
        }
        not_after(end);
        struct pollfd pfd = {pcap_get_selectable_fd(p), POLLIN, 0};
        poll(&pfd, 1, 20);
    }
}

/* The kernel's stamping is switched on by a worker of its own, so the first frames may still be
 * stamped by each socket for itself; from then on all must agree to the nanosecond. */
static void same_stamps_as_libpcap(void **state)
{
    (void)state;
    const char *names[] = {"va", "vb"};
    struct ring *r[2];
    pcap_t *p[2];
    for (int i = 0; i < 2; i++) {
        r[i] = ring_on(&(struct ring_conf){.ifindex = index_of(names[i])});
        int asked = 0; /* libpcap below asks too, so the ring has to be seen to ask by itself */
        socklen_t size = sizeof(asked);
        assert_int_equal(getsockopt(ring_fd(r[i]), SOL_SOCKET, SO_TIMESTAMPNS, &asked, &size), 0);
        assert_int_equal(asked, 1);
        p[i] = pcap_on(names[i]);
    }
    int tx = sender_on("va", 0);
    uint8_t buf[9100];
    struct batch b;
    struct ring_skips skips = {0};
    int equal = 0;
    for (uint32_t i = 0; equal < 200; i++) {
        assert_true(i < 300);
        send_all(tx, buf, mixed_frame(buf, i));
        bool same = true;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(next_batch(r[k], &b, &skips), 1);
            struct pcap_pkthdr h = next_pcap(p[k]);
            same &= b.f[0].ts_ns == h.ts.tv_sec * NSEC_PER_SEC + h.ts.tv_usec;
            assert_int_equal(b.f[0].caplen, h.caplen);
            assert_int_equal(b.f[0].origlen, h.len);
        }
        assert_true(same || equal == 0);
        equal += same;
    }
    close(tx);
    for (int i = 0; i < 2; i++) {
        ring_free(r[i]);
        pcap_close(p[i]);
    }
}

static void slices_after_the_tag(void **state)
{
    (void)state;
    struct ring_conf conf = {.ifindex = index_of("vb"), .snaplen = 60};
    struct sock_filter cut = {BPF_RET | BPF_K, 0, 0, 60};
    _cleanup_(ring_freep) struct ring *r = ring_on(&conf);
    assert_int_equal(ring_set_filter(r, &cut, 1, NULL), 0);
    int tx = sender_on("va", 0);
    uint8_t buf[9100];
    uint32_t len = mixed_frame(buf, 1);
    send_all(tx, buf, len);
    struct batch b;
    struct ring_skips skips = {0};
    assert_int_equal(next_batch(r, &b, &skips), 1);
    assert_frame(&b.f[0], buf, 60);
    assert_int_equal(b.f[0].origlen, len);
    cut.k = 8; /* before the place of the tag */
    assert_int_equal(ring_set_filter(r, &cut, 1, NULL), 0);
    send_all(tx, buf, len);
    assert_int_equal(next_batch(r, &b, &skips), 1);
    assert_frame(&b.f[0], buf, 8);
    assert_int_equal(b.f[0].origlen, len);
    close(tx);
}

static void raw_ip_gets_an_ethernet_header(void **state)
{
    (void)state;
    int tun = tun_device("u0", IFF_TUN);
    struct ring_conf conf = {.ifindex = index_of("u0"), .raw_ip = true, .retire_ms = 200};
    _cleanup_(ring_freep) struct ring *r = ring_on(&conf);
    uint8_t want4[34] = {[12] = 0x08, [14] = 0x45, [17] = 20, [22] = 64, 99, [26] = 10, [30] = 10};
    uint8_t want6[54] = {[12] = 0x86, 0xdd, 0x60, [20] = 59, 64, [22] = 0xfd, [38] = 0xfd};
    assert_int_equal(write(tun, want4 + 14, 20), 20);
    assert_int_equal(write(tun, want6 + 14, 40), 40);
    struct batch b;
    struct ring_skips skips = {0};
    few_frames(r, &b, &skips, 2);
    assert_frame(&b.f[0], want4, 34);
    assert_int_equal(b.f[0].origlen, 34);
    assert_frame(&b.f[1], want6, 54);
    close(tun);
}

/* PPP and what is not known: the type is what the kernel says of it. */
static void cooked_gets_an_ethernet_header(void **state)
{
    (void)state;
    int tun = tun_device("u0", IFF_TUN);
    sh("ip link set u0 down");
    assert_int_equal(ioctl(tun, TUNSETLINK, ARPHRD_PPP), 0);
    sh("ip link set u0 up");
    struct ring_conf conf = {.ifindex = index_of("u0"), .cooked = true, .retire_ms = 200};
    _cleanup_(ring_freep) struct ring *r = ring_on(&conf);
    uint8_t in[34] = {[12] = 0x08, [14] = 0x45, [17] = 20, [22] = 64, 99, [26] = 10, [30] = 10};
    uint8_t out[18] = {[12] = 0x88, 0xb5, 1, 2, 3, 4};
    assert_int_equal(write(tun, in + 14, 20), 20);
    int tx = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = (int)index_of("u0")};
    assert_int_equal(sendto(tx, out + 14, 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
    struct batch b;
    struct ring_skips skips = {0};
    few_frames(r, &b, &skips, 2);
    assert_frame(&b.f[0], in, 34);
    assert_int_equal(b.f[0].dir, FRAME_DIR_IN);
    assert_frame(&b.f[1], out, 18);
    assert_int_equal(b.f[1].dir, FRAME_DIR_OUT);
    assert_int_equal(b.f[0].gso_type + b.f[0].vnet_flags + b.f[1].gso_type + b.f[1].vnet_flags, 0);
    assert_balance(r, 2, 0);
    close(tx);
    close(tun);
}

static void tells_of_a_lost_interface(void **state)
{
    (void)state;
    _cleanup_(ring_freep) struct ring *r =
        ring_on(&(struct ring_conf){.ifindex = index_of("vb"), .promiscuous = true});
    assert_int_equal(ring_error(r), 0);
    sh("ip link set vb down");
    struct pollfd p = {ring_fd(r), POLLIN, 0};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_true(p.revents & POLLERR);
    assert_int_equal(ring_error(r), -ENETDOWN);
    assert_int_equal(ring_error(r), 0);
    sh("ip link set vb up");
    int tx = sender_on("va", 0);
    uint8_t buf[9100];
    struct batch b;
    struct ring_skips skips = {0};
    struct mono end = deadline_s(5);
    do { /* it goes on by itself; the kernel drops what is sent before it has seen the link */
        not_after(end);
        send_all(tx, buf, mixed_frame(buf, 0));
        wait_readable(r, 20);
    } while (ring_read(r, &b, &skips) == 0);
    assert_frame(&b.f[0], buf, mixed_frame(buf, 0));
    close(tx);
    sh("ip link del va");
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(ring_error(r), -ENETDOWN);
    struct error err = {""};
    int fd = -1;
    assert_int_equal(ring_open(&(struct ring_conf){.ifindex = 999}, &fd, &err), -ENODEV);
    assert_string_equal(err.text, "cannot capture on interface 999: No such device");
    assert_int_equal(fd, -1);
    own_namespace(NULL);
}

/* ---- the descriptor does not send ---- */

enum { PLUG_MOST = 22, PLUG_SLOT = 80 };

/* By each call and to each address. What the kernel says to it does not matter, what comes does. */
static void send_in_every_way(int fd, int ifindex, const uint8_t *frame, size_t len)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IP),
                             .sll_ifindex = ifindex,
                             .sll_halen = 6};
    struct iovec iov = {(void *)frame, len};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    (void)!write(fd, frame, len);
    (void)!writev(fd, &iov, 1);
    (void)send(fd, frame, len, MSG_DONTWAIT);
    (void)sendto(fd, frame, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
    (void)sendmsg(fd, &m.msg_hdr, MSG_DONTWAIT);
    m.msg_hdr.msg_name = &to;
    m.msg_hdr.msg_namelen = sizeof(to);
    (void)sendmmsg(fd, &m, 1, MSG_DONTWAIT);
}

/* The longest frame that came to the witness of those that begin with six times 0xfa, up to a mark
 * that the other end sends now. */
static unsigned longest_of_ours(int witness, int plain)
{
    static const uint8_t ours[6] = {0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa};
    static const uint8_t mark[60] = {0xfe, 0xfd, 0xfc, 0xfe, 0xfd, 0xfc};
    uint8_t d[9100] = {0};
    unsigned longest = 0;
    struct mono end = deadline_s(5);
    send_all(plain, mark, sizeof(mark));
    while (memcmp(d, mark, 6) != 0) {
        ssize_t n = recv(witness, d, sizeof(d), MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0) {
            not_after(end);
            poll(&(struct pollfd){witness, POLLIN, 0}, 1, 20);
        } else if (memcmp(d, ours, 6) == 0) {
            longest = MAX(longest, (unsigned)n);
        }
    }
    return longest;
}

/* An engine that was taken over maps both rings and fills the one for sending itself. */
static void a_ring_does_not_send(void **state)
{
    (void)state;
    struct ring_conf conf = {.ifindex = index_of("vb"), .bytes = 1 << 20};
    size_t size = (1 << 20) + (size_t)sysconf(_SC_PAGESIZE);
    uint8_t frame[200];
    struct error err = {""};
    int fd = -1, plain = sender_on("vb", 0);
    int witness = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll at_va = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of("va")};
    assert_int_equal(bind(witness, (struct sockaddr *)&at_va, sizeof(at_va)), 0);
    memset(frame, 0xfa, sizeof(frame));
    (void)send(plain, frame, 100, 0); /* the witness sees what is sent */
    assert_int_equal(longest_of_ours(witness, plain), 100);
    assert_int_equal(ring_open(&conf, &fd, &err), 0);
    memset(frame, 0, 10); /* where the header of offloads would be */
    send_in_every_way(fd, index_of("vb"), frame, sizeof(frame));
    assert_int_equal(longest_of_ours(witness, plain), 0);

    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    unsigned slot = 0;
    for (unsigned len = 1; len < 300; len++) {
        uint8_t *at = map + (1 << 20) + (size_t)slot * PLUG_SLOT;
        struct tpacket3_hdr h = {.tp_len = len, .tp_status = TP_STATUS_SEND_REQUEST};
        memset(at, 0xfa, PLUG_SLOT);
        memset(at + 48, 0, 10);
        memcpy(at, &h, sizeof(h));
        slot += send(fd, NULL, 0, MSG_DONTWAIT) > 0; /* the next one is the kernel's, too */
    }
    /* no room for an IP packet behind 14 bytes of Ethernet */
    assert_int_equal(longest_of_ours(witness, plain), PLUG_MOST);
    munmap(map, size);
    close(fd);
    close(plain);
    close(witness);
}

/* The engine's half as the engine has it: another process, another user, no privileges. */
static void attach_needs_no_privilege(void **state)
{
    (void)state;
    struct ring_conf conf = {.ifindex = index_of("vb")};
    int fd = -1;
    assert_int_equal(ring_open(&conf, &fd, NULL), 0);
    uint8_t buf[9100];
    int tx = sender_on("va", 0), status, ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct ring *r = NULL;
        struct batch b;
        struct ring_skips skips = {0};
        uint64_t seen, dropped;
        bool ok = setresuid(65534, 65534, 65534) == 0 && socket(AF_PACKET, SOCK_RAW, 0) < 0 &&
                  ring_attach(fd, &conf, &r, NULL) == 0 &&
                  ring_set_filter(r, &accept_all, 1, NULL) == 0 && write(ready[1], "", 1) == 1 &&
                  next_batch(r, &b, &skips) == 1 && ring_stats(r, &seen, &dropped) == 0 &&
                  seen == 1 && ring_stop(r) == 0 && ring_error(r) == 0;
        _exit(ok ? 0 : 1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], buf, 1), 1);
    send_all(tx, buf, mixed_frame(buf, 0));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(tx);
    close(fd);
}

static void refuses_bad_shapes(void **state)
{
    (void)state;
    struct error err = {""};
    int fd = -1;
    struct ring_conf conf = {.ifindex = index_of("vb"), .block_size = 5000};
    assert_int_equal(ring_open(&conf, &fd, &err), -EINVAL);
    conf = (struct ring_conf){.ifindex = index_of("vb"), .bytes = 3U << 30};
    assert_int_equal(ring_open(&conf, &fd, &err), -EINVAL);
    _cleanup_(ring_freep) struct ring *r = ring_on(&(struct ring_conf){.ifindex = index_of("vb")});
    struct sock_filter endless = {BPF_JMP | BPF_JA, 0, 0, 5};
    assert_int_equal(ring_set_filter(r, &endless, 1, &err), -EINVAL);
    assert_int_equal(ring_set_filter(r, &endless, BPF_MAXINSNS + 1, &err), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_order),
        cmocka_unit_test(overload_is_counted),
        cmocka_unit_test(shut_until_a_filter_is_set),
        cmocka_unit_test(directions),
        cmocka_unit_test(same_stamps_as_libpcap),
        cmocka_unit_test(slices_after_the_tag),
        cmocka_unit_test(raw_ip_gets_an_ethernet_header),
        cmocka_unit_test(cooked_gets_an_ethernet_header),
        cmocka_unit_test(tells_of_a_lost_interface),
        cmocka_unit_test(a_ring_does_not_send),
        cmocka_unit_test(attach_needs_no_privilege),
        cmocka_unit_test(refuses_bad_shapes),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
