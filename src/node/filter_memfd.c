/* SPDX-License-Identifier: Apache-2.0 */
#include "node/filter_memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int filter_check_length(struct filter_prog *p, struct error *err)
{
    if (p->n <= BPF_MAXINSNS) {
        return 0;
    }
    filter_done(p);
    return error_set(err, E2BIG, "the filter is too long: it makes more than %d instructions",
                     BPF_MAXINSNS);
}

int filter_to_memfd(const struct filter_prog *p, int *ret_fd, struct error *err)
{
    const size_t bytes = p->n * sizeof(*p->insns);
    _cleanup_(closep) int fd = memfd_create("filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || write(fd, p->insns, bytes) != (ssize_t)bytes ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        return error_sys(err, errno, "cannot keep the filter's program");
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int filter_of_memfd(int fd, struct filter_prog *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    const size_t bytes = (size_t)st.st_size;
    if (bytes == 0 || bytes % sizeof(struct sock_filter) != 0 ||
        bytes > BPF_MAXINSNS * sizeof(struct sock_filter)) {
        return -EBADMSG;
    }
    struct sock_filter *insns = malloc(bytes);
    if (!insns) {
        return -ENOMEM;
    }
    if (pread(fd, insns, bytes, 0) != (ssize_t)bytes) {
        free(insns);
        return -EBADMSG;
    }
    struct filter_prog prog = {insns, (unsigned)(bytes / sizeof(*insns))};
    if (!filter_is_valid(&prog)) {
        filter_done(&prog);
        return -EBADMSG;
    }
    *ret = prog;
    return 0;
}
