/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bpfjumbo.h"

#include <errno.h>

#include "base/cleanup.h"

enum {
    MANY = BPF_MAXINSNS,
    IP6_NEXT = 6, /* offsets in the IPv6 header */
    IP6_LEN = 40,
    IND_LEN = 8,
    COND_LEN = 3,
};

struct out {
    struct sock_filter *at;
    unsigned n;
};

static void put(struct out *o, unsigned code, uint8_t jt, uint8_t jf, uint32_t k)
{
    o->at[o->n++] = (struct sock_filter){(uint16_t)code, jt, jf, k};
}

static bool is_load(const struct sock_filter *i, unsigned mode)
{
    return BPF_CLASS(i->code) == BPF_LD && BPF_MODE(i->code) == mode;
}

static bool is_condition(const struct sock_filter *i)
{
    return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != BPF_JA;
}

/* A fixed offset: past the IPv6 header everything is further on. Ancillary loads are far above. */
static uint32_t moved(uint32_t k, uint32_t ip)
{
    return k >= ip + IP6_LEN && k < (uint32_t)SKF_LL_OFF ? k + BPFJUMBO_BYTES : k;
}

/* Does it look at something that lies elsewhere in a packet with the option? */
static bool is_touched(const struct sock_filter *i, uint32_t ip)
{
    if (is_load(i, BPF_ABS)) {
        return moved(i->k, ip) != i->k || i->k == ip + IP6_NEXT;
    }
    return is_load(i, BPF_IND) || is_load(i, BPF_LEN) ||
           (BPF_CLASS(i->code) == BPF_LDX && BPF_MODE(i->code) == BPF_MSH &&
            moved(i->k, ip) != i->k);
}

/* How many instructions this one becomes. */
static unsigned length_of(const struct sock_filter *i, uint32_t ip)
{
    if (is_load(i, BPF_IND)) {
        return i->k >= ip + IP6_LEN ? 1 : IND_LEN;
    }
    return is_condition(i) ? COND_LEN : is_load(i, BPF_LEN) ? 2 : 1;
}

/* A load from X + k, which is known only when it runs. A is about to be written, so that it is free
 * for looking at X. */
static void put_indirect(struct out *o, const struct sock_filter *i, uint32_t ip)
{
    uint32_t end = ip + IP6_LEN, next = ip + IP6_NEXT;
    bool may_be_next = BPF_SIZE(i->code) == BPF_B && i->k <= next;
    if (i->k >= end) {
        put(o, i->code, 0, 0, i->k + BPFJUMBO_BYTES);
        return;
    }
    put(o, BPF_MISC | BPF_TXA, 0, 0, 0);
    put(o, BPF_JMP | BPF_JGE | BPF_K, 5, 0, end - i->k);
    put(o, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, may_be_next ? next - i->k : UINT32_MAX);
    put(o, i->code, 0, 0, i->k);
    put(o, BPF_JMP | BPF_JA, 0, 0, 3);
    put(o, BPF_LD | BPF_B | BPF_ABS, 0, 0, end);
    put(o, BPF_JMP | BPF_JA, 0, 0, 1);
    put(o, i->code, 0, 0, i->k + BPFJUMBO_BYTES);
}

static void put_one(struct out *o, const struct sock_filter *i, uint32_t ip)
{
    if (is_load(i, BPF_IND)) {
        put_indirect(o, i, ip);
    } else if (is_load(i, BPF_ABS)) {
        bool next = i->k == ip + IP6_NEXT && BPF_SIZE(i->code) == BPF_B;
        put(o, i->code, 0, 0, next ? ip + IP6_LEN : moved(i->k, ip));
    } else if (is_load(i, BPF_LEN)) {
        put(o, i->code, 0, 0, i->k);
        put(o, BPF_ALU | BPF_SUB | BPF_K, 0, 0, BPFJUMBO_BYTES);
    } else if (BPF_CLASS(i->code) == BPF_LDX && BPF_MODE(i->code) == BPF_MSH) {
        put(o, i->code, 0, 0, moved(i->k, ip));
    } else {
        put(o, i->code, i->jt, i->jf, i->k);
    }
}

unsigned bpfjumbo_make(const struct sock_filter *user, unsigned n, uint32_t ip,
                       struct sock_filter *to, unsigned room)
{
    uint16_t place[MANY + 1]; /* where each instruction goes */
    unsigned total = 0;
    bool touched = false;
    for (unsigned i = 0; i < n; i++) {
        if (n > MANY || total > MIN(room, (unsigned)MANY)) {
            return 0;
        }
        place[i] = (uint16_t)total;
        touched |= is_touched(&user[i], ip);
        total += length_of(&user[i], ip);
    }
    if (total > room || !touched) {
        return 0;
    }
    struct out o = {.at = to};
    for (unsigned i = 0; i < n; i++) {
        const struct sock_filter *in = &user[i];
        unsigned ja = i + 1 + in->k, jt = i + 1u + in->jt, jf = i + 1u + in->jf;
        if (is_condition(in)) { /* a short way over two long ones: the distances have grown */
            if (jt >= n || jf >= n) {
                return 0;
            }
            put(&o, in->code, 0, 1, in->k);
            put(&o, BPF_JMP | BPF_JA, 0, 0, place[jt] - o.n - 1u);
            put(&o, BPF_JMP | BPF_JA, 0, 0, place[jf] - o.n - 1u);
        } else if (BPF_CLASS(in->code) == BPF_JMP) {
            if (in->k >= n - i - 1) {
                return 0;
            }
            put(&o, in->code, 0, 0, place[ja] - o.n - 1u);
        } else {
            put_one(&o, in, ip);
        }
    }
    return total;
}
