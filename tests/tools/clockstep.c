/* SPDX-License-Identifier: Apache-2.0
 *
 * A wall clock that a test can set, for one program and not for the machine: loaded in front of
 * libc (LD_PRELOAD), it adds to CLOCK_REALTIME the nanoseconds that the file CLOCKSTEP names holds,
 * as a number of 64 bits in the machine's order. The file is mapped once, before any sandbox;
 * writing it sets the clock. The kernel's own timestamps are not touched.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *step;
static int (*real)(clockid_t id, struct timespec *t);

/* Libraries whose constructors ask for the time come before ours. */
static void __attribute__((constructor)) begin(void)
{
    if (real) {
        return;
    }
    const char *path = getenv("CLOCKSTEP");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (fd >= 0) {
        void *p = mmap(NULL, sizeof(*step), PROT_READ, MAP_SHARED, fd, 0);
        step = p == MAP_FAILED ? NULL : p;
        close(fd);
    }
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    begin();
    int r = real(id, t);
    if (r == 0 && id == CLOCK_REALTIME && step) {
        int64_t ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + atomic_load(step);
        t->tv_sec = ns / 1000000000;
        t->tv_nsec = ns % 1000000000;
    }
    return r;
}
