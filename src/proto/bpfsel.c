/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bpfsel.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/sockmark.h"
#include "proto/bpfjumbo.h"
#include "proto/link.h"

enum {
    SNAP_ALL = FRAME_LEN_MAX,
    SNAP_LIBPCAP = 262144, /* what "all of the frame" is to libpcap; super-packets may be longer */
    TPID_Q = 0x8100,
    TPID_AD = 0x88a8,
    TPID_OLD = 0x9100,
    ETHERTYPE_V4 = 0x0800,
    ETHERTYPE_V6 = 0x86dd,
    ETHER_LEN = 14,
    WORDS = VLAN_IDS / 32,
    UDP_LEN = 8,
    /* The program's memory: for the prelude's parts, one after the other. */
    M_ID = 0,   /* a VLAN id */
    M_IP = 1,   /* where the IP header is, less the base */
    M_TYPE = 2, /* its ethertype */
    M_UDP = 3,  /* where the UDP header is, less the base and an IPv6 header's length */
    M_HASH = 4,
    JUMBO_LEN = 32, /* more than the instructions that find one, and those that slice */
};

/* Where the far jumps go. A conditional jump reaches only 255 instructions, so a far one is a local
 * conditional around a JA, whose place is filled in once the label's is known. */
enum label {
    L_REJECT,
    L_VLAN_TEST,
    L_VLAN_INLINE,
    L_VLAN_ID,
    L_NEXT,
    L_HANDSHAKE,
    L_TYPE,
    L_FLOWS,
    L_SLICE,
    L_JUMBO,
    L_COUNT
};

struct code {
    struct sock_filter *insn;
    unsigned n;
    bool full;
    unsigned open[BPFSEL_MAX]; /* JAs that wait for a label */
    uint8_t wants[BPFSEL_MAX];
    unsigned n_open;
};

static void emit(struct code *c, struct sock_filter insn)
{
    if (c->n >= BPFSEL_MAX) {
        c->full = true;
        return;
    }
    c->insn[c->n++] = insn;
}

static void stmt(struct code *c, unsigned op, uint32_t k)
{
    emit(c, (struct sock_filter){(uint16_t)op, 0, 0, k});
}

static void load_aux(struct code *c, int what)
{
    stmt(c, BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + what));
}

static void jump(struct code *c, enum label to)
{
    if (c->n_open >= BPFSEL_MAX) {
        c->full = true;
        return;
    }
    c->open[c->n_open] = c->n;
    c->wants[c->n_open++] = (uint8_t)to;
    stmt(c, BPF_JMP | BPF_JA, 0);
}

/* Goes on when the comparison holds, else to `to`. */
static void need(struct code *c, unsigned op, uint32_t k, enum label to)
{
    emit(c, (struct sock_filter){(uint16_t)(BPF_JMP | op | BPF_K), 1, 0, k});
    jump(c, to);
}

/* Goes on when the comparison does not hold, else to `to`. */
static void need_not(struct code *c, unsigned op, uint32_t k, enum label to)
{
    emit(c, (struct sock_filter){(uint16_t)(BPF_JMP | op | BPF_K), 0, 1, k});
    jump(c, to);
}

/* The label is here: every jump that waits for it lands on the next instruction. */
static void place(struct code *c, enum label label)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->n_open; i++) {
        if (c->wants[i] == label) {
            c->insn[c->open[i]].k = c->n - c->open[i] - 1;
            continue;
        }
        c->open[kept] = c->open[i];
        c->wants[kept++] = c->wants[i];
    }
    c->n_open = kept;
}

static void emit_dir(struct code *c, enum frame_dir dir)
{
    if (dir == FRAME_DIR_UNKNOWN) {
        return;
    }
    load_aux(c, SKF_AD_PKTTYPE);
    if (dir == FRAME_DIR_OUT) {
        need(c, BPF_JEQ, PACKET_OUTGOING, L_REJECT);
    } else {
        need_not(c, BPF_JEQ, PACKET_OUTGOING, L_REJECT);
    }
}

