/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture file as a source: pcap in all forms (proto/pcap.h) and pcapng (proto/pcapng.h), out of
 * a regular file, a pipe or standard input. Its frames come in the order of the file, as fast as
 * they are read, with the times that the file gives them.
 *
 * An observation point is an interface of the file. Those of one name (or, without a name, of one
 * number in their sections) and one link type are one point, also over several sections, so that a
 * file to which was appended is as one.
 *
 * A file that is cut off or damaged gives all frames before that. What it says bounds nothing but
 * itself: memory is that of one record or block, which is at most PCAPNG_BLOCK_MAX.
 */
#pragma once

#include "data/sink.h"
#include "data/source.h"

struct file_source_conf {
    int fd;                /* owned from now on, also on failure; for reading */
    const char *name;      /* for sentences; borrowed for good */
    struct ledger *ledger; /* its stage FILE; outlives the source */
    /* A point, before its first frame; the offer lives for the call. Frames of one that is refused
     * are counted: with -ENOTSUP as of a link type that cannot be read, else as damaged. */
    int (*point)(void *user, const struct point_offer *offer);
    void *user;
};

/* 0; -ENOMEM. */
int file_source_new(const struct file_source_conf *conf, struct source **ret);
/* All that there is has been read. Its run() never ends with an error; the file is asked here. */
bool file_source_ended(const struct source *s);
/* Once it has ended: -errno with a sentence where the file was no capture, or not whole, which
 * names the byte, from 0 on, where the record or block begins that could not be read. */
int file_source_check(const struct source *s, struct error *err);
