/* SPDX-License-Identifier: Apache-2.0
 *
 * Marks (SO_MARK) of packets that farspan sends onto this host's interfaces: of outputs, which its
 * taps leave out, of flow records, which the meter that they are of leaves out, and of copies that
 * the kernel makes for tap flows, which it does not copy again. Nothing of it is on the wire.
 */
#pragma once

#include <stdint.h>

enum {
    SOCKMARK_OUTPUT = 0x66537074,  /* frames of a collector's port */
    SOCKMARK_COPY = 0x66537475,    /* copies of tap flows (proto/ebpf_taps.h) */
    SOCKMARK_RECORDS = 0x66460000, /* flow records of a meter, with its number */
};

/* The mark of the meter of that number, such as a process's id; two may have the same. */
static inline uint32_t sockmark_records(uint32_t number)
{
    return SOCKMARK_RECORDS | (number & 0xffff);
}
