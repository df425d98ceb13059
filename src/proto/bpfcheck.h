/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the kernel for classic BPF (its bpf_check_classic), for a program that another
 * process has given and that is translated (proto/ebpf_classic.h) before any kernel sees it. Pure.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    BPFCHECK_MAX = 4096, /* instructions: BPF_MAXINSNS */
};

/* True for a place of a load that names what is beside the frame (SKF_AD_OFF and on). */
static inline bool bpfcheck_is_beside(uint32_t k)
{
    return k >= (uint32_t)SKF_AD_OFF;
}

/* 0 when the kernel would take the program for a socket: known instructions, jumps that stay within
 * it, memory that is written before it is read, no division by the constant zero, a return at the
 * end. Else -EINVAL, and the sentence names the instruction, from 0. With ret_reached, which has
 * room for n, tells for each instruction whether any way leads to it. */
int bpfcheck(const struct sock_filter *prog, unsigned n, bool *ret_reached, struct error *err);
