/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/sockopt.h"

enum {
    FRAME_SIZE = 2048, /* no meaning in version 3, but the kernel checks it */
    VNET_LEN = sizeof(struct virtio_net_hdr),
    ENTRY_ALIGN = 8, /* the kernel's V3_ALIGNMENT, which its headers do not export */
    MACS_LEN = 12,
    TAG_LEN = 4,
    BYTES_MAX = 1 << 30,
    BLOCK_HEADS = 4096, /* more than the kernel's headers of a block and of a frame take */
    PREFETCH = 1024,    /* bytes ahead of the entry being read: several small frames */
    PLUG_FRAME = TPACKET_ALIGN(TPACKET3_HDRLEN), /* the least that the kernel takes */
};

struct ring {
    int fd;
    struct ring_conf conf;
    uint8_t *map;
    size_t mapped;
    uint32_t n_blocks;
    uint32_t most;  /* bytes of an entry that a block has room for */
    uint32_t block; /* the next to be read, or being read */
    bool busy;      /* it is ours and partly or wholly given out */
    uint32_t left;  /* its entries not yet given out */
    uint32_t at;    /* offset of the next of those in the block */
    uint64_t seen, dropped, walked;
    struct mono stopped;
};

static void with_defaults(struct ring_conf *c)
{
    if (!c->block_size) {
        c->block_size = RING_BLOCK_DEFAULT;
        while (c->block_size < MIN(c->longest, (uint32_t)RING_LONGEST_MAX) + BLOCK_HEADS) {
            c->block_size *= 2;
        }
    }
    if (!c->bytes) {
        c->bytes = MAX((uint32_t)RING_BYTES_DEFAULT, RING_BLOCKS_MIN * c->block_size);
    }
    c->retire_ms = c->retire_ms ? c->retire_ms : RING_RETIRE_DEFAULT_MS;
}

/* The ring's shape, the same in both processes. */
static int geometry(const struct ring_conf *c, uint32_t *ret_blocks, struct error *err)
{
    uint32_t size = c->block_size;
    if (size < 4096 || (size & (size - 1)) || c->bytes > BYTES_MAX || size > BYTES_MAX) {
        return error_set(err, EINVAL,
                         "a capture ring of %u bytes in blocks of %u: blocks must be a power of "
                         "two from 4096 on, and the ring at most 1 GiB",
                         c->bytes, size);
    }
    uint32_t blocks = (c->bytes + size - 1) / size;
    *ret_blocks = blocks < 2 ? 2 : blocks;
    return 0;
}

static int attach(int fd, const struct sock_filter *insns, unsigned n)
{
    struct sock_fprog prog = {(unsigned short)n, (struct sock_filter *)insns};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

static int attach_reject_all(int fd)
{
    const struct sock_filter reject = {BPF_RET | BPF_K, 0, 0, 0};
    return attach(fd, &reject, 1);
}

static int set_options(int fd, const struct ring_conf *c, struct error *err)
{
    int r = attach_reject_all(fd);
    if (r == 0) {
        r = sockopt_int(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
    }
    if (r == 0 && !c->cooked) {
        r = sockopt_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    }
    if (r == 0 && c->ignore_outgoing) {
        r = sockopt_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    }
    if (r == 0) { /* frames are stamped once, where they come in, for every socket alike */
        r = sockopt_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    }
    return r < 0 ? error_sys(err, -r, "cannot set up a packet socket") : 0;
}

static int set_ring(int fd, const struct ring_conf *c, struct error *err)
{
    uint32_t blocks = 0;
    int r = geometry(c, &blocks, err);
    if (r < 0) {
        return r;
    }
    struct tpacket_req3 req = {
        .tp_block_size = c->block_size,
        .tp_block_nr = blocks,
        .tp_frame_size = FRAME_SIZE,
        .tp_frame_nr = c->block_size / FRAME_SIZE * blocks,
        .tp_retire_blk_tov = c->retire_ms,
    };
    if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0) {
        return error_sys(err, errno, "cannot get %u blocks of %u bytes for a capture ring", blocks,
                         c->block_size);
    }
    return 0;
}

/* A packet socket that has a ring for sending sends from there and in no other way, with an address
 * or without. Frames of this one have room for the kernel's headers and 22 bytes: whoever holds the
 * descriptor cannot put an IP packet onto an Ethernet by it. */
static int set_plug(int fd, struct error *err)
{
    uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
    struct tpacket_req3 req = {.tp_block_size = page,
                               .tp_block_nr = 1,
                               .tp_frame_size = PLUG_FRAME,
                               .tp_frame_nr = page / PLUG_FRAME};
    if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0) {
        return error_sys(err, errno, "cannot keep a packet socket from sending");
    }
    return 0;
}

