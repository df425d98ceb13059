/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that a kernel would refuse are refused, each with its sentence; random ones are in
 * node/taps_verdict_test.c, where a kernel is the judge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/bpfcheck.h"

static const struct sock_filter end = {BPF_RET | BPF_K, 0, 0, 1};

static void refused(struct sock_filter first, const char *words)
{
    const struct sock_filter p[] = {first, end};
    struct error err = {""};
    assert_int_equal(bpfcheck(p, 2, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, words));
    assert_non_null(strstr(err.text, "instruction 0 "));
}

static void taken(struct sock_filter first)
{
    const struct sock_filter p[] = {first, end};
    assert_int_equal(bpfcheck(p, 2, NULL, NULL), 0);
}

static void instructions(void **state)
{
    (void)state;
    static const uint16_t unknown[] = {
        BPF_LD | BPF_W | BPF_MSH,
        BPF_LDX | BPF_W | BPF_ABS,
        BPF_ALU | 0xb0,
        BPF_ALU | BPF_NEG | BPF_X,
        BPF_JMP | BPF_JA | BPF_X,
        BPF_JMP | 0x50,
        BPF_RET | BPF_X,
        BPF_MISC | 0x40,
        0x100 | BPF_ALU | BPF_ADD,
        BPF_LDX | BPF_B | BPF_MEM,
        BPF_ST | BPF_H,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++) {
        refused((struct sock_filter){unknown[i], 0, 0, 0}, "is none that a kernel runs");
    }
    for (unsigned op = BPF_ADD; op <= BPF_XOR; op += 0x10) {
        taken((struct sock_filter){(uint16_t)(BPF_ALU | op), 0, 0, op == BPF_NEG ? 0 : 31});
    }
    refused((struct sock_filter){BPF_ALU | BPF_DIV, 0, 0, 0}, "is none");
    refused((struct sock_filter){BPF_ALU | BPF_MOD, 0, 0, 0}, "is none");
    taken((struct sock_filter){BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0});
    refused((struct sock_filter){BPF_ALU | BPF_LSH, 0, 0, 32}, "is none");
    refused((struct sock_filter){BPF_ALU | BPF_RSH, 0, 0, 32}, "is none");
    taken((struct sock_filter){BPF_ALU | BPF_RSH | BPF_X, 0, 0, 32});
    taken((struct sock_filter){BPF_LD | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + SKF_AD_VLAN_TPID});
    refused((struct sock_filter){BPF_LD | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + SKF_AD_MAX},
            "is none");
    refused((struct sock_filter){BPF_LD | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + 1}, "is none");
    taken((struct sock_filter){BPF_LD | BPF_ABS, 0, 0, (uint32_t)SKF_NET_OFF});
    refused((struct sock_filter){BPF_ST, 0, 0, BPF_MEMWORDS}, "is none");
}

static void ways(void **state)
{
    (void)state;
    refused((struct sock_filter){BPF_JMP | BPF_JA, 0, 0, 1}, "backwards or out of it");
    refused((struct sock_filter){BPF_JMP | BPF_JA, 0, 0, UINT32_MAX}, "protochain");
    refused((struct sock_filter){BPF_JMP | BPF_JEQ, 1, 0, 0}, "out of it");
    refused((struct sock_filter){BPF_JMP | BPF_JEQ, 0, 1, 0}, "out of it");
    const struct sock_filter no_end[] = {{BPF_LD | BPF_IMM, 0, 0, 0}};
    struct error err = {""};
    assert_int_equal(bpfcheck(no_end, 1, NULL, &err), -EINVAL);
    assert_int_equal(bpfcheck(no_end, 0, NULL, &err), -EINVAL);
    assert_string_equal(err.text, "a filter has 1 to 4096 instructions, not 0");
    assert_int_equal(bpfcheck(no_end, BPFCHECK_MAX + 1, NULL, &err), -EINVAL);

    const struct sock_filter p[] = {
        {BPF_JMP | BPF_JEQ, 0, 2, 0}, end, end, {BPF_JMP | BPF_JA, 0, 0, 1}, end, end,
    };
    const bool want[] = {true, true, false, true, false, true};
    bool reached[6];
    assert_int_equal(bpfcheck(p, 6, reached, NULL), 0);
    assert_memory_equal(reached, want, sizeof(want));
}

static void memory(void **state)
{
    (void)state;
    refused((struct sock_filter){BPF_LD | BPF_MEM, 0, 0, 3}, "memory that is not written");
    refused((struct sock_filter){BPF_LDX | BPF_MEM, 0, 0, 3}, "memory that is not written");
    struct sock_filter p[] = {
        {BPF_JMP | BPF_JEQ, 0, 1, 0},
        {BPF_ST, 0, 0, 3},
        {BPF_LD | BPF_MEM, 0, 0, 3},
        end,
    };
    assert_int_equal(bpfcheck(p, 4, NULL, NULL), -EINVAL); /* on one of two ways */
    p[0].jf = 0;
    assert_int_equal(bpfcheck(p, 4, NULL, NULL), 0);
    p[1].code = BPF_STX;
    assert_int_equal(bpfcheck(p, 4, NULL, NULL), 0);
    p[1].k = 2;
    assert_int_equal(bpfcheck(p, 4, NULL, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions),
        cmocka_unit_test(ways),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
