/* SPDX-License-Identifier: Apache-2.0
 *
 * For LD_PRELOAD: a kernel or a card without UDP_SEGMENT and UDP_GRO. A message or a socket that
 * asks for segments is refused with the error that OLDKERNEL_ERRNO names (EIO, as for a device
 * without checksums, else EINVAL), and UDP_GRO is no option at all. Newer kernels do the work in
 * software wherever the card does not, so that nothing else makes them refuse it. With
 * OLDKERNEL_NO_TC, it has no traffic control either.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refusal, no_tc; /* read before threads and sandboxes are there */

__attribute__((constructor)) static void configure(void)
{
    const char *word = getenv("OLDKERNEL_ERRNO");
    refusal = word && strcmp(word, "EIO") == 0 ? EIO : EINVAL;
    no_tc = getenv("OLDKERNEL_NO_TC") != NULL;
}

/* libmnl's way to ask for something; answers come as ever. */
ssize_t sendto(int fd, const void *p, size_t len, int flags, const struct sockaddr *to, socklen_t n)
{
    struct nlmsghdr h;
    if (no_tc && to && to->sa_family == AF_NETLINK && len >= sizeof(h)) {
        memcpy(&h, p, sizeof(h));
        if (h.nlmsg_type == RTM_NEWQDISC) {
            errno = EOPNOTSUPP;
            return -1;
        }
    }
    return syscall(SYS_sendto, fd, p, len, flags, to, n);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct msghdr copy = *m;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) {
            errno = refusal;
            return -1;
        }
    }
    return syscall(SYS_sendmsg, fd, m, flags);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    if (level == SOL_UDP && option == UDP_SEGMENT) {
        errno = refusal;
        return -1;
    }
    if (level == SOL_UDP && option == UDP_GRO) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
}