static uint32_t vlan_word(const struct vlan_set *s, unsigned w)
{
    return (uint32_t)(s->bits[w / 2] >> (w % 2 * 32));
}

/* A is the VLAN id: goes on when the set has it. The set is a bitmap of 128 words; runs of equal
 * words share one test, so that any set costs at most some 500 instructions. */
static void emit_vlan_set(struct code *c, const struct vlan_set *s)
{
    stmt(c, BPF_ST, M_ID);
    stmt(c, BPF_ALU | BPF_AND | BPF_K, 31);
    stmt(c, BPF_MISC | BPF_TAX, 0);
    stmt(c, BPF_LD | BPF_MEM, M_ID);
    stmt(c, BPF_ALU | BPF_RSH | BPF_K, 5);
    for (unsigned from = 0, to; from < WORDS; from = to) {
        uint32_t word = vlan_word(s, from);
        for (to = from + 1; to < WORDS && vlan_word(s, to) == word; to++) {
        }
        if (word == 0) {
            continue;
        }
        if (to - from > 1) {
            emit(c, (struct sock_filter){BPF_JMP | BPF_JGE | BPF_K, 0, 3, from});
            emit(c, (struct sock_filter){BPF_JMP | BPF_JGT | BPF_K, 2, 0, to - 1});
        } else {
            emit(c, (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 0, 2, from});
        }
        stmt(c, BPF_LD | BPF_IMM, word);
        jump(c, L_VLAN_TEST);
    }
    jump(c, L_REJECT);
    place(c, L_VLAN_TEST);
    stmt(c, BPF_ALU | BPF_RSH | BPF_X, 0);
    need(c, BPF_JSET, 1, L_REJECT);
}

/* Goes on when A is the ethertype of a VLAN tag, else to `to`. */
static void need_tpid(struct code *c, enum label to)
{
    emit(c, (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 3, 0, TPID_Q});
    emit(c, (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 2, 0, TPID_AD});
    emit(c, (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 1, 0, TPID_OLD});
    jump(c, to);
}

static void need_len(struct code *c, uint32_t len, enum label to)
{
    stmt(c, BPF_LD | BPF_W | BPF_LEN, 0);
    need(c, BPF_JGE, len, to);
}

/* The outermost tag: the one that the kernel took out of the frame, else the one inside. */
static void emit_vlans(struct code *c, const struct vlan_set *s)
{
    load_aux(c, SKF_AD_VLAN_TAG_PRESENT);
    need_not(c, BPF_JEQ, 0, L_VLAN_INLINE);
    load_aux(c, SKF_AD_VLAN_TAG);
    jump(c, L_VLAN_ID);
    place(c, L_VLAN_INLINE);
    need_len(c, 16, L_REJECT);
    stmt(c, BPF_LD | BPF_H | BPF_ABS, 12);
    need_tpid(c, L_REJECT);
    stmt(c, BPF_LD | BPF_H | BPF_ABS, 14);
    place(c, L_VLAN_ID);
    stmt(c, BPF_ALU | BPF_AND | BPF_K, 0xfff);
    emit_vlan_set(c, s);
}

static bool known(const uint8_t *addr, int family)
{
    uint8_t any = 0;
    for (unsigned i = 0; i < (family == AF_INET ? 4U : 16U); i++) {
        any |= addr[i];
    }
    return any != 0;
}

static void need_addr(struct code *c, uint32_t at, const uint8_t *addr, int family)
{
    if (!known(addr, family)) {
        return;
    }
    for (uint32_t i = 0; i < (family == AF_INET ? 4U : 16U); i += 4) {
        uint32_t word = (uint32_t)addr[i] << 24 | (uint32_t)addr[i + 1] << 16 |
                        (uint32_t)addr[i + 2] << 8 | addr[i + 3];
        stmt(c, BPF_LD | BPF_W | BPF_IND, at + i);
        need(c, BPF_JEQ, word, L_NEXT);
    }
}

