/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an engine behind the walls of sys/sandbox.h may send to.
 */
#pragma once

/* The descriptors by which an engine may send to addresses. The list of system calls sees nothing
 * of an address, which is in memory; it sees the descriptor's number. */
enum sandbox_sends {
    SANDBOX_SENDS_ANYWHERE,  /* any */
    SANDBOX_SENDS_CONNECTED, /* none: it sends where its sockets were connected to, or bound */
    SANDBOX_SENDS_FIRM,      /* those that sandbox_firm() has made firm, and others as CONNECTED */
};
