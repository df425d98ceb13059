/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams between sockets of one host, both families: sizes, segments, counts and errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>

#include "base/bytes.h"
#include "sys/test_net.h"
#include "sys/udp.h"

enum {
    PORT = 1234,
    BUFS = 16,
};

static uint8_t store[BUFS][UDP_BUFFER];

static struct udp_addr addr_of(const char *text, uint16_t port)
{
    struct udp_addr a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)},
                         .len = sizeof(a.v4)};
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) != 1) {
        a = (struct udp_addr){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
                              .len = sizeof(a.v6)};
        assert_int_equal(inet_pton(AF_INET6, text, &a.v6.sin6_addr), 1);
    }
    return a;
}

static void assert_addr(const struct udp_addr *a, const char *want)
{
    char text[UDP_ADDR_TEXT];
    udp_addr_text(a, text);
    assert_string_equal(text, want);
}

static struct udp_io server(const char *text)
{
    struct error err = {""};
    struct udp_io io = {.fd = -1};
    struct udp_addr a = text ? addr_of(text, 0) : (struct udp_addr){.len = 0};
    if (udp_bind(text ? &a : NULL, PORT, &io.fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return io;
}

static struct udp_io client(const char *text)
{
    struct error err = {""};
    struct udp_io io = {.fd = -1};
    struct udp_addr a = addr_of(text, PORT);
    if (udp_connect(&a, &io.fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(udp_shared_new(&io.shared), 0);
    return io;
}

static void end(struct udp_io *io)
{
    udp_shared_unref(io->shared);
    close(io->fd);
}

/* Receives until `total` bytes are there; checks the bytes and the sizes. Gives the buffers used.
 */
static unsigned receive(struct udp_io *io, size_t total, size_t seg, struct udp_packet *last)
{
    struct mono end = deadline_s(5);
    size_t at = 0;
    unsigned bufs = 0;
    while (at < total) {
        struct udp_packet p[BUFS];
        for (int i = 0; i < BUFS; i++) {
            p[i] = (struct udp_packet){.data = store[i], .size = UDP_BUFFER, .local.len = 1};
        }
        int n = udp_recv(io, p, BUFS);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++, bufs++) {
            assert_false(p[i].cut);
            for (uint32_t from = 0; from < p[i].len; from += p[i].seg) {
                assert_int_equal(MIN(p[i].seg, p[i].len - from), MIN(seg, total - at - from));
            }
            for (uint32_t k = 0; k < p[i].len; k++) {
                assert_int_equal(p[i].data[k], (uint8_t)((at + k) * 7));
            }
            at += p[i].len;
            *last = p[i];
        }
        not_after(end);
        if (n == 0) {
            poll(&(struct pollfd){io->fd, POLLIN, 0}, 1, 20);
        }
    }
    assert_int_equal(at, total);
    return bufs;
}

static const uint8_t *pattern(void)
{
    static uint8_t bytes[1 << 20];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    return bytes;
}

static void exchange(const char *bind_to, const char *peer, const char *want_local, bool shared)
{
    struct udp_io s = server(bind_to), c = client(peer);
    struct udp_shared *sh = c.shared;
    c.shared = shared ? sh : NULL;
    const size_t sizes[][2] = {{1, 1400},   {1400, 1400},   {1401, 1400},    {200000, 1400},
                               {100000, 1}, {60000, 60000}, {130000, 65000}, {3000, 1000}};
    int got = 0;
    assert_int_equal(udp_set_buffers(s.fd, 8 << 20, 1 << 20, &got, NULL), 0);
    assert_true(got >= 8 << 20); /* beyond net.core.rmem_max: we are privileged here */
    for (int plain = 0; plain < 2; plain++) {
        c.plain = plain;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            size_t total = sizes[i][0] == 100000 ? 2000 : sizes[i][0], sent = 0;
            struct udp_packet p = {0};
            assert_int_equal(
                udp_send_segments(&c, NULL, NULL, pattern(), total, sizes[i][1], 1000, &sent), 0);
            assert_int_equal(sent, total);
            unsigned bufs = receive(&s, total, sizes[i][1], &p);
            if (total == 200000) { /* put together by the kernel only when sent together */
                assert_true(plain ? bufs == 143 : bufs < 10);
            }
            assert_addr(&p.local, want_local);
            struct udp_addr local;
            assert_int_equal(udp_local(c.fd, &local), 0);
            char from[UDP_ADDR_TEXT], own[UDP_ADDR_TEXT];
            udp_addr_text(&p.from, from);
            udp_addr_text(&local, own);
            assert_string_equal(from, own);
            /* and back, from the address that it came to */
            assert_int_equal(
                udp_send_segments(&s, &p.from, &p.local, pattern(), 3000, 1400, 1000, &sent), 0);
            receive(&c, 3000, 1400, &p);
            assert_int_equal(p.local.len, 0);
        }
    }
    assert_true(c.plain);
    assert_false(s.plain); /* segments worked all along */
    assert_true(udp_path_mtu(c.fd) >= 65535);
    c.shared = sh;
    end(&s);
    end(&c);
}

static void both_families_there_and_back(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        exchange(NULL, "127.0.0.1", "127.0.0.1:0", shared);
        exchange(NULL, "127.0.0.7", "127.0.0.7:0", shared); /* not what the kernel would choose */
        exchange(NULL, "::1", "[::1]:0", shared);
        exchange("127.0.0.1", "127.0.0.1", "127.0.0.1:0", shared);
        exchange("::1", "::1", "[::1]:0", shared);
    }
}

/* ---- many threads, one socket ---- */

enum { SENDERS = 4, RUNS = 300, SENDER_SEGS = 20 };

struct sender {
    struct udp_io io;
    pthread_t id;
    size_t seg; /* of runs; 0: single datagrams of any size, as handshakes and probes are */
    bool ok;
};

/* A datagram's first two bytes are its length, so that one that was cut elsewhere shows. */
static void *send_runs(void *user)
{
    struct sender *s = user;
    static const size_t singles[] = {60, 700, 1200, 1452, 4000};
    uint8_t run[SENDER_SEGS * 1452];
    s->ok = true;
    for (unsigned i = 0; i < RUNS && s->ok; i++) {
        size_t seg = s->seg ? s->seg : singles[i % ARRAY_SIZE(singles)], sent = 0;
        size_t total = s->seg ? SENDER_SEGS * seg - i % 100 : seg;
        memset(run, 0, sizeof(run));
        for (size_t at = 0; at < total; at += seg) {
            st_u16(run + at, (uint16_t)MIN(seg, total - at));
        }
        s->ok = udp_send_segments(&s->io, NULL, NULL, run, total, seg, 5000, &sent) == 0;
    }
    return NULL;
}

static unsigned count_intact(struct udp_io *io)
{
    struct udp_packet p = {.data = store[0], .size = UDP_BUFFER};
    unsigned n = 0;
    while (udp_recv(io, &p, 1) == 1) {
        for (uint32_t at = 0; at < p.len; at += p.seg, n++) {
            assert_int_equal(p.data[at] << 8 | p.data[at + 1], MIN(p.seg, p.len - at));
        }
    }
    return n;
}

static void one_socket_many_sizes(void **state)
{
    (void)state;
    static const size_t segs[SENDERS] = {1400, 1200, 0, 1400};
    const unsigned want = 3 * RUNS * SENDER_SEGS + RUNS;
    struct udp_io s = server(NULL), c = client("127.0.0.1");
    struct sender sender[SENDERS];
    struct mono until = deadline_s(20);
    unsigned got = 0;
    assert_int_equal(udp_set_buffers(s.fd, 64 << 20, 0, NULL, NULL), 0);
    for (int i = 0; i < SENDERS; i++) {
        sender[i] = (struct sender){.seg = segs[i],
                                    .io = {.fd = dup(c.fd), .shared = udp_shared_ref(c.shared)}};
    }
    end(&c);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&sender[i].id, NULL, send_runs, &sender[i]), 0);
    }
    while (got < want) {
        got += count_intact(&s);
        not_after(until);
        poll(&(struct pollfd){s.fd, POLLIN, 0}, 1, 20);
    }
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(sender[i].id, NULL), 0);
        assert_true(sender[i].ok);
        end(&sender[i].io);
    }
    assert_int_equal(got + count_intact(&s), want);
    end(&s);
}

