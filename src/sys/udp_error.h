/* SPDX-License-Identifier: Apache-2.0
 *
 * The net's answers to datagrams in their receiver's place (ICMP), as a connected socket keeps them
 * (IP_RECVERR, ip(7)). All of it may be forged: it explains, and decides nothing.
 */
#pragma once

#include <stdbool.h>

/* The answer of a router or of the peer's host to datagrams that were sent. */
enum udp_answer {
    UDP_ANSWER_NONE,
    UDP_ANSWER_PORT, /* nobody listens */
    UDP_ANSWER_HOST,
    UDP_ANSWER_NET,
    UDP_ANSWER_PROHIBITED, /* a firewall, that says so */
};

/* Takes what is kept of that on a connected socket, which poll(2) tells by POLLERR; gives the last.
 */
enum udp_answer udp_answered(int fd);
/* Such a message may have left this positive errno on a socket: the next call has it, once. This
 * host may mean it too, and then says so at each call. */
bool udp_by_icmp(int error);