static void need_port(struct code *c, uint32_t at, uint16_t port)
{
    if (port) {
        stmt(c, BPF_LD | BPF_H | BPF_IND, at);
        need(c, BPF_JEQ, port, L_NEXT);
    }
}

/* X is the IP header's offset less `base` and becomes the UDP header's, less an IPv6 header's
 * length too; A becomes what of the frame lies behind X. */
static void emit_find_udp(struct code *c, uint32_t base, bool v4)
{
    if (v4) { /* over the options */
        stmt(c, BPF_LD | BPF_B | BPF_IND, base);
        stmt(c, BPF_ALU | BPF_AND | BPF_K, 0x0f);
        stmt(c, BPF_ALU | BPF_LSH | BPF_K, 2);
        stmt(c, BPF_ALU | BPF_ADD | BPF_X, 0);
        stmt(c, BPF_MISC | BPF_TAX, 0);
    }
    stmt(c, BPF_LD | BPF_W | BPF_LEN, 0);
    stmt(c, BPF_ALU | BPF_SUB | BPF_X, 0);
    need_not(c, BPF_JGT, INT32_MAX, L_NEXT); /* X beyond the frame */
}

/* One step of link_record_mark(): M_HASH becomes (M_HASH ^ A) * by. Leaves X as M_UDP has it. */
static void emit_hash(struct code *c, uint32_t by)
{
    stmt(c, BPF_LDX | BPF_MEM, M_HASH);
    stmt(c, BPF_ALU | BPF_XOR | BPF_X, 0);
    stmt(c, BPF_ALU | BPF_MUL | BPF_K, by);
    stmt(c, BPF_ST, M_HASH);
    stmt(c, BPF_LDX | BPF_MEM, M_UDP);
}

/* The payload at X and `at` looks like a record: refuses it if its mark is right. */
static void emit_mark(struct code *c, uint32_t at)
{
    stmt(c, BPF_LD | BPF_W | BPF_IND, at + 4);
    stmt(c, BPF_ALU | BPF_MUL | BPF_K, LINK_MARK_RECEIVER);
    stmt(c, BPF_ST, M_HASH);
    stmt(c, BPF_LD | BPF_W | BPF_IND, at + 12);
    emit_hash(c, LINK_MARK_LOW);
    stmt(c, BPF_LD | BPF_W | BPF_IND, at);
    emit_hash(c, LINK_MARK_START);
    stmt(c, BPF_LD | BPF_H | BPF_IND, at + 10);
    emit_hash(c, LINK_MARK_HIGH);
    stmt(c, BPF_ALU | BPF_RSH | BPF_K, 16);
    stmt(c, BPF_ST, M_HASH);
    stmt(c, BPF_LD | BPF_H | BPF_IND, at + 8);
    stmt(c, BPF_LDX | BPF_MEM, M_HASH);
    emit(c, (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0});
    jump(c, L_REJECT);
    jump(c, L_NEXT);
}

/* Refuses the datagrams of links, as link_is_datagram() knows them, and goes on with all others.
 * Most of them are ruled out by their first word. */
static void emit_links(struct code *c, uint32_t base, bool v4)
{
    uint32_t at = base + (v4 ? 0 : 40) + UDP_LEN;
    stmt(c, BPF_LDX | BPF_MEM, M_IP);
    emit_find_udp(c, base, v4);
    need(c, BPF_JGE, at + LINK_RECORD_MIN, L_NEXT);
    stmt(c, BPF_LD | BPF_W | BPF_IND, at);
    stmt(c, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)LINK_STREAM_MAX);
    need(c, BPF_JEQ, (uint32_t)LINK_RECORD << 24 | (uint32_t)LINK_VERSION << 16, L_HANDSHAKE);
    stmt(c, BPF_STX, M_UDP);
    emit_mark(c, at);
    place(c, L_HANDSHAKE);
    stmt(c, BPF_ALU | BPF_RSH | BPF_K, 24);
    stmt(c, BPF_ALU | BPF_SUB | BPF_K, LINK_HELLO);
    need_not(c, BPF_JGT, LINK_COOKIE - LINK_HELLO, L_NEXT);
    stmt(c, BPF_LD | BPF_W | BPF_LEN, 0);
    stmt(c, BPF_ALU | BPF_SUB | BPF_X, 0);
    need(c, BPF_JGE, at + LINK_REJECT_LEN, L_NEXT);
    stmt(c, BPF_LD | BPF_W | BPF_IND, at + 4);
    need(c, BPF_JEQ, LINK_MAGIC, L_NEXT);
    jump(c, L_REJECT);
    place(c, L_NEXT);
}