static void without_gro(void **state)
{
    (void)state;
    struct udp_io s = server(NULL), c = client("::1");
    int off = 0;
    assert_int_equal(setsockopt(s.fd, SOL_UDP, UDP_GRO, &off, sizeof(off)), 0);
    size_t sent;
    struct udp_packet p;
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 50000, 1000, 100, &sent), 0);
    assert_int_equal(receive(&s, 50000, 1000, &p), 50);
    end(&s);
    end(&c);
}

/* A device for which the kernel refuses segments: no checksums by the card, and IPsec are the
 * real cases; here the socket says "no checksum", which refuses them in the same place. */
static void falls_back_and_remembers(void **state)
{
    (void)state;
    struct udp_io s = server(NULL), c = client("127.0.0.1");
    int on = 1;
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    size_t sent;
    struct udp_packet p;
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 5000, 1000, 100, &sent), 0);
    assert_int_equal(sent, 5000);
    assert_int_equal(receive(&s, 5000, 1000, &p), 5);
    assert_true(c.plain);
    end(&s);
    end(&c);
}

static void too_large_is_told(void **state)
{
    (void)state;
    sh("ip link set lo mtu 1500");
    const char *peers[] = {"127.0.0.1", "::1"};
    for (int i = 0; i < 4; i++) {
        struct udp_io s = server(NULL), c = client(peers[i / 2]);
        c.plain = i % 2;
        size_t sent = 1, most = i / 2 ? 1452 : 1472;
        struct udp_packet p;
        assert_int_equal(udp_path_mtu(c.fd), 1500);
        assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 5000, most + 1, 100, &sent),
                         -EMSGSIZE);
        assert_int_equal(sent, 0);
        assert_int_equal(c.plain, i % 2);
        assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 5000, most, 100, &sent), 0);
        receive(&s, 5000, most, &p);
        /* the bound socket's answers are not fragmented either */
        assert_int_equal(
            udp_send_segments(&s, &p.from, &p.local, pattern(), most + 1, most + 1, 100, &sent),
            -EMSGSIZE);
        assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 70000, 66000, 0, &sent),
                         -EMSGSIZE);
        end(&s);
        end(&c);
    }
    sh("ip link set lo mtu 65536");
}

