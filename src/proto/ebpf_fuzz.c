/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a classic program, and a frame: what bpfcheck lets through is translated, stays
 * within its room, has no instruction that no way leads to, and decides on a machine of the test's
 * own as the classic program does. The machine stops where the kernel's verifier would.
 */
#include "base/bytes.h"
#include "proto/bpfcheck.h"
#include "proto/ebpf_machine_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 100000, INSNS = 200 };

/* A program of up to INSNS instructions; gives how many. */
static unsigned read_program(struct rd *r, struct sock_filter *to)
{
    unsigned n = rd_u8(r) % INSNS + 1U;
    for (unsigned i = 0; i < n; i++) {
        to[i].code = rd_u8(r);
        to[i].jt = rd_u8(r);
        to[i].jf = rd_u8(r);
        to[i].k = rd_u32(r);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bpf_insn code[ROOM];
    static struct machine m;
    struct sock_filter prog[INSNS];
    struct rd r = rd_make(data, size);
    uint8_t flags = rd_u8(&r), linear = rd_u8(&r);
    unsigned room = rd_u16(&r) & 0x8000 ? ROOM : rd_u8(&r), n = read_program(&r, prog), len = 0;
    const struct ebpf_taps_flow flow = {.filter = prog, .n_filter = n, .counter = 1};
    const struct ebpf_taps conf = {.egress = flags & 1,
                                   .hatype = 1,
                                   .mark = 1,
                                   .to = 5,
                                   .map_fd = 77,
                                   .flows = &flow,
                                   .n_flows = 1};
    struct error err = {""};
    bool valid = bpfcheck(prog, n, NULL, NULL) == 0;
    int made = ebpf_taps_make(&conf, code, room, &len, &err);
    MACHINE_CHECK(made == 0 ? valid && len <= room && err.text[0] == '\0' : err.text[0] != '\0');
    if (made < 0) {
        return 0;
    }
    MACHINE_CHECK(machine_reaches_all(code, len));
    struct buffer b = {.data = r.p,
                       .len = (uint32_t)MIN(rd_left(&r), (size_t)4096),
                       .egress = conf.egress,
                       .hatype = 1,
                       .network = 14,
                       .skb = {.protocol = 8, .ifindex = 3, .vlan_present = flags >> 1 & 1}};
    b.linear = MIN(b.len, (uint32_t)linear);
    memset(m.rows, 0, sizeof(m.rows));
    m.rows_there = MACHINE_ROWS;
    MACHINE_CHECK(machine_run(&m, &b, code, len) == EBPF_TAPS_NEXT);
    MACHINE_CHECK((m.copies == 1) == classic_matches(prog, &b) && m.copies == m.rows[1].frames);
    return 0;
}