/* X is the IP header's offset less `base`: refuses the datagrams of the flow that go from one side
 * to the other, goes on with all others. */
static void emit_one_way(struct code *c, const struct bpfsel_flow *f, uint32_t base, bool out)
{
    bool v4 = f->family == AF_INET;
    uint32_t udp = base + (v4 ? 0 : 40);
    stmt(c, BPF_LDX | BPF_MEM, M_IP);
    need_addr(c, base + (v4 ? 12 : 8), out ? f->local : f->remote, f->family);
    need_addr(c, base + (v4 ? 16 : 24), out ? f->remote : f->local, f->family);
    emit_find_udp(c, base, v4);
    need(c, BPF_JGE, udp + UDP_LEN, L_NEXT);
    need_port(c, udp, out ? f->local_port : f->remote_port);
    need_port(c, udp + 2, out ? f->remote_port : f->local_port);
    jump(c, L_REJECT);
    place(c, L_NEXT);
}

/* Leaves in M_IP where the IP header is (less the Ethernet header's 14 bytes) and in M_TYPE its
 * ethertype; goes to L_FLOWS when that cannot be told. Over up to two tags inside the frame,
 * whether or not the kernel took one out before. */
static void emit_find_ip(struct code *c)
{
    need_len(c, ETHER_LEN, L_FLOWS);
    stmt(c, BPF_LDX | BPF_IMM, 0);
    stmt(c, BPF_LD | BPF_H | BPF_ABS, 12);
    for (uint32_t tag = 1; tag <= 2; tag++) {
        need_tpid(c, L_TYPE);
        need_len(c, ETHER_LEN + 4 * tag, L_FLOWS);
        stmt(c, BPF_LDX | BPF_IMM, 4 * tag);
        stmt(c, BPF_LD | BPF_H | BPF_ABS, 12 + 4 * tag);
    }
    place(c, L_TYPE);
    stmt(c, BPF_STX, M_IP);
    stmt(c, BPF_ST, M_TYPE);
}

/* The tests that links and all flows of a family share: UDP in an IPv4 packet that is whole or a
 * first fragment, or directly in an IPv6 one. */
static void emit_family(struct code *c, const struct bpfsel_conf *conf, int family)
{
    uint32_t base = conf->raw_ip ? 0 : ETHER_LEN;
    bool v4 = family == AF_INET;
    unsigned wanted = 0;
    for (unsigned i = 0; i < conf->n_flows; i++) {
        wanted += conf->flows[i].family == family;
    }
    if (wanted == 0 && !conf->no_links) {
        return;
    }
    if (!conf->raw_ip) {
        stmt(c, BPF_LD | BPF_MEM, M_TYPE);
        need(c, BPF_JEQ, v4 ? ETHERTYPE_V4 : ETHERTYPE_V6, L_FLOWS);
    }
    stmt(c, BPF_LDX | BPF_MEM, M_IP);
    stmt(c, BPF_LD | BPF_W | BPF_LEN, 0);
    stmt(c, BPF_ALU | BPF_SUB | BPF_X, 0);
    need(c, BPF_JGE, base + (v4 ? 20 : 40), L_FLOWS);
    stmt(c, BPF_LD | BPF_B | BPF_IND, base);
    stmt(c, BPF_ALU | BPF_RSH | BPF_K, 4);
    need(c, BPF_JEQ, v4 ? 4 : 6, L_FLOWS);
    stmt(c, BPF_LD | BPF_B | BPF_IND, base + (v4 ? 9 : 6));
    need(c, BPF_JEQ, IPPROTO_UDP, L_FLOWS);
    if (v4) {
        stmt(c, BPF_LD | BPF_B | BPF_IND, base);
        stmt(c, BPF_ALU | BPF_AND | BPF_K, 0x0f);
        need(c, BPF_JGE, 5, L_FLOWS);
        stmt(c, BPF_LD | BPF_H | BPF_IND, base + 6);
        need_not(c, BPF_JSET, 0x1fff, L_FLOWS);
    }
    if (conf->no_links) {
        emit_links(c, base, v4);
    }
    for (unsigned i = 0; i < conf->n_flows; i++) {
        if (conf->flows[i].family == family) {
            emit_one_way(c, &conf->flows[i], base, true);
            emit_one_way(c, &conf->flows[i], base, false);
        }
    }
    place(c, L_FLOWS);
}