static void refused_is_told_and_retried(void **state)
{
    (void)state;
    struct udp_io c = client("127.0.0.1");
    size_t sent;
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 100, 100, 100, &sent), 0);
    assert_false(c.refused);
    assert_int_equal(poll(&(struct pollfd){c.fd, POLLIN, 0}, 1, 5000), 1);
    struct udp_io s = server(NULL);
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 100, 100, 100, &sent), 0);
    assert_int_equal(sent, 100); /* the ICMP of before did not cost this one */
    assert_true(c.refused);
    struct udp_packet p;
    receive(&s, 100, 100, &p);
    end(&s);
    c.refused = false;
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 100, 100, 100, &sent), 0);
    assert_int_equal(poll(&(struct pollfd){c.fd, POLLIN, 0}, 1, 5000), 1);
    p = (struct udp_packet){.data = store[0], .size = UDP_BUFFER};
    assert_int_equal(udp_recv(&c, &p, 1), 0);
    assert_true(c.refused);
    end(&c);
}

static void drops_are_counted(void **state)
{
    (void)state;
    struct udp_io s = server(NULL), c = client("127.0.0.1");
    c.plain = true;
    size_t sent;
    uint32_t drops = 9;
    struct udp_packet p = {.data = store[0], .size = UDP_BUFFER};
    assert_int_equal(udp_drops(s.fd, &drops), 0);
    assert_int_equal(drops, 0);
    assert_int_equal(udp_set_buffers(s.fd, 20000, 0, NULL, NULL), 0);
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 100000, 1000, 100, &sent), 0);
    unsigned read = 0;
    while (udp_recv(&s, &p, 1) == 1) {
        read += p.len / 1000;
    }
    assert_int_equal(udp_drops(s.fd, &drops), 0);
    assert_int_equal(drops + read, 100);
    assert_true(drops > 10);
    assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 10, 10, 100, &sent), 0);
    receive(&s, 10, 10, &p);
    assert_int_equal(s.drops, drops);
    end(&s);
    end(&c);
}

