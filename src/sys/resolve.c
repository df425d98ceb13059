/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/bytes.h"

/* -- the answer: u16 count, i16 gai, i32 errno, then for each: u16 family, u16 0, u32 scope, 16
 * bytes of address (an IPv4 one in the first four, zeros after it); unused entries are zero.
 * ----------- */

enum {
    FAMILY_4 = 4, /* numbers of our own: AF_… are the platform's */
    FAMILY_6 = 6,
    ENTRY_LEN = 24,
    ERRNO_MAX = 4095,
};

static uint16_t known_family(const struct sockaddr_storage *ss)
{
    return ss->ss_family == AF_INET ? FAMILY_4 : ss->ss_family == AF_INET6 ? FAMILY_6 : 0;
}

/* Not inlined: gcc 12 then takes the cursor for full and warns of a write past its end. */
static __attribute__((noinline)) void put_address(struct wr *w, const struct sockaddr_storage *ss)
{
    uint8_t addr[16] = {0};
    uint32_t scope = 0;
    if (ss->ss_family == AF_INET) {
        memcpy(addr, &((const struct sockaddr_in *)ss)->sin_addr, 4);
    } else {
        memcpy(addr, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
        scope = ((const struct sockaddr_in6 *)ss)->sin6_scope_id;
    }
    wr_u16(w, known_family(ss));
    wr_u16(w, 0);
    wr_u32(w, scope);
    wr_copy(w, addr, sizeof(addr));
}

void resolve_answer_put(uint8_t buf[RESOLVE_ANSWER_LEN], const struct resolve_answer *a)
{
    struct wr w = wr_make(buf, RESOLVE_ANSWER_LEN);
    size_t n = MIN(a->n, (size_t)RESOLVE_MAX), known = 0;
    for (size_t i = 0; i < n; i++) {
        known += known_family(&a->addr[i]) != 0;
    }
    wr_u16(&w, (uint16_t)known);
    wr_u16(&w, (uint16_t)a->gai);
    wr_u32(&w, (uint32_t)a->code);
    for (size_t i = 0; i < n; i++) {
        if (known_family(&a->addr[i]) != 0) {
            put_address(&w, &a->addr[i]);
        }
    }
    wr_zero(&w, wr_left(&w));
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= p[i];
    }
    return any == 0;
}

static bool get_address(struct rd *r, struct sockaddr_storage *ret)
{
    uint16_t family = rd_u16(r), pad = rd_u16(r);
    uint32_t scope = rd_u32(r);
    uint8_t addr[16];
    rd_copy(r, addr, sizeof(addr));
    *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (family == FAMILY_4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ret;
        sin->sin_family = AF_INET;
        memcpy(&sin->sin_addr, addr, 4);
        return pad == 0 && scope == 0 && all_zero(addr + 4, 12);
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_scope_id = scope;
    memcpy(&sin6->sin6_addr, addr, 16);
    return family == FAMILY_6 && pad == 0;
}

int resolve_answer_get(const void *buf, size_t len, struct resolve_answer *ret)
{
    struct resolve_answer a = {.n = 0};
    struct rd r = rd_make(buf, len);
    a.n = rd_u16(&r);
    a.gai = (int16_t)rd_u16(&r);
    a.code = (int32_t)rd_u32(&r);
    if (len != RESOLVE_ANSWER_LEN || a.n > RESOLVE_MAX || a.code < 0 || a.code > ERRNO_MAX) {
        return -EBADMSG;
    }
    /* Addresses, or a reason why there are none; errno only where getaddrinfo points to it. */
    if ((a.gai == 0) != (a.n > 0) || (a.code != 0 && a.gai != EAI_SYSTEM)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (!get_address(&r, &a.addr[i])) {
            return -EBADMSG;
        }
    }
    size_t left = rd_left(&r);
    if (!all_zero(rd_take(&r, left), left)) {
        return -EBADMSG;
    }
    *ret = a;
    return 0;
}

/* -- the child --------------------------------------------------------------------------------- */

static int lookup(const char *host, int flags, struct sockaddr_storage ret[RESOLVE_MAX],
                  size_t *ret_n)
{
    /* One socket type, or each address would come once for each type. */
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = flags}, *list = NULL;
    int r = getaddrinfo(host, NULL, &hints, &list);
    if (r != 0) {
        return r;
    }
    size_t n = 0;
    for (const struct addrinfo *ai = list; ai && n < RESOLVE_MAX; ai = ai->ai_next) {
        if ((ai->ai_family == AF_INET || ai->ai_family == AF_INET6) &&
            ai->ai_addrlen <= sizeof(ret[0])) {
            ret[n] = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
            memcpy(&ret[n++], ai->ai_addr, ai->ai_addrlen);
        }
    }
    freeaddrinfo(list);
    *ret_n = n;
    return n > 0 ? 0 : EAI_NONAME;
}

static int lookup_by_name(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    return lookup(host, 0, ret, ret_n);
}

/* Were the parent killed, or its deadline missed, the child would still end by itself: its time on
 * the processor is bounded, and the parent's end kills it. */
