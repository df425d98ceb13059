/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/bpf.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers and structures of Linux 6.6 that the headers of Debian 12 (6.1) do not have yet. */
enum {
    ABI_TCX_INGRESS = 46, /* enum bpf_attach_type */
    ABI_TCX_EGRESS = 47,
    ABI_F_BEFORE = 1 << 3, /* flags of BPF_LINK_CREATE: before all, as no other is named */
    ABI_F_AFTER = 1 << 4,
};

struct abi_link_create {
    uint32_t prog_fd, target_ifindex, attach_type, flags;
    uint32_t relative_fd, pad;
    uint64_t expected_revision;
};

struct abi_query {
    uint32_t target_ifindex, attach_type, query_flags, attach_flags;
    uint64_t prog_ids;
    uint32_t count, pad;
    uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};

enum {
    LOG_SIZE = 1 << 18, /* of it the kernel keeps the end, where the reason is */
    LOG_LEVEL = 1,
    SUM_MAX = 256 / 8, /* words of a map's value */
    CPUS_MAX = 4096,
};

static int call(int cmd, void *attr, size_t size)
{
    long r = syscall(SYS_bpf, cmd, attr, size);
    return r < 0 ? -errno : (int)r;
}

static uint64_t address(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static int attach_type(bool egress)
{
    return egress ? ABI_TCX_EGRESS : ABI_TCX_INGRESS;
}

/* ---- maps ---- */

static int map_create(const char *name, uint32_t value_size, uint32_t n)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_PERCPU_ARRAY;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = value_size;
    attr.max_entries = n;
    snprintf(attr.map_name, sizeof(attr.map_name), "%s", name);
    return call(BPF_MAP_CREATE, &attr, sizeof(attr));
}

int bpf_map_create(const char *name, uint32_t value_size, uint32_t n, struct error *err)
{
    int fd = map_create(name, value_size, n);
    return fd < 0 ? error_sys(err, -fd, "the kernel gives no map for %u counters", n) : fd;
}

/* Processors that there may be in this system: a per-CPU value has a place for each of them. Gives
 * 0 when the kernel does not tell. */
static unsigned possible_cpus(void)
{
    _cleanup_(fclosep) FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
    char line[256] = "";
    if (!f || !fgets(line, sizeof(line), f)) {
        return 0;
    }
    const char *last = line; /* "0-3" or "0,2-7" or "0": the number behind the last sign */
    for (const char *p = line; *p; p++) {
        last = *p == '-' || *p == ',' ? p + 1 : last;
    }
    unsigned long highest = strtoul(last, NULL, 10);
    return highest < CPUS_MAX ? (unsigned)highest + 1 : 0;
}

int bpf_map_sum(int map, uint32_t place, uint64_t *ret, size_t size, struct error *err)
{
    unsigned cpus = possible_cpus();
    size_t words = size / sizeof(uint64_t);
    if (cpus == 0 || words > SUM_MAX) {
        return error_set(err, EINVAL, "the number of this system's processors cannot be told");
    }
    _cleanup_(freep) uint64_t *values = calloc(cpus * words, sizeof(*values));
    if (!values) {
        return error_sys(err, ENOMEM, "counters cannot be read");
    }
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)map;
    attr.key = address(&place);
    attr.value = address(values);
    int r = call(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
    if (r < 0) {
        return error_sys(err, -r, "the kernel does not tell the counters of place %u", place);
    }
    for (size_t w = 0; w < words; w++) {
        ret[w] = 0;
        for (unsigned c = 0; c < cpus; c++) {
            ret[w] += values[c * words + w];
        }
    }
    return 0;
}

/* ---- programs ---- */

static int prog_load(const char *name, const struct bpf_insn *insns, unsigned n, char *log,
                     uint32_t log_size)
{
    static const char licence[] = "Apache-2.0"; /* no helper here is for GPL programs alone */
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
    attr.insn_cnt = n;
    attr.insns = address(insns);
    attr.license = address(licence);
    attr.log_level = log ? LOG_LEVEL : 0;
    attr.log_size = log_size;
    attr.log_buf = address(log);
    snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
    return call(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* The verifier's reason: the last line of its log but for that which counts instructions. */
static const char *reason_of(char *log)
{
    const char *reason = "";
    char *rest = NULL;
    for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "processed ", 10) != 0 && strncmp(line, "max_states", 10) != 0) {
            reason = line;
        }
    }
    return reason;
}

int bpf_prog_load(const char *name, const struct bpf_insn *insns, unsigned n, struct error *err)
{
    int fd = prog_load(name, insns, n, NULL, 0);
    if (fd >= 0 || !err) {
        return fd;
    }
    if (fd == -EPERM) {
        return error_set(err, EPERM,
                         "the kernel lets this process load no program: it needs CAP_BPF and "
                         "CAP_NET_ADMIN");
    }
    _cleanup_(freep) char *log = calloc(1, LOG_SIZE);
    int again = log ? prog_load(name, insns, n, log, LOG_SIZE - 1) : -ENOMEM;
    if (again >= 0) {
        return again; /* the kernel was short of something for a moment */
    }
    const char *reason = log ? reason_of(log) : "";
    if (!*reason) {
        return error_sys(err, -fd, "the kernel refuses a program of %u instructions", n);
    }
    return error_set(err, -fd, "the kernel refuses a program of %u instructions: %s", n, reason);
}