static void a_full_socket_waits_no_longer_than_told(void **state)
{
    (void)state;
    sh("ip link add sv type veth peer name sw && ip addr add 10.9.0.1/24 dev sv && "
       "ip link set sv up && ip link set sw up"); /* nobody answers ARP: datagrams queue up */
    struct udp_io c = client("10.9.0.2");
    assert_int_equal(udp_set_buffers(c.fd, 0, 4608, NULL, NULL), 0);
    size_t sent = 0, sum = 0;
    int r = 0;
    struct mono start = mono_now();
    for (int i = 0; i < 1000 && r == 0; i++) {
        r = udp_send_segments(&c, NULL, NULL, pattern(), 28000, 1400, 50, &sent);
        sum += sent;
    }
    assert_int_equal(r, -EAGAIN);
    assert_true(sum < 1000 * 28000);
    int64_t took = mono_diff(mono_now(), start);
    assert_true(took >= 50 * NSEC_PER_MSEC && took < 2 * NSEC_PER_SEC);
    end(&c);
    sh("ip link del sv");
}

/* A datagram's first bytes as docs/protocol.md has them. */
static void datagram_for(uint8_t d[1000], uint8_t type, uint32_t receiver, uint32_t sender)
{
    memset(d, 0, 1000);
    d[0] = type;
    st_u32(d + 4, type == 16 ? receiver : 0x46535031);
    st_u32(d + 8, sender);
    st_u32(d + 12, type == 16 ? 0 : receiver);
}

/* How many datagrams wait in a socket of the group; `ret_bufs`: in how many buffers. */
static unsigned drain(int fd, unsigned *ret_bufs)
{
    struct udp_io io = {.fd = fd};
    unsigned datagrams = 0;
    *ret_bufs = 0;
    for (int n = 1; n > 0;) {
        struct udp_packet p[BUFS];
        for (int i = 0; i < BUFS; i++) {
            p[i] = (struct udp_packet){.data = store[i], .size = UDP_BUFFER};
        }
        n = udp_recv(&io, p, BUFS);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++) {
            datagrams += (p[i].len + p[i].seg - 1) / p[i].seg;
            *ret_bufs += 1;
        }
    }
    return datagrams;
}

