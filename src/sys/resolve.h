/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names into addresses, without letting the privileged broker parse a DNS answer: getaddrinfo
 * runs in a child that has nothing (no capability, another user, no descriptor but a pipe), and its
 * answer is of one fixed size. The child is killed at the deadline, which getaddrinfo itself does
 * not have. Numeric addresses need no child.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/time.h"
#include "sys/sandbox.h"

enum {
    RESOLVE_MAX = 16, /* addresses in an answer */
    RESOLVE_ANSWER_LEN = 8 + RESOLVE_MAX * 24,
};

/* The look-up that runs in the child: fills at most RESOLVE_MAX addresses and returns 0, or an
 * EAI_… of netdb.h (EAI_SYSTEM: errno says why). */
typedef int resolve_lookup_fn(const char *host, struct sockaddr_storage ret[RESOLVE_MAX],
                              size_t *ret_n);

struct resolve_conf {
    struct sandbox_conf child; /* whom the child becomes; from broker_find_user */
    resolve_lookup_fn *lookup; /* NULL: getaddrinfo */
};

/* The addresses of `host` with `port`, in the order in which to try them: the resolver's, but that
 * the two families take turns, so that one that leads nowhere costs one try. At most `cap`, *ret_n
 * how many, at least 1. -ENOENT when there are none, -EAGAIN when it may work later, -ETIMEDOUT,
 * or another -errno, with a sentence: 'cannot resolve "x": Name or service not known'. */
int resolve_host(const struct resolve_conf *conf, const char *host, uint16_t port,
                 struct mono deadline, struct sockaddr_storage ret[], size_t cap, size_t *ret_n,
                 struct error *err);

/* -- the child's answer; public for the tests -------------------------------------------------- */

struct resolve_answer {
    int32_t gai;  /* 0, or an EAI_… */
    int32_t code; /* errno with EAI_SYSTEM */
    size_t n;
    struct sockaddr_storage addr[RESOLVE_MAX]; /* AF_INET or AF_INET6, port 0 */
};

/* Always fills the whole buffer. Addresses of other families are left out. */
void resolve_answer_put(uint8_t buf[RESOLVE_ANSWER_LEN], const struct resolve_answer *a);
/* 0, or -EBADMSG for anything that resolve_answer_put does not write. */
int resolve_answer_get(const void *buf, size_t len, struct resolve_answer *ret);
