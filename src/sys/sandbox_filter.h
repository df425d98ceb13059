/* SPDX-License-Identifier: Apache-2.0
 *
 * The system call lists themselves, apart from the rest of sys/sandbox.h so that one file can be
 * read to know what each half of the program may do.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "sys/sandbox_sends.h"

/* Built with a sanitizer, whose reports need system calls of their own: what would end the process
 * fails with EPERM instead. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_LENIENT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANDBOX_LENIENT 1
#endif
#endif
#ifndef SANDBOX_LENIENT
#define SANDBOX_LENIENT 0
#endif

/* The kind of engine, on which its list depends. */
struct sandbox_list {
    enum sandbox_sends sends;
    unsigned firm; /* where firm descriptors begin; 0: there are none */
    bool files;    /* it has a folder: `root` of struct sandbox_conf */
    bool http;
};

struct sandbox_broker_list {
    bool netns;  /* it may enter other network namespaces */
    bool bpf;    /* it makes programs and attaches them (sys/bpf.h) */
    bool chroot; /* its children may change their root directory, and so may it */
};

/* Installs the engine's list in all threads of the process. 0, or -errno with a sentence. */
int sandbox_filter_engine(const struct sandbox_list *list, struct error *err);
/* The same for the broker. */
int sandbox_filter_broker(const struct sandbox_broker_list *list, struct error *err);
