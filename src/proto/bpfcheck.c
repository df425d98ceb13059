/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bpfcheck.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum {
    MEMORY_ALL = (1U << BPF_MEMWORDS) - 1,
};

static bool known_alu(const struct sock_filter *in)
{
    bool by_k = BPF_SRC(in->code) == BPF_K;
    switch (BPF_OP(in->code)) {
    case BPF_ADD:
    case BPF_SUB:
    case BPF_MUL:
    case BPF_OR:
    case BPF_AND:
    case BPF_XOR:
        return true;
    case BPF_DIV:
    case BPF_MOD:
        return !by_k || in->k != 0;
    case BPF_LSH:
    case BPF_RSH:
        return !by_k || in->k < 32;
    case BPF_NEG:
        return by_k;
    default:
        return false;
    }
}

static bool known_jump(const struct sock_filter *in)
{
    switch (BPF_OP(in->code)) {
    case BPF_JA:
        return BPF_SRC(in->code) == BPF_K;
    case BPF_JEQ:
    case BPF_JGT:
    case BPF_JGE:
    case BPF_JSET:
        return true;
    default:
        return false;
    }
}

/* Loads of what is beside the frame: those that linux/filter.h has a name for. */
static bool known_beside(uint32_t k)
{
    uint32_t what = k - (uint32_t)SKF_AD_OFF;
    return what < SKF_AD_MAX && what % 4 == 0;
}

static bool known(const struct sock_filter *in)
{
    switch (in->code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_H | BPF_ABS:
    case BPF_LD | BPF_B | BPF_ABS:
        return !bpfcheck_is_beside(in->k) || known_beside(in->k);
    case BPF_LD | BPF_W | BPF_IND:
    case BPF_LD | BPF_H | BPF_IND:
    case BPF_LD | BPF_B | BPF_IND:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_B | BPF_MSH:
    case BPF_LDX | BPF_IMM:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
        return true;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
        return in->k < BPF_MEMWORDS;
    default:
        break;
    }
    if (in->code > UINT8_MAX) {
        return false;
    }
    return BPF_CLASS(in->code) == BPF_ALU ? known_alu(in)
                                          : BPF_CLASS(in->code) == BPF_JMP && known_jump(in);
}

/* The state on the ways to each instruction: the words of memory that are written on all of them,
 * and whether there is one. */
struct ways {
    uint16_t written[BPFCHECK_MAX];
    bool reached[BPFCHECK_MAX];
};

/* The way from `at` goes on `over` instructions beyond the next one. False: out of the program. */
static bool lead(struct ways *w, unsigned n, unsigned at, uint32_t over, uint16_t written)
{
    if (over >= n - at - 1) {
        return false;
    }
    unsigned to = at + 1 + over;
    w->written[to] &= written;
    w->reached[to] |= w->reached[at];
    return true;
}

static bool reads_unwritten(const struct ways *w, const struct sock_filter *in, unsigned at)
{
    bool load = BPF_CLASS(in->code) == BPF_LD || BPF_CLASS(in->code) == BPF_LDX;
    return load && BPF_MODE(in->code) == BPF_MEM && !(w->written[at] >> in->k & 1);
}

/* False: a jump or the end leads out of the program. */
static bool follow(struct ways *w, const struct sock_filter *prog, unsigned n, unsigned at)
{
    const struct sock_filter *in = &prog[at];
    uint16_t written = w->written[at];
    switch (BPF_CLASS(in->code)) {
    case BPF_RET:
        if (at + 1 < n) { /* the kernel has it so, though no way goes on here */
            w->written[at + 1] &= written;
        }
        return true;
    case BPF_JMP:
        if (BPF_OP(in->code) == BPF_JA) {
            return lead(w, n, at, in->k, written);
        }
        return lead(w, n, at, in->jt, written) && lead(w, n, at, in->jf, written);
    case BPF_ST:
    case BPF_STX:
        return lead(w, n, at, 0, (uint16_t)(written | 1U << in->k));
    default:
        return lead(w, n, at, 0, written);
    }
}

int bpfcheck(const struct sock_filter *prog, unsigned n, bool *ret_reached, struct error *err)
{
    struct ways w;
    if (n == 0 || n > BPFCHECK_MAX) {
        return error_set(err, EINVAL, "a filter has 1 to %d instructions, not %u", BPFCHECK_MAX, n);
    }
    for (unsigned i = 0; i < n; i++) {
        w.written[i] = i == 0 ? 0 : MEMORY_ALL;
        w.reached[i] = i == 0;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!known(&prog[i])) {
            return error_set(err, EINVAL, "instruction %u of the filter is none that a kernel runs",
                             i);
        }
        if (reads_unwritten(&w, &prog[i], i)) {
            return error_set(err, EINVAL,
                             "instruction %u of the filter reads memory that is not written on "
                             "every way to it",
                             i);
        }
        if (!follow(&w, prog, n, i)) {
            return error_set(err, EINVAL,
                             "instruction %u of the filter leads backwards or out of it: a kernel "
                             "runs no loops, such as that of \"protochain\"",
                             i);
        }
    }
    if (ret_reached) {
        memcpy(ret_reached, w.reached, n * sizeof(*ret_reached));
    }
    return 0;
}
