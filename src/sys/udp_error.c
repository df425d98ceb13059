/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/udp_error.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

enum {
    ANSWERS = 64, /* read at a time: more come again */
};

bool udp_by_icmp(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EACCES:
    case EPROTO:
    case EMSGSIZE:
        return true;
    default:
        return false;
    }
}

/* RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1. */
static enum udp_answer of_v4(uint8_t type, uint8_t code)
{
    if (type != ICMP_DEST_UNREACH) {
        return UDP_ANSWER_NONE;
    }
    switch (code) {
    case ICMP_NET_UNREACH:
    case ICMP_NET_UNKNOWN:
    case ICMP_NET_UNR_TOS:
        return UDP_ANSWER_NET;
    case ICMP_PORT_UNREACH:
    case ICMP_PROT_UNREACH:
        return UDP_ANSWER_PORT;
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
    case ICMP_PREC_VIOLATION:
    case ICMP_PREC_CUTOFF:
        return UDP_ANSWER_PROHIBITED;
    case ICMP_FRAG_NEEDED:
        return UDP_ANSWER_NONE;
    default:
        return UDP_ANSWER_HOST;
    }
}

/* RFC 4443 section 3.1. */
static enum udp_answer of_v6(uint8_t type, uint8_t code)
{
    if (type != ICMP6_DST_UNREACH) {
        return UDP_ANSWER_NONE;
    }
    switch (code) {
    case ICMP6_DST_UNREACH_NOROUTE:
        return UDP_ANSWER_NET;
    case ICMP6_DST_UNREACH_NOPORT:
        return UDP_ANSWER_PORT;
    case ICMP6_DST_UNREACH_ADMIN:
    case 5: /* the source address fails a policy */
    case 6: /* the route rejects */
        return UDP_ANSWER_PROHIBITED;
    default:
        return UDP_ANSWER_HOST;
    }
}

static enum udp_answer answer_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        struct sock_extended_err e;
        if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof(e))) {
            continue;
        }
        memcpy(&e, CMSG_DATA(c), sizeof(e));
        return e.ee_origin == SO_EE_ORIGIN_ICMP    ? of_v4(e.ee_type, e.ee_code)
               : e.ee_origin == SO_EE_ORIGIN_ICMP6 ? of_v6(e.ee_type, e.ee_code)
                                                   : UDP_ANSWER_NONE;
    }
    return UDP_ANSWER_NONE;
}

enum udp_answer udp_answered(int fd)
{
    enum udp_answer last = UDP_ANSWER_NONE;
    for (unsigned i = 0; i < ANSWERS; i++) {
        union {
            char buf[256]; /* the error, and who told it */
            struct cmsghdr align;
        } control;
        char data[64]; /* of the datagram: of no interest */
        struct iovec iov = {data, sizeof(data)};
        struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov,
                                        .msg_iovlen = 1,
                                        .msg_control = &control,
                                        .msg_controllen = sizeof(control)}};
        if (recvmmsg(fd, &m, 1, MSG_ERRQUEUE | MSG_DONTWAIT, NULL) < 1) {
            break;
        }
        enum udp_answer a = answer_of(&m.msg_hdr);
        last = a != UDP_ANSWER_NONE ? a : last;
    }
    return last;
}
