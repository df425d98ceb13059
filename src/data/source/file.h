/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture file as a pipeline's source, with its part of the ledger (FILE): pcap in all forms
 * (proto/pcap.h) or pcapng (proto/pcapng.h), from a regular file, a pipe or standard input. Frames
 * come in the order of the file and as fast as they are read, with the times that the file gives
 * them (0, where it gives none). A check sequence that the file says is behind a frame is taken
 * off it.
 *
 * An observation point is an interface of the file. In pcapng those of the same name (or, without
 * one, of the same number in their sections) and the same link type are one point, also over
 * several sections, so that a file to which was appended is as one that was written in one go.
 *
 * A file that is cut off or damaged gives all frames before that. The buffer that it can make this
 * take is as long as one record or block may be, 16 MiB and a header (PCAPNG_BLOCK_MAX,
 * PCAP_SNAPLEN_ABSURD).
 */
#pragma once

#include "data/sink.h"
#include "data/source.h"
#include "sys/filter.h"

struct file_source_conf {
    int fd;                /* to read; owned from now on, also on failure. It may block or not. */
    const char *name;      /* of the file, for sentences, and as the points' `tap`; borrowed */
    struct ledger *ledger; /* outlives the source */
    /* A point, before its first frame; what is in the offer lives for the call. Indices go from 0
     * on, one after the other. `linktype` is exact: 0 is LINKTYPE_NULL here, and not Ethernet. Not
     * 0: it is not wanted, its index goes to the next, and its frames are counted, with -ENOTSUP as
     * `link_type`, else as `damaged`, as are those of points beyond POINT_MAX. */
    int (*point)(void *user, const struct point_offer *offer);
    void *user; /* of both functions */
    /* The filter for frames of that link type, asked for once each; the program, which is the
     * source's from then on, can be that of filter_compile_linktype(). 0 without instructions:
     * there is none. -errno: frames of that link type, which is no point then, are counted as
     * `link_type`, as are those of more than 64 link types. NULL: there are no filters. */
    int (*filter)(void *user, uint16_t linktype, struct filter_prog *ret);
};

/* 0 or -ENOMEM. */
int file_source_new(const struct file_source_conf *conf, struct source **ret);
/* Nothing more will come: the file was read to its end, or as far as it can be. The source's run()
 * never gives an error; the file's state is asked for here. */
bool file_source_ended(const struct source *s);
/* Once it has ended: 0, or -errno with a sentence about what was wrong. -ENODATA: the file is empty
 * or was cut off; -EPROTO: it is no capture file, or damaged; else it could not be read. The byte
 * that is named, counted from 0, is where the record or block begins that could not be taken. */
int file_source_check(const struct source *s, struct error *err);