static _Noreturn void be_child(const struct resolve_conf *conf, const char *host, int fd,
                               pid_t parent)
{
    struct resolve_answer a = {.gai = EAI_SYSTEM};
    uint8_t buf[RESOLVE_ANSWER_LEN];
    signal(SIGPIPE, SIG_DFL);
    int r = sandbox_drop_child(&conf->child, "farspan-resolve", parent, fd);
    setrlimit(RLIMIT_CPU, &(struct rlimit){30, 30});
    if (r < 0) {
        a.code = -r;
    } else {
        a.gai = (conf->lookup ? conf->lookup : lookup_by_name)(host, a.addr, &a.n);
        a.code = a.gai == EAI_SYSTEM ? errno : 0;
        a.n = a.gai == 0 ? a.n : 0;
    }
    resolve_answer_put(buf, &a);
    _exit(write(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf) ? 0 : 1);
}

/* -- the parent -------------------------------------------------------------------------------- */

/* Reads exactly one answer and the end of the pipe after it; what is longer is an error. */
static int read_answer(int fd, struct mono deadline, struct resolve_answer *ret)
{
    uint8_t buf[RESOLVE_ANSWER_LEN + 1];
    size_t got = 0;
    while (got < sizeof(buf)) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left = mono_diff(deadline, mono_now());
        int r = left <= 0 ? 0 : poll(&p, 1, (int)MIN(left / NSEC_PER_MSEC + 1, (int64_t)60000));
        if (left <= 0) {
            return -ETIMEDOUT;
        }
        if (r == 0 || (r < 0 && errno == EINTR)) {
            continue;
        }
        ssize_t n = read(fd, buf + got, sizeof(buf) - got);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    return resolve_answer_get(buf, got, ret);
}

static int ask_child(const struct resolve_conf *conf, const char *host, struct mono deadline,
                     struct resolve_answer *ret)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0) {
        return -errno;
    }
    _cleanup_(closep) int from = p[0];
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        be_child(conf, host, p[1], parent);
    }
    int r = pid < 0 ? -errno : 0;
    close(p[1]);
    if (r < 0) {
        return r;
    }
    r = read_answer(from, deadline, ret);
    kill(pid, SIGKILL); /* it has closed its end or had its time */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return r;
}

static int gai_to_errno(const struct resolve_answer *a)
{
    switch (a->gai) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return ENOENT;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_SYSTEM:
        return a->code ? a->code : EIO;
    default:
        return EIO;
    }
}

static int explain(const struct resolve_answer *a, const char *host, struct error *err)
{
    int code = gai_to_errno(a);
    if (a->gai == EAI_SYSTEM) {
        return error_sys(err, code, "cannot resolve \"%s\"", host);
    }
    return error_set(err, code, "cannot resolve \"%s\": %s", host, gai_strerror(a->gai));
}

static void set_port(struct sockaddr_storage *ss, uint16_t port)
{
    if (ss->ss_family == AF_INET) {
        ((struct sockaddr_in *)ss)->sin_port = htons(port);
    } else {
        ((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
    }
}

/* The first address from `from` on that is of another family; n: there is none. */
static size_t find_other(const struct sockaddr_storage a[], size_t n, size_t from,
                         sa_family_t family)
{
    while (from < n && a[from].ss_family == family) {
        from++;
    }
    return from;
}

/* Brings addresses of both families into turns; each family keeps its order. */
static void take_turns(struct sockaddr_storage a[], size_t n)
{
    for (size_t i = 1; i < n; i++) {
        size_t next = find_other(a, n, i, a[i - 1].ss_family);
        if (next == n) {
            return;
        }
        struct sockaddr_storage moved = a[next];
        memmove(&a[i + 1], &a[i], (next - i) * sizeof(a[0]));
        a[i] = moved;
    }
}

int resolve_host(const struct resolve_conf *conf, const char *host, uint16_t port,
                 struct mono deadline, struct sockaddr_storage ret[], size_t cap, size_t *ret_n,
                 struct error *err)
{
    struct resolve_answer a = {.gai = 0};
    if (host[0] == '\0' || strlen(host) > 255 || cap == 0) {
        return error_set(err, EINVAL, "cannot resolve \"%.64s\": this is no host name", host);
    }
    if (lookup(host, AI_NUMERICHOST, a.addr, &a.n) != 0) {
        int r = ask_child(conf, host, deadline, &a);
        if (r == -ETIMEDOUT) {
            return error_set(err, ETIMEDOUT, "cannot resolve \"%s\": no answer in time", host);
        }
        if (r == -EBADMSG) {
            return error_set(err, EBADMSG, "cannot resolve \"%s\": the resolver failed", host);
        }
        if (r < 0) {
            return error_sys(err, -r, "cannot resolve \"%s\"", host);
        }
        if (a.gai != 0) {
            return explain(&a, host, err);
        }
    }
    take_turns(a.addr, a.n);
    size_t n = MIN(a.n, cap);
    for (size_t i = 0; i < n; i++) {
        set_port(&a.addr[i], port);
        ret[i] = a.addr[i];
    }
    *ret_n = n;
    return 0;
}
