/* SPDX-License-Identifier: Apache-2.0
 *
 * The assembler: each instruction as linux/bpf.h has it, jumps, and what does not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/ebpf_asm.h"

static struct ebpf_asm a;

static void instructions(void **state)
{
    (void)state;
    struct bpf_insn got[32];
    static const struct bpf_insn want[] = {
        {0xbf, 1, 2, 0, 0},     {0xb7, 3, 0, 0, -4},  {0x18, 4, 0, 0, 0x55667788},
        {0, 0, 0, 0, 0x112233}, {0x18, 1, 1, 0, 9},   {0, 0, 0, 0, 0},
        {0x0f, 1, 2, 0, 0},     {0x67, 1, 0, 0, 4},   {0xac, 1, 2, 0, 0},
        {0x84, 1, 0, 0, 0},     {0xdc, 1, 0, 0, 16},  {0x69, 1, 6, 12, 0},
        {0x7b, 10, 1, -8, 0},   {0x62, 10, 0, -4, 7}, {0x85, 0, 0, 0, 13},
        {0x95, 0, 0, 0, 0},
    };
    ebpf_asm_init(&a, got, 32);
    ebpf_mov(&a, 1, 2);
    ebpf_mov_imm(&a, 3, -4);
    ebpf_mov_imm64(&a, 4, UINT64_C(0x11223355667788));
    ebpf_mov_map(&a, 1, 9);
    ebpf_alu64(&a, BPF_ADD, 1, 2);
    ebpf_alu64_imm(&a, BPF_LSH, 1, 4);
    ebpf_alu32(&a, BPF_XOR, 1, 2);
    ebpf_alu32_imm(&a, BPF_NEG, 1, 0);
    ebpf_from_be(&a, 1, 16);
    ebpf_load(&a, BPF_H, 1, 6, 12);
    ebpf_store(&a, BPF_DW, 10, -8, 1);
    ebpf_store_imm(&a, BPF_W, 10, -4, 7);
    ebpf_call(&a, 13);
    ebpf_exit(&a);
    assert_int_equal(ebpf_asm_settle(&a), 0);
    assert_int_equal(a.n, ARRAY_SIZE(want));
    assert_memory_equal(got, want, sizeof(want));
}

static void jumps(void **state)
{
    (void)state;
    struct bpf_insn got[16];
    static const struct bpf_insn want[] = {
        {0x1d, 1, 2, 4, 0},  {0x25, 1, 0, 2, 9}, {0xae, 1, 2, 2, 0},
        {0xc6, 1, 0, 0, -1}, {0x05, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0},
    };
    ebpf_asm_init(&a, got, 16);
    unsigned first = ebpf_asm_labels(&a, 3);
    ebpf_jmp(&a, BPF_JEQ, 1, 2, first);
    ebpf_jmp_imm(&a, BPF_JGT, 1, 9, first + 1);
    ebpf_jmp32(&a, BPF_JLT, 1, 2, first);
    ebpf_jmp32_imm(&a, BPF_JSLT, 1, -1, first + 1);
    ebpf_asm_place(&a, first + 1);
    ebpf_goto(&a, first);
    ebpf_asm_place(&a, first);
    assert_true(ebpf_asm_is_wanted(&a, first) && ebpf_asm_is_wanted(&a, first + 1));
    assert_false(ebpf_asm_is_wanted(&a, first + 2));
    ebpf_exit(&a);
    assert_int_equal(ebpf_asm_settle(&a), 0);
    assert_memory_equal(got, want, sizeof(want));
    assert_int_equal(ebpf_asm_labels(&a, 1), 0); /* labels have been taken back */
    assert_false(ebpf_asm_is_wanted(&a, 0));
}

static void what_does_not_fit(void **state)
{
    (void)state;
    static struct bpf_insn got[EBPF_ASM_JUMP_MAX + 3];
    for (unsigned over = 0; over < 2; over++) {
        ebpf_asm_init(&a, got, ARRAY_SIZE(got));
        unsigned label = ebpf_asm_labels(&a, 1);
        ebpf_goto(&a, label);
        for (unsigned i = 0; i < EBPF_ASM_JUMP_MAX + over; i++) {
            ebpf_exit(&a);
        }
        ebpf_asm_place(&a, label);
        assert_int_equal(ebpf_asm_settle(&a), over ? -ERANGE : 0);
    }
    ebpf_asm_init(&a, got, 1);
    ebpf_exit(&a);
    assert_int_equal(ebpf_asm_settle(&a), 0);
    ebpf_exit(&a);
    assert_int_equal(a.n, 1);
    assert_int_equal(ebpf_asm_settle(&a), -E2BIG);

    ebpf_asm_init(&a, got, 4);
    ebpf_asm_labels(&a, EBPF_ASM_LABELS);
    assert_int_equal(ebpf_asm_settle(&a), 0);
    ebpf_asm_labels(&a, EBPF_ASM_LABELS);
    ebpf_asm_labels(&a, 1);
    assert_int_equal(ebpf_asm_settle(&a), -E2BIG);

    ebpf_asm_init(&a, got, 4); /* a label that was never placed, and one that is none */
    ebpf_goto(&a, ebpf_asm_labels(&a, 1));
    assert_int_equal(ebpf_asm_settle(&a), -ERANGE);
    ebpf_asm_init(&a, got, 4);
    ebpf_goto(&a, 0);
    assert_int_equal(ebpf_asm_settle(&a), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions),
        cmocka_unit_test(jumps),
        cmocka_unit_test(what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
