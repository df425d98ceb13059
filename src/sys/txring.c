/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/txring.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sockmark.h"
#include "sys/sockopt.h"

enum {
    TAG_LEN = 4,
    TYPE_AT = 12,    /* of the ethertype, in a frame */
    BLOCK = 1 << 18, /* bytes; each has whole slots */
    BLOCKS = 10,
    DATA_AT = TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), /* in a slot */
    /* No power of two: slots of such a distance would share few lines of the cache. */
    SLOT =
        (DATA_AT + TXRING_LONGEST + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT * TPACKET_ALIGNMENT,
    IN_BLOCK = BLOCK / SLOT,
    SLOTS = IN_BLOCK * BLOCKS,
};

struct txring {
    int fd;
    uint8_t *map;
    unsigned head;    /* the next place */
    unsigned waiting; /* frames before it that were not taken */
};

int txring_open(const struct netif *port, int *ret_fd, struct error *err)
{
    const struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = port->index};
    const struct tpacket_req shape = {BLOCK, BLOCKS, SLOT, SLOTS};
    _cleanup_(closep) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open a packet socket (it takes CAP_NET_RAW)");
    }
    int r = sockopt_int(fd, SOL_SOCKET, SO_MARK, SOCKMARK_OUTPUT);
    r = r < 0 ? r : sockopt_int(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    if (r < 0) {
        return error_sys(err, -r, "cannot set up a packet socket");
    }
    if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &shape, sizeof(shape)) < 0) {
        return error_sys(err, errno, "cannot get %d bytes for a ring of frames to send",
                         BLOCK * BLOCKS);
    }
    if (bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
        return error_sys(err, errno, "cannot send on %s", port->name);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int txring_attach(int fd, struct txring **ret, struct error *err)
{
    struct txring *t = calloc(1, sizeof(*t));
    if (!t) {
        return error_sys(err, ENOMEM, "a ring of frames to send");
    }
    void *map = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        int e = errno;
        free(t);
        return error_sys(err, e, "cannot map a ring of frames to send");
    }
    *t = (struct txring){.fd = fd, .map = map};
    *ret = t;
    return 0;
}

void txring_free(struct txring *t)
{
    if (t) {
        munmap(t->map, (size_t)BLOCK * BLOCKS);
        close(t->fd);
        free(t);
    }
}

static struct tpacket2_hdr *slot(const struct txring *t, unsigned i)
{
    uint8_t *at = t->map + (size_t)(i / IN_BLOCK) * BLOCK + (size_t)(i % IN_BLOCK) * SLOT;
    return (struct tpacket2_hdr *)(void *)at;
}

static uint32_t status(const struct tpacket2_hdr *h)
{
    return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

static void set_status(struct tpacket2_hdr *h, uint32_t to)
{
    __atomic_store_n(&h->tp_status, to, __ATOMIC_RELEASE);
}

int txring_ifindex(const struct txring *t)
{
    struct sockaddr_ll at;
    socklen_t len = sizeof(at);
    return getsockname(t->fd, (struct sockaddr *)&at, &len) < 0 ? 0 : at.sll_ifindex;
}

static unsigned oldest(const struct txring *t)
{
    return (t->head + SLOTS - t->waiting) % SLOTS;
}

uint32_t txring_needs_mtu(const struct frame *f)
{
    uint8_t type[2];
    frame_copy(f, TYPE_AT, type, sizeof(type));
    unsigned tag = (unsigned)type[0] << 8 | type[1];
    bool tagged = (tag == ETH_P_8021Q || tag == ETH_P_8021AD) && f->caplen >= ETH_HLEN + TAG_LEN;
    return f->caplen - ETH_HLEN - (tagged ? TAG_LEN : 0);
}

bool txring_full(const struct txring *t)
{
    return t->waiting == SLOTS || status(slot(t, t->head)) != TP_STATUS_AVAILABLE;
}

int txring_put(struct txring *t, const struct frame *f)
{
    struct tpacket2_hdr *h = slot(t, t->head);
    if (f->caplen < TXRING_SHORTEST) {
        return -EINVAL;
    }
    if (f->caplen > TXRING_LONGEST) {
        return -EMSGSIZE;
    }
    if (txring_full(t)) {
        return -EAGAIN;
    }
    frame_copy(f, 0, (uint8_t *)h + DATA_AT, f->caplen);
    h->tp_len = f->caplen;
    set_status(h, TP_STATUS_SEND_REQUEST);
    t->head = (t->head + 1) % SLOTS;
    t->waiting++;
    return 0;
}

unsigned txring_push(struct txring *t, int *ret_err)
{
    unsigned taken = 0;
    *ret_err = 0;
    if (t->waiting == 0) {
        return 0;
    }
    if (sendto(t->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0) {
        *ret_err = -errno;
    }
    while (t->waiting > 0) {
        uint32_t s = status(slot(t, oldest(t)));
        if (s == TP_STATUS_SEND_REQUEST || s == TP_STATUS_WRONG_FORMAT) {
            *ret_err = s == TP_STATUS_WRONG_FORMAT ? -EMSGSIZE : *ret_err == 0 ? -EAGAIN : *ret_err;
            return taken;
        }
        t->waiting--;
        taken++;
    }
    *ret_err = 0;
    return taken;
}

/* The kernel goes on where the oldest frame lies, so those behind it move up. */
void txring_drop(struct txring *t)
{
    unsigned to = oldest(t);
    for (unsigned i = 1; i < t->waiting; i++) {
        struct tpacket2_hdr *h = slot(t, to), *next = slot(t, (to + 1) % SLOTS);
        memcpy((uint8_t *)h + DATA_AT, (uint8_t *)next + DATA_AT, next->tp_len);
        h->tp_len = next->tp_len;
        set_status(h, TP_STATUS_SEND_REQUEST);
        to = (to + 1) % SLOTS;
    }
    set_status(slot(t, to), TP_STATUS_AVAILABLE);
    t->head = to;
    t->waiting--;
}

void txring_forget(struct txring *t)
{
    const unsigned first = oldest(t);
    for (; t->waiting > 0; t->waiting--) {
        set_status(slot(t, oldest(t)), TP_STATUS_AVAILABLE);
    }
    t->head = first;
}

unsigned txring_waiting(const struct txring *t)
{
    return t->waiting;
}