int bpf_prog_id(int prog, uint32_t *ret, struct error *err)
{
    struct bpf_prog_info info;
    union bpf_attr attr;
    memset(&info, 0, sizeof(info));
    memset(&attr, 0, sizeof(attr));
    attr.info.bpf_fd = (uint32_t)prog;
    attr.info.info_len = sizeof(info);
    attr.info.info = address(&info);
    int r = call(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
    if (r < 0) {
        return error_sys(err, -r, "the kernel does not tell a program's number");
    }
    *ret = info.id;
    return 0;
}

int bpf_prog_run(int prog, const void *frame, size_t len, const struct __sk_buff *ctx, int *ret,
                 struct error *err)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.test.prog_fd = (uint32_t)prog;
    attr.test.data_in = address(frame);
    attr.test.data_size_in = (uint32_t)len;
    attr.test.ctx_in = address(ctx);
    attr.test.ctx_size_in = ctx ? sizeof(*ctx) : 0;
    attr.test.repeat = 1;
    int r = call(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
    if (r < 0) {
        return error_sys(err, -r, "the kernel does not run the program on a frame of %zu bytes",
                         len);
    }
    *ret = (int)attr.test.retval;
    return 0;
}

/* ---- places ---- */

int bpf_attach(int prog, int ifindex, bool egress, struct error *err)
{
    struct abi_link_create attr = {.prog_fd = (uint32_t)prog,
                                   .target_ifindex = (uint32_t)ifindex,
                                   .attach_type = (uint32_t)attach_type(egress),
                                   .flags = egress ? ABI_F_AFTER : ABI_F_BEFORE};
    int fd = call(BPF_LINK_CREATE, &attr, sizeof(attr));
    const char *way = egress ? "goes out" : "comes in";
    if (fd == -ENODEV) {
        return error_set(err, ENODEV, "there is no interface with the index %d here", ifindex);
    }
    if (fd == -ERANGE) {
        return error_set(
            err, ERANGE,
            "as many programs as the kernel takes, %d, look at what %s by interface %d",
            BPF_CHAIN_MAX, way, ifindex);
    }
    return fd < 0 ? error_sys(err, -fd, "no program can be attached to what %s by interface %d",
                              way, ifindex)
                  : fd;
}

int bpf_swap(int place, int prog, struct error *err)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.link_update.link_fd = (uint32_t)place;
    attr.link_update.new_prog_fd = (uint32_t)prog;
    int r = call(BPF_LINK_UPDATE, &attr, sizeof(attr));
    if (r == -ENOLINK) {
        return error_set(err, ENOLINK, "the interface to which the program was attached is gone");
    }
    return r < 0 ? error_sys(err, -r, "the program cannot take the other one's place") : 0;
}

static int query(int ifindex, bool egress, struct bpf_chain *ret)
{
    uint32_t ids[BPF_CHAIN_MAX + 1];
    struct abi_query attr = {.target_ifindex = (uint32_t)ifindex,
                             .attach_type = (uint32_t)attach_type(egress),
                             .prog_ids = address(ids),
                             .count = BPF_CHAIN_MAX + 1};
    int r = call(BPF_PROG_QUERY, &attr, sizeof(attr));
    if (r < 0) {
        return r;
    }
    ret->n = MIN(attr.count, (uint32_t)BPF_CHAIN_MAX);
    memcpy(ret->ids, ids, ret->n * sizeof(ids[0]));
    return 0;
}

int bpf_chain(int ifindex, bool egress, struct bpf_chain *ret, struct error *err)
{
    struct bpf_chain found = {0};
    int r = query(ifindex, egress, &found);
    if (r < 0 && r != -ENOENT) { /* no chain yet */
        return error_sys(err, -r, "the kernel does not tell the programs of interface %d", ifindex);
    }
    *ret = found;
    return 0;
}

/* ---- what is missing ---- */

int bpf_probe(struct error *err)
{
    static const struct bpf_insn next[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    enum { LOOPBACK = 1 }; /* its index, in every network namespace */
    struct bpf_chain chain;
    _cleanup_(closep) int map = map_create("farspan_probe", sizeof(uint64_t), 1);
    if (map == -ENOSYS) {
        return error_set(err, ENOSYS,
                         "this kernel has no eBPF: it was built without CONFIG_BPF_SYSCALL");
    }
    if (map < 0) {
        return error_sys(err, -map,
                         "this process may not use eBPF: give it CAP_BPF and CAP_NET_ADMIN, and "
                         "look for walls around it (seccomp, a container)");
    }
    _cleanup_(closep) int prog = prog_load("farspan_probe", next, ARRAY_SIZE(next), NULL, 0);
    if (prog < 0) {
        return error_sys(err, -prog,
                         "this process may load no eBPF program for frames: give it "
                         "CAP_NET_ADMIN beside CAP_BPF");
    }
    int r = query(LOOPBACK, false, &chain);
    if (r == -EPERM) {
        return error_set(err, EPERM,
                         "this process may not attach programs to interfaces of its network "
                         "namespace: give it CAP_NET_ADMIN there");
    }
    if (r < 0 && r != -ENOENT) {
        return error_set(err, EOPNOTSUPP,
                         "this kernel has no tcx, to which programs are attached: that came with "
                         "Linux 6.6");
    }
    return 0;
}