static void emit_flows(struct code *c, const struct bpfsel_conf *conf)
{
    if (conf->n_flows == 0 && !conf->no_links) {
        return;
    }
    /* Defined on every way to the code below, as the kernel's checker demands. A frame whose type
     * cannot be told keeps ethertype 0 and so matches no family. */
    stmt(c, BPF_LD | BPF_IMM, 0);
    stmt(c, BPF_ST, M_IP);
    stmt(c, BPF_ST, M_TYPE);
    if (!conf->raw_ip) {
        emit_find_ip(c);
        place(c, L_FLOWS);
    }
    emit_family(c, conf, AF_INET);
    emit_family(c, conf, AF_INET6);
}

static int check(const struct bpfsel_conf *conf, struct error *err)
{
    if (conf->raw_ip && conf->vlans) {
        return error_set(err, EINVAL, "VLANs cannot be chosen on a link without Ethernet");
    }
    for (unsigned i = 0; i < conf->n_flows; i++) {
        const struct bpfsel_flow *f = &conf->flows[i];
        if ((f->family != AF_INET && f->family != AF_INET6) || !f->remote_port ||
            !known(f->remote, f->family)) {
            return error_set(err, EINVAL, "a tunnel's flow needs a remote address and port");
        }
    }
    return 0;
}

/* Accepts all of the frame, or the first bytes of one that is not too long to be sliced. */
static void emit_slice(struct code *c, const struct bpfsel_conf *conf)
{
    stmt(c, BPF_LD | BPF_W | BPF_LEN, 0);
    emit(c, (struct sock_filter){BPF_JMP | BPF_JGT | BPF_K, 0, 1, conf->slice_up_to});
    stmt(c, BPF_RET | BPF_K, SNAP_ALL);
    stmt(c, BPF_RET | BPF_K, conf->snaplen);
}

/* The user's program, or what became of it. Where it accepts and frames are to be sliced by their
 * length, it goes on to emit_slice instead: an instruction for an instruction, so that its own
 * jumps stay right. */
static void emit_program(struct code *c, const struct bpfsel_conf *conf,
                         const struct sock_filter *prog, unsigned n)
{
    bool slice = conf->slice_up_to && conf->snaplen;
    for (unsigned i = 0; i < n; i++) {
        const struct sock_filter *in = &prog[i];
        bool accept = in->code == (BPF_RET | BPF_K) && in->k != 0;
        if (slice && accept) {
            jump(c, L_SLICE);
        } else if (accept && in->k == SNAP_LIBPCAP) {
            stmt(c, in->code, SNAP_ALL);
        } else {
            emit(c, *in);
        }
    }
}

