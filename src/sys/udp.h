/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's datagrams: many of one size are sent in one call (UDP_SEGMENT, udp(7)) and many of one
 * peer are received in one buffer (UDP_GRO), which is several times cheaper than one by one. IP
 * never fragments them: the sockets have "don't fragment" on, and a datagram that the device does
 * not take is -EMSGSIZE here; one that the path beyond does not carry is lost (model/pmtu.h).
 * Opening may need privileges (a port below 1024, large buffers); use does not. The functions of
 * use never block longer than they are told to.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "sys/udp_error.h"

enum {
    UDP_RECV_MAX = 64,      /* buffers a call of udp_recv() */
    UDP_BUFFER = 65536,     /* room for one of those: what GRO can put together */
    UDP_SEGMENTS = 64,      /* datagrams a system call; newer kernels would take 128 */
    UDP_CALL_BYTES = 65487, /* bytes a system call, so that IPv4 and IPv6 can carry it */
    UDP_ADDR_TEXT = 64,
};

struct udp_addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6; /* v4-mapped for IPv4 on a dual-stack socket */
    };
    socklen_t len; /* 0: none */
};

/* An address in numbers, as "192.0.2.1", "2001:db8::1" or "fe80::1%eth0"; port 0. -EINVAL: it is
 * none; -ENODEV: there is no such interface. */
int udp_addr_parse(const char *text, struct udp_addr *ret);
/* "192.0.2.1:1234" or "[2001:db8::1]:1234"; v4-mapped addresses are shown as IPv4, interfaces by
 * their number. */
void udp_addr_text(const struct udp_addr *a, char ret[UDP_ADDR_TEXT]);
/* The IPv6 address, or the IPv4 one mapped (::ffff:a.b.c.d), whatever the family. */
void udp_addr_ip(const struct udp_addr *a, uint8_t ret[16]);
/* As it stands in the datagram: in network byte order. */
uint16_t udp_addr_port(const struct udp_addr *a);
/* Bytes of the IP and UDP headers of a datagram to or from there. */
unsigned udp_addr_headers(const struct udp_addr *a);
/* Same family, address, port and scope. */
bool udp_addr_equal(const struct udp_addr *a, const struct udp_addr *b);

/* A socket that receives from anyone. `addr` NULL: on every address of both families (IPv4 alone
 * where there is no IPv6); its port is overridden by `port`. -EADDRINUSE, -EACCES, … in words. */
int udp_bind(const struct udp_addr *addr, uint16_t port, int *ret_fd, struct error *err);

/* `n` such sockets for one port, one for each receiving thread. The kernel gives record datagrams
 * of the link (docs/protocol.md, "Records") to number `session index % n`, whatever their sender's
 * address, handshakes that name such an index too, and others to any; GRO works as ever. With n ==
 * 1, an ordinary socket. Another program that wants the same port gets -EADDRINUSE. On failure none
 * is open. */
int udp_bind_group(const struct udp_addr *addr, uint16_t port, unsigned n, int ret_fd[],
                   struct error *err);

/* A socket to one peer. */
int udp_connect(const struct udp_addr *peer, int *ret_fd, struct error *err);

/* Asks for buffers of that many bytes, beyond the sysctls' limits if privileged; gives what the
 * kernel granted (it counts its own overhead too). 0 leaves one as it is; `ret_…` may be NULL. */
int udp_set_buffers(int fd, int rcv_bytes, int snd_bytes, int *ret_rcv, int *ret_snd);

/* The socket's own address. */
int udp_local(int fd, struct udp_addr *ret);

/* Bytes of the path's MTU, IP header included, as the kernel believes it by its devices, its routes
 * and what ICMP said; connected sockets only. */
int udp_path_mtu(int fd);
/* Bytes of the IP and UDP headers of what the socket sends. */
unsigned udp_headers(int fd);

/* Datagrams dropped at this socket since it was opened for want of buffer. Counted by the kernel in
 * buffers: with UDP_GRO one of them may have been several datagrams. */
int udp_drops(int fd, uint32_t *ret);

/* Bytes of memory that datagrams which have not left yet take of the socket's send buffer, and how
 * many it may hold. Those to a neighbour that does not answer stay for seconds. -errno. */
int udp_unsent(int fd);
int udp_send_buffer(int fd);

/* Shared by all that send on one connected socket, each by a descriptor of its own: the size of
 * segments is set on the socket itself. With that a call needs no message header, which is memory
 * that a filter of system calls cannot look into (sys/sandbox.h). Any thread may use it; it goes
 * with its last reference. -ENOMEM. */
struct udp_shared;
int udp_shared_new(struct udp_shared **ret);
struct udp_shared *udp_shared_ref(struct udp_shared *s);
void udp_shared_unref(struct udp_shared *s);

/* A socket in use. Zeros and an fd (borrowed) to begin with. */
struct udp_io {
    int fd;
    struct udp_shared *shared; /* borrowed; NULL: message headers carry addresses and sizes */
    bool plain;                /* UDP_SEGMENT did not work: one datagram a message from now on */
    bool refused; /* an ICMP message came instead of an answer; stays until the caller clears it */
    uint32_t drops; /* as udp_drops(), as of the last datagram received */
};

struct udp_packet {
    uint8_t *data;         /* set by the caller */
    uint32_t size;         /* set by the caller; UDP_BUFFER, or GRO's buffers may be cut */
    uint32_t len;          /* bytes received */
    uint32_t seg;          /* each datagram in it has `seg` bytes, the last perhaps fewer */
    bool cut;              /* longer than `size`: the rest is lost */
    struct udp_addr from;  /* the sender */
    struct udp_addr local; /* our address that it was sent to (port 0); len 0 if connected */
};

/* Receives what is there, at most `n` buffers (<= UDP_RECV_MAX). Gives how many, 0 for none, or
 * -errno. Never blocks. */
int udp_recv(struct udp_io *io, struct udp_packet *p, unsigned n);

/* Sends `total` bytes as datagrams of `seg` bytes (the last may be shorter). `to` NULL: to the
 * connected peer, as always where something is shared. `from`: the address to send from (as in
 * udp_packet.local), NULL: any. When the socket is full waits at most `wait_ms` in all, then
 * -EAGAIN. `*ret_sent` (also on failure): bytes that the system took, whole datagrams from the
 * start. -EMSGSIZE: `seg` does not fit the device.
 */
int udp_send_segments(struct udp_io *io, const struct udp_addr *to, const struct udp_addr *from,
                      const void *data, size_t total, size_t seg, int wait_ms, size_t *ret_sent);