static int set_bind(int fd, const struct ring_conf *c, struct error *err)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = c->ifindex};
    if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        return error_sys(err, errno, "cannot capture on interface %d", c->ifindex);
    }
    struct packet_mreq promisc = {.mr_ifindex = c->ifindex, .mr_type = PACKET_MR_PROMISC};
    if (c->promiscuous &&
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0) {
        return error_sys(err, errno, "cannot set interface %d to promiscuous mode", c->ifindex);
    }
    return 0;
}

static int open_failed(int e, struct error *err)
{
    return e == EPERM ? error_set(err, EPERM,
                                  "capturing needs root, or the capability CAP_NET_RAW (sudo, or "
                                  "setcap cap_net_raw,cap_net_admin+ep on the program)")
                      : error_sys(err, e, "cannot open a packet socket");
}

int ring_may_capture(struct error *err)
{
    _cleanup_(closep) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? open_failed(errno, err) : 0;
}

int ring_open(const struct ring_conf *conf, int *ret_fd, struct error *err)
{
    struct ring_conf c = *conf;
    with_defaults(&c);
    int type = c.cooked ? SOCK_DGRAM : SOCK_RAW;
    _cleanup_(closep) int fd = socket(AF_PACKET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return open_failed(errno, err);
    }
    int r = set_options(fd, &c, err);
    if (r == 0) {
        r = set_ring(fd, &c, err);
    }
    if (r == 0) {
        r = set_plug(fd, err);
    }
    if (r == 0) {
        r = set_bind(fd, &c, err);
    }
    if (r < 0) {
        return r;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int ring_attach(int fd, const struct ring_conf *conf, struct ring **ret, struct error *err)
{
    _cleanup_(ring_freep) struct ring *r = calloc(1, sizeof(*r));
    if (!r) {
        return error_sys(err, ENOMEM, "a capture ring");
    }
    r->fd = -1;
    r->conf = *conf;
    with_defaults(&r->conf);
    r->most = r->conf.block_size - (uint32_t)sizeof(struct tpacket_block_desc);
    int rc = geometry(&r->conf, &r->n_blocks, err);
    if (rc < 0) {
        return rc;
    }
    /* The kernel maps both rings together or none. */
    size_t size = (size_t)r->n_blocks * r->conf.block_size + (size_t)sysconf(_SC_PAGESIZE);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED) {
        return error_sys(err, errno, "cannot map a capture ring of %zu bytes", size);
    }
    r->map = map;
    r->mapped = size;
    r->fd = fd;
    *ret = TAKE_PTR(r);
    return 0;
}

void ring_free(struct ring *r)
{
    if (!r) {
        return;
    }
    if (r->map) {
        munmap(r->map, r->mapped);
    }
    closep(&r->fd);
    free(r);
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

static struct tpacket_hdr_v1 *block_head(const struct ring *r)
{
    uint8_t *block = r->map + (size_t)r->block * r->conf.block_size;
    return &((struct tpacket_block_desc *)(void *)block)->hdr.bh1;
}

static bool take_block(struct ring *r)
{
    struct tpacket_hdr_v1 *head = block_head(r);
    if (!(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
        return false;
    }
    r->busy = true;
    r->left = head->num_pkts;
    r->at = head->offset_to_first_pkt;
    return true;
}

void ring_release(struct ring *r)
{
    if (!r->busy || r->left) {
        return;
    }
    __atomic_store_n(&block_head(r)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    r->block = (r->block + 1) % r->n_blocks;
    r->busy = false;
}

static void fill_offload(struct frame *f, const uint8_t *mac)
{
    struct virtio_net_hdr h;
    memcpy(&h, mac - VNET_LEN, sizeof(h));
    f->gso_type = h.gso_type;
    f->vnet_flags = h.flags;
    f->gso_size = h.gso_size;
    f->csum_start = h.csum_start;
    f->csum_offset = h.csum_offset;
}

/* Bytes that the wire had, or that Ethernet would have, and the ring has not. */
static void insert(struct frame *f, uint16_t off, const uint8_t *bytes, uint8_t n)
{
    f->origlen += n;
    if (f->vnet_flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        f->csum_start = (uint16_t)(f->csum_start + n);
    }
    if (f->datalen >= off) { /* a slice may end before the tag's place */
        memcpy(f->ins, bytes, n);
        f->ins_len = n;
        f->ins_off = off;
        f->caplen += n;
    }
}

static void put_tag_back(struct frame *f, const struct tpacket3_hdr *h)
{
    uint16_t tpid = (h->tp_status & TP_STATUS_VLAN_TPID_VALID) && h->hv1.tp_vlan_tpid
                        ? h->hv1.tp_vlan_tpid
                        : ETH_P_8021Q;
    uint16_t tci = (uint16_t)h->hv1.tp_vlan_tci;
    const uint8_t tag[TAG_LEN] = {(uint8_t)(tpid >> 8), (uint8_t)tpid, (uint8_t)(tci >> 8),
                                  (uint8_t)tci};
    insert(f, MACS_LEN, tag, TAG_LEN);
}

/* `type` as the kernel has it. Some senders leave it open: then it is one of IP. */
static void put_ethernet(struct frame *f, uint16_t type)
{
    if (type < ETH_P_802_3_MIN) {
        type = f->datalen && f->data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
    }
    const uint8_t head[ETH_HLEN] = {[12] = (uint8_t)(type >> 8), [13] = (uint8_t)type};
    insert(f, 0, head, ETH_HLEN);
}

static void fill(const struct ring *r, struct frame *f, const uint8_t *entry,
                 const struct tpacket3_hdr *h, const struct sockaddr_ll *from)
{
    *f = (struct frame){
        .data = entry + h->tp_mac,
        .datalen = h->tp_snaplen,
        .caplen = h->tp_snaplen,
        .origlen = h->tp_len,
        .ts_ns = (int64_t)h->tp_sec * NSEC_PER_SEC + h->tp_nsec,
        .point = r->conf.point,
        .dir = from->sll_pkttype == PACKET_OUTGOING ? FRAME_DIR_OUT : FRAME_DIR_IN,
    };
    if (!r->conf.cooked) {
        fill_offload(f, f->data);
    }
    if (r->conf.raw_ip || r->conf.cooked) {
        put_ethernet(f, ntohs(from->sll_protocol));
    } else if (h->tp_status & TP_STATUS_VLAN_VALID) {
        put_tag_back(f, h);
    }
    if (r->conf.snaplen && f->caplen > r->conf.snaplen) {
        f->caplen = r->conf.snaplen;
    }
}

/* One entry of the block. True when it became a frame. */
static bool take_entry(struct ring *r, const uint8_t *block, struct frame *f,
                       struct ring_skips *skips)
{
    const uint8_t *entry = block + r->at;
    const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)(const void *)entry;
    const struct sockaddr_ll *from =
        (const struct sockaddr_ll *)(const void *)(entry + TPACKET_ALIGN(sizeof(*h)));
    uint32_t room = r->conf.block_size - r->at;
    __builtin_prefetch(entry + PREFETCH);
    __builtin_prefetch(entry + PREFETCH + 64);
    r->at += h->tp_next_offset;
    if (!(h->tp_status & TP_STATUS_USER)) {
        skips->unfilled++;
        return false;
    }
    r->walked++;
    if (h->tp_mac < TPACKET3_HDRLEN + VNET_LEN || h->tp_mac > room ||
        h->tp_snaplen > room - h->tp_mac) {
        skips->bad++;
        return false;
    }
    fill(r, f, entry, h, from);
    /* The kernel keeps of a frame what an empty block has room for, if that is less. */
    skips->clamped += h->tp_snaplen < h->tp_len && h->tp_mac + h->tp_snaplen == r->most;
    return true;
}

static void read_block(struct ring *r, struct batch *b, struct ring_skips *skips)
{
    const uint8_t *block = r->map + (size_t)r->block * r->conf.block_size;
    while (r->left && b->n < BATCH_MAX) {
        if (r->at > r->conf.block_size - TPACKET3_HDRLEN || r->at % ENTRY_ALIGN) {
            skips->bad += r->left; /* no way to find the others */
            r->walked += r->left;
            r->left = 0;
            return;
        }
        r->left--;
        if (take_entry(r, block, &b->f[b->n], skips)) {
            b->n++;
        }
    }
}

unsigned ring_read(struct ring *r, struct batch *b, struct ring_skips *skips)
{
    b->n = 0;
    for (uint32_t blocks = 0; b->n == 0 && blocks <= r->n_blocks; blocks++) {
        ring_release(r);
        if (!r->busy && !take_block(r)) {
            return 0;
        }
        read_block(r, b, skips);
    }
    return b->n;
}

int ring_set_filter(struct ring *r, const struct sock_filter *insns, unsigned n, struct error *err)
{
    int rc = n <= BPF_MAXINSNS ? attach(r->fd, insns, n) : -E2BIG;
    if (rc == -ENOMEM) {
        return error_set(err, ENOMEM,
                         "the kernel has no room for a filter of %u instructions: raise the sysctl "
                         "net.core.optmem_max",
                         n);
    }
    return rc < 0 ? error_sys(err, -rc, "cannot attach a filter of %u instructions", n) : 0;
}

int ring_stats(struct ring *r, uint64_t *ret_seen, uint64_t *ret_dropped)
{
    struct tpacket_stats_v3 s = {0}; /* tp_packets has the dropped ones in it; reading resets */
    socklen_t size = sizeof(s);
    if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &size) < 0) {
        return -errno;
    }
    r->seen += s.tp_packets;
    r->dropped += s.tp_drops;
    *ret_seen = r->seen;
    *ret_dropped = r->dropped;
    return 0;
}

uint64_t ring_size(const struct ring *r)
{
    return (uint64_t)r->n_blocks * r->conf.block_size;
}

int ring_stop(struct ring *r)
{
    int rc = attach_reject_all(r->fd);
    if (rc == 0) {
        r->stopped = mono_now();
    }
    return rc;
}

bool ring_drained(struct ring *r)
{
    /* A frame that another CPU had let pass the old filter may still be on its way into the ring:
     * that takes microseconds, and equal counts are believed only after a retire time. */
    uint64_t seen, dropped;
    if (!r->stopped.ns ||
        !mono_due(mono_now(), mono_add_ms(r->stopped, (int64_t)r->conf.retire_ms))) {
        return false;
    }
    return ring_stats(r, &seen, &dropped) == 0 && seen == dropped + r->walked;
}

int ring_error(struct ring *r)
{
    int code = 0;
    socklen_t size = sizeof(code);
    if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0) {
        return -errno;
    }
    return -code;
}