/* Goes to L_JUMBO with a packet of IPv6 big TCP, on with all others; leaves A and X at zero. */
static void emit_find_jumbo(struct code *c, bool raw_ip)
{
    uint32_t ip = raw_ip ? 0 : ETHER_LEN;
    stmt(c, BPF_LD | BPF_W | BPF_LEN, 0);
    need(c, BPF_JGT, BPFJUMBO_LONGER, L_NEXT);
    if (!raw_ip) {
        stmt(c, BPF_LD | BPF_H | BPF_ABS, 12);
        need(c, BPF_JEQ, ETHERTYPE_V6, L_NEXT);
    }
    stmt(c, BPF_LD | BPF_B | BPF_ABS, ip);
    stmt(c, BPF_ALU | BPF_RSH | BPF_K, 4);
    need(c, BPF_JEQ, 6, L_NEXT);
    stmt(c, BPF_LD | BPF_W | BPF_ABS, ip + 4); /* payload length, next header, hop limit */
    stmt(c, BPF_ALU | BPF_RSH | BPF_K, 8);
    need(c, BPF_JEQ, 0, L_NEXT); /* length 0, and a hop-by-hop header, whose number is 0 too */
    stmt(c, BPF_LD | BPF_W | BPF_ABS, ip + 40);
    stmt(c, BPF_ALU | BPF_AND | BPF_K, 0x00ffffff);
    need(c, BPF_JEQ, 0x0000c204, L_NEXT); /* of one unit, with the jumbo option */
    stmt(c, BPF_LD | BPF_IMM, 0);
    jump(c, L_JUMBO);
    place(c, L_NEXT);
    stmt(c, BPF_LD | BPF_IMM, 0);
}

/* The user's program twice, if there is room for that: for packets of IPv6 big TCP, whose jumbo
 * option no wire sees, it runs as if that were not there. */
static void emit_user(struct code *c, const struct bpfsel_conf *conf)
{
    bool slice = conf->slice_up_to && conf->snaplen;
    if (conf->user) {
        struct sock_filter jumbo[BPFSEL_MAX];
        unsigned used = c->n + conf->n_user + JUMBO_LEN;
        unsigned n = used < BPFSEL_MAX
                         ? bpfjumbo_make(conf->user, conf->n_user, conf->raw_ip ? 0 : ETHER_LEN,
                                         jumbo, BPFSEL_MAX - used)
                         : 0;
        if (n > 0) {
            emit_find_jumbo(c, conf->raw_ip);
        }
        emit_program(c, conf, conf->user, conf->n_user);
        if (n > 0) {
            place(c, L_JUMBO);
            emit_program(c, conf, jumbo, n);
        }
    }
    if (slice) {
        place(c, L_SLICE);
        emit_slice(c, conf);
    } else if (!conf->user) {
        stmt(c, BPF_RET | BPF_K, conf->snaplen ? conf->snaplen : SNAP_ALL);
    }
}

int bpfsel_make(const struct bpfsel_conf *conf, struct sock_filter ret[BPFSEL_MAX], unsigned *ret_n,
                struct error *err)
{
    int r = check(conf, err);
    if (r < 0) {
        return r;
    }
    struct code c = {.insn = ret};
    emit_dir(&c, conf->dir);
    if (conf->no_outputs || conf->no_mark) {
        load_aux(&c, SKF_AD_MARK);
    }
    if (conf->no_outputs) {
        need_not(&c, BPF_JEQ, SOCKMARK_OUTPUT, L_REJECT);
    }
    if (conf->no_mark) {
        need_not(&c, BPF_JEQ, conf->no_mark, L_REJECT);
    }
    if (conf->vlans) {
        emit_vlans(&c, conf->vlans);
    }
    emit_flows(&c, conf);
    if (c.n > 0) {
        emit(&c, (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, 1});
        place(&c, L_REJECT);
        stmt(&c, BPF_RET | BPF_K, 0);
        stmt(&c, BPF_LDX | BPF_IMM, 0);
        stmt(&c, BPF_LD | BPF_IMM, 0);
    }
    emit_user(&c, conf);
    if (c.full) {
        return error_set(err, E2BIG,
                         "the filter is too long: %u instructions, and the kernel takes %d in all",
                         conf->n_user, BPFSEL_MAX);
    }
    *ret_n = c.n;
    return 0;
}

struct sock_filter bpfsel_reject_all(void)
{
    return (struct sock_filter){BPF_RET | BPF_K, 0, 0, 0};
}
