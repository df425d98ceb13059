/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope-bound release of resources: declare `_cleanup_(x_freep) struct x *x = NULL;` and hand the
 * value on with TAKE_PTR, which leaves NULL behind so that the clean-up does nothing.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

/* Evaluates to the pointer and leaves NULL in its place. */
#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __auto_type take_ptr_ = (p);                                                               \
        (p) = NULL;                                                                                \
        take_ptr_;                                                                                 \
    })

/* Evaluates to the descriptor and leaves -1 in its place. */
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int take_fd_ = (fd);                                                                       \
        (fd) = -1;                                                                                 \
        take_fd_;                                                                                  \
    })

/* Defines type_freep() for _cleanup_ from a destructor that takes NULL. */
#define DEFINE_FREEP(type, destroy)                                                                \
    static inline void destroy##p(type **p)                                                        \
    {                                                                                              \
        destroy(*p);                                                                               \
    }

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The structure of that type of which `p` points to the member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void freep(void *p)
{
    free(*(void **)p);
}

static inline void closep(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static inline void fclosep(FILE **f)
{
    if (*f) {
        fclose(*f);
    }
}