static void steers(const char *peer, unsigned n)
{
    enum { RUN = 20 };
    static uint8_t run[RUN][1000];
    struct error err = {""};
    struct udp_addr a = addr_of(peer, 0);
    int fd[8];
    assert_int_equal(udp_bind_group(n == 5 ? &a : NULL, PORT, n, fd, &err), 0);
    for (uint32_t i = 0; i < 64; i++) {
        struct udp_io c = client(peer); /* each time from another port: a NAT forgets */
        uint32_t index = 0xfffffff0 + i * 7, other;
        uint8_t type = i % 4 == 3 ? 1 : 16; /* HELLOs between records, … */
        bool first = i % 8 == 3;            /* … every second one of a tap that has no session */
        unsigned bufs;
        size_t sent;
        for (unsigned k = 0; k < RUN; k++) {
            datagram_for(run[k], type, first ? 0 : index, first ? index : index + 1);
        }
        assert_int_equal(udp_send_segments(&c, NULL, NULL, run, sizeof(run), 1000, 100, &sent), 0);
        assert_int_equal(drain(fd[index % n], &bufs), RUN);
        assert_in_range(bufs, 1, 4); /* put together by the kernel as in one socket */
        for (other = 0; other < n; other++) {
            assert_int_equal(drain(fd[other], &bufs), 0);
        }
        end(&c);
    }
    struct udp_io c = client(peer); /* too short to say whose it is */
    unsigned bufs;
    assert_int_equal(send(c.fd, "\x10", 1, 0), 1);
    assert_int_equal(drain(fd[0], &bufs), 1);
    end(&c);
    for (unsigned i = 0; i < n; i++) {
        close(fd[i]);
    }
}

static void a_group_is_steered_by_index(void **state)
{
    (void)state;
    steers("127.0.0.1", 1);
    steers("127.0.0.1", 2);
    steers("::1", 3);
    steers("127.0.0.1", 5);
    steers("::1", 8);
}

/* Two collectors must not share a port by mistake. */
static void a_group_keeps_its_port(void **state)
{
    (void)state;
    struct error err = {""};
    int fd[2], again[2], one = -1;
    assert_int_equal(udp_bind_group(NULL, PORT, 2, fd, &err), 0);
    assert_int_equal(udp_bind_group(NULL, PORT, 2, again, &err), -EADDRINUSE);
    assert_string_equal(err.text, "UDP port 1234 is in use already: choose another");
    assert_true(again[0] == -1 && again[1] == -1);
    assert_int_equal(udp_bind(NULL, PORT, &one, &err), -EADDRINUSE);
    close(fd[0]);
    close(fd[1]);
}

static void addresses_in_words(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "1.2.3",
        "x",          "::1::",
        "1.2.3.4%lo", "%lo",
        "::1:",       "[::1]",
        "1.2.3.4:5",  "2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999"};
    struct udp_addr a;
    char text[UDP_ADDR_TEXT];
    assert_int_equal(udp_addr_parse("192.0.2.1", &a), 0);
    assert_addr(&a, "192.0.2.1:0");
    assert_int_equal(udp_addr_parse("2001:db8::1", &a), 0);
    assert_addr(&a, "[2001:db8::1]:0");
    assert_int_equal(udp_addr_parse("fe80::1%lo", &a), 0);
    snprintf(text, sizeof(text), "[fe80::1%%%u]:0", if_nametoindex("lo"));
    assert_addr(&a, text);
    assert_int_equal(udp_addr_parse("fe80::1%", &a), -ENODEV);
    assert_int_equal(udp_addr_parse("fe80::1%nosuch", &a), -ENODEV);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(udp_addr_parse(wrong[i], &a), -EINVAL);
    }
    assert_addr(&a, text); /* untouched */
}

/* A link-local address without its interface means nothing. */
static void link_local_needs_its_interface(void **state)
{
    (void)state;
    struct error err = {""};
    struct udp_addr a = addr_of("fe80::1", 7);
    int fd = -1;
    assert_int_equal(udp_connect(&a, &fd, &err), -EINVAL);
    assert_string_equal(err.text, "cannot send to UDP [fe80::1]:7: a link-local address needs the "
                                  "interface behind it, such as fe80::1%eth0");
    assert_int_equal(udp_bind(&a, 7, &fd, &err), -EINVAL);
    assert_string_equal(err.text, "cannot receive on UDP [fe80::1]:7: a link-local address needs "
                                  "the interface behind it, such as fe80::1%eth0");
    assert_int_equal(fd, -1);
}

