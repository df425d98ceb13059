/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs and their places in a network namespace of the test's own; proto/ebpf_taps.h makes the
 * programs that the product attaches, node/taps_live_test.c tests both together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sys/bpf.h"
#include "sys/test_net.h"

#include <linux/capability.h>
#include <sys/syscall.h>

enum { NEXT = -1 };

/* A program of two instructions that does nothing, and gives that result. */
static int program(int result)
{
    const struct bpf_insn insns[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = result},
        {.code = BPF_JMP | BPF_EXIT},
    };
    struct error err = {""};
    int fd = bpf_prog_load("farspan_test", insns, 2, &err);
    if (fd < 0) {
        fail_msg("%s", err.text);
    }
    return fd;
}

static uint32_t id_of(int prog)
{
    uint32_t id = 0;
    assert_int_equal(bpf_prog_id(prog, &id, NULL), 0);
    assert_true(id > 0);
    return id;
}

static struct bpf_chain chain_of(const char *name, bool egress)
{
    struct bpf_chain c;
    struct error err = {""};
    if (bpf_chain(index_of(name), egress, &c, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static void wait_for_chain(const char *name, bool egress, unsigned n)
{
    for (struct mono end = deadline_s(5); chain_of(name, egress).n != n; not_after(end)) {
    }
}

static void everything_is_there(void **state)
{
    (void)state;
    struct error err = {""};
    if (bpf_probe(&err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* First of those at what comes in, last of those at what goes out. */
static void places(void **state)
{
    (void)state;
    int progs[3], at[2][3];
    for (int i = 0; i < 3; i++) {
        progs[i] = program(NEXT);
    }
    for (int egress = 0; egress < 2; egress++) {
        assert_int_equal(chain_of("va", egress).n, 0);
        for (int i = 0; i < 2; i++) {
            at[egress][i] = bpf_attach(progs[i], index_of("va"), egress, NULL);
            assert_true(at[egress][i] >= 0);
        }
        struct bpf_chain c = chain_of("va", egress);
        assert_int_equal(c.n, 2);
        assert_int_equal(c.ids[egress ? 0 : 1], id_of(progs[0]));
        assert_int_equal(c.ids[egress ? 1 : 0], id_of(progs[1]));
        assert_int_equal(bpf_swap(at[egress][0], progs[2], NULL), 0);
        c = chain_of("va", egress);
        assert_int_equal(c.n, 2);
        assert_int_equal(c.ids[egress ? 0 : 1], id_of(progs[2]));
        close(at[egress][0]);
        wait_for_chain("va", egress, 1);
        close(at[egress][1]);
        wait_for_chain("va", egress, 0);
    }
    for (int i = 0; i < 3; i++) {
        close(progs[i]);
    }
}

static void refusals(void **state)
{
    (void)state;
    struct error err = {""};
    int prog = program(NEXT);
    assert_int_equal(bpf_attach(prog, 1 << 30, false, &err), -ENODEV);
    assert_non_null(strstr(err.text, "no interface with the index"));
    sh("ip link add gone type veth peer name gone2");
    int at = bpf_attach(prog, index_of("gone"), true, &err);
    assert_true(at >= 0);
    sh("ip link del gone");
    assert_int_equal(bpf_swap(at, prog, &err), -ENOLINK);
    assert_non_null(strstr(err.text, "is gone"));
    close(at);

    int full[BPF_CHAIN_MAX + 1];
    for (int i = 0; i < BPF_CHAIN_MAX; i++) {
        int one = program(NEXT);
        full[i] = bpf_attach(one, index_of("vb"), false, NULL);
        assert_true(full[i] >= 0);
        close(one);
    }
    assert_int_equal(bpf_attach(prog, index_of("vb"), false, &err), -ERANGE);
    assert_non_null(strstr(err.text, "comes in by interface"));
    assert_int_equal(chain_of("vb", false).n, BPF_CHAIN_MAX);
    for (int i = 0; i < BPF_CHAIN_MAX; i++) {
        close(full[i]);
    }
    close(prog);

    const struct bpf_insn wrong[] = {
        /* reads a register that nothing has written */
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_7},
        {.code = BPF_JMP | BPF_EXIT},
    };
    assert_int_equal(bpf_prog_load("wrong", wrong, 2, &err), -EACCES);
    assert_string_equal(err.text, "the kernel refuses a program of 2 instructions: R7 !read_ok");
    assert_int_equal(bpf_prog_load("none", wrong, 0, &err), -E2BIG);
    assert_non_null(strstr(err.text, "refuses a program of 0 instructions"));
}

static void maps(void **state)
{
    (void)state;
    struct error err = {""};
    uint64_t sum[2] = {7, 7};
    int map = bpf_map_create("farspan_test", 16, 3, &err);
    assert_true(map >= 0);
    assert_int_equal(bpf_map_sum(map, 2, sum, sizeof(sum), &err), 0);
    assert_true(sum[0] == 0 && sum[1] == 0);
    assert_int_equal(bpf_map_sum(map, 3, sum, sizeof(sum), &err), -ENOENT);
    assert_non_null(strstr(err.text, "of place 3"));
    assert_int_equal(bpf_map_create("none", 16, 0, &err), -EINVAL);
    close(map);
}

static void runs(void **state)
{
    (void)state;
    uint8_t frame[64] = {0};
    int result = 0, prog = program(NEXT);
    struct error err = {""};
    assert_int_equal(bpf_prog_run(prog, frame, sizeof(frame), NULL, &result, &err), 0);
    assert_int_equal(result, NEXT);
    assert_true(bpf_prog_run(prog, frame, 4, NULL, &result, &err) < 0);
    assert_non_null(strstr(err.text, "a frame of 4 bytes"));
    close(prog);
}

/* The owner is killed: the kernel takes its program off. */
static void a_killed_owner(void **state)
{
    (void)state;
    int said[2];
    assert_int_equal(pipe(said), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int prog = program(NEXT);
        int at = bpf_attach(prog, index_of("va"), true, NULL);
        _exit(write(said[1], &at, sizeof(at)) == sizeof(at) ? pause() : 1);
    }
    int at = -1;
    assert_int_equal(read(said[0], &at, sizeof(at)), sizeof(at));
    assert_true(at >= 0);
    assert_int_equal(chain_of("va", true).n, 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    wait_for_chain("va", true, 0);
    close(said[0]);
    close(said[1]);
}

/* In a child with these capabilities alone, the probe's answer. */
static int probe_with(uint64_t caps, char *ret_text, size_t size)
{
    int said[2];
    assert_int_equal(pipe(said), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {
            {(uint32_t)caps, (uint32_t)caps, 0},
            {(uint32_t)(caps >> 32), (uint32_t)(caps >> 32), 0}};
        struct error err = {""};
        int r = syscall(SYS_capset, &head, data) == 0 ? bpf_probe(&err) : 1;
        _exit(write(said[1], &err, sizeof(err)) == sizeof(err) ? -r : 255);
    }
    struct error err;
    int status = 0;
    assert_int_equal(read(said[0], &err, sizeof(err)), sizeof(err));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    snprintf(ret_text, size, "%s", err.text);
    close(said[0]);
    close(said[1]);
    return -WEXITSTATUS(status);
}

static void capabilities(void **state)
{
    (void)state;
    const uint64_t bpf = UINT64_C(1) << CAP_BPF, net = UINT64_C(1) << CAP_NET_ADMIN;
    char text[320];
    assert_int_equal(probe_with(0, text, sizeof(text)), -EPERM);
    assert_non_null(strstr(text, "may not use eBPF: give it CAP_BPF"));
    assert_int_equal(probe_with(net, text, sizeof(text)), -EPERM);
    assert_non_null(strstr(text, "may not use eBPF: give it CAP_BPF"));
    assert_int_equal(probe_with(bpf, text, sizeof(text)), -EPERM);
    assert_non_null(strstr(text, "give it CAP_NET_ADMIN"));
    assert_int_equal(probe_with(bpf | net, text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_there),
        cmocka_unit_test(places),
        cmocka_unit_test(refusals),
        cmocka_unit_test(maps),
        cmocka_unit_test(runs),
        cmocka_unit_test(a_killed_owner),
        cmocka_unit_test(capabilities),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