/* An answer of the peer's host is kept, told once, and costs no datagram. */
static void answers_are_told(void **state)
{
    (void)state;
    static const char *const to[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
        struct udp_io c = client(to[i]);
        size_t sent;
        assert_int_equal(udp_answered(c.fd), UDP_ANSWER_NONE);
        assert_int_equal(udp_send_segments(&c, NULL, NULL, pattern(), 9, 9, 0, &sent), 0);
        struct pollfd p = {c.fd, 0, 0};
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(p.revents, POLLERR);
        assert_int_equal(udp_answered(c.fd), UDP_ANSWER_PORT);
        assert_int_equal(udp_answered(c.fd), UDP_ANSWER_NONE);
        struct udp_packet none = {.data = store[0], .size = UDP_BUFFER};
        assert_int_equal(udp_recv(&c, &none, 1), 0);
        assert_int_equal(poll(&p, 1, 0), 0); /* nothing is left that would wake a loop for ever */
        end(&c);
    }
}

static void each_goes_where_it_is_sent(void **state)
{
    (void)state;
    struct udp_io s = server("127.0.0.1"), c[2] = {client("127.0.0.1"), client("127.0.0.1")};
    struct udp_addr to[2];
    s.plain = true;
    for (int i = 0; i < 4; i++) {
        struct udp_packet p;
        size_t sent = 0;
        assert_int_equal(udp_local(c[i % 2].fd, &to[i % 2]), 0);
        udp_send_segments(&s, &to[i % 2], NULL, pattern(), 3000, 1400, 0, &sent);
        receive(&c[i % 2], 3000, 1400, &p);
    }
    end(&s), end(&c[0]), end(&c[1]);
}

static void errors_in_words(void **state)
{
    (void)state;
    struct error err = {""};
    struct udp_io s = server(NULL);
    int fd = -1;
    assert_int_equal(udp_bind(NULL, PORT, &fd, &err), -EADDRINUSE);
    assert_string_equal(err.text, "UDP port 1234 is in use already: choose another");
    struct udp_addr a = addr_of("192.0.2.1", 0);
    assert_int_equal(udp_bind(&a, PORT, &fd, &err), -EADDRNOTAVAIL);
    assert_string_equal(err.text,
                        "cannot receive on UDP 192.0.2.1:1234: Cannot assign requested address");
    a = addr_of("2001:db8::1", 5);
    assert_int_equal(udp_connect(&a, &fd, &err), -ENETUNREACH);
    assert_string_equal(err.text, "cannot send to UDP [2001:db8::1]:5: Network is unreachable");
    assert_int_equal(fd, -1);
    assert_true(udp_addr_equal(&a, &a));
    struct udp_addr b = addr_of("2001:db8::1", 6);
    assert_false(udp_addr_equal(&a, &b));
    assert_true(udp_addr_equal(&(struct udp_addr){.len = 0}, &(struct udp_addr){.len = 0}));
    assert_false(udp_addr_equal(&a, &(struct udp_addr){.len = 0}));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_there_and_back),
        cmocka_unit_test(one_socket_many_sizes),
        cmocka_unit_test(without_gro),
        cmocka_unit_test(falls_back_and_remembers),
        cmocka_unit_test(too_large_is_told),
        cmocka_unit_test(refused_is_told_and_retried),
        cmocka_unit_test(drops_are_counted),
        cmocka_unit_test(a_full_socket_waits_no_longer_than_told),
        cmocka_unit_test(a_group_is_steered_by_index),
        cmocka_unit_test(a_group_keeps_its_port),
        cmocka_unit_test(addresses_in_words),
        cmocka_unit_test(link_local_needs_its_interface),
        cmocka_unit_test(answers_are_told),
        cmocka_unit_test(each_goes_where_it_is_sent),
        cmocka_unit_test(errors_in_words),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
