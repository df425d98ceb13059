/* SPDX-License-Identifier: Apache-2.0
 *
 * The pcapng capture file format (draft-ietf-opsawg-pcapng), read and written in memory. A file is
 * a chain of blocks, each carrying its length on both ends; a section header starts over with a new
 * byte order and a new list of interfaces, so that a file can be continued by appending a section.
 *
 * The writer writes little-endian blocks with nanosecond timestamps into the caller's memory and
 * leaves the frame's bytes to the caller, so that they are copied once, from where they were
 * captured to the buffer that goes to the disk. The reader takes what anybody wrote. Both use the
 * same structures, and neither allocates. pcapng.c has the writer and the search for a file's last
 * whole block, pcapng_read.c the reader. Files, threads and loss are data/sink/file/file.h's
 * affair.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

enum {
    PCAPNG_SHB = 0x0a0d0d0a,
    PCAPNG_IDB = 1,
    PCAPNG_PB = 2, /* obsolete packet block */
    PCAPNG_SPB = 3,
    PCAPNG_ISB = 5,
    PCAPNG_EPB = 6,

    PCAPNG_BLOCK_MIN = 12,       /* type, length, length */
    PCAPNG_BLOCK_MAX = 16 << 20, /* a longer block is taken for damage */
    PCAPNG_TEXT_MAX = 8192,      /* longer texts are cut when written */
    PCAPNG_META_MAX = 48 << 10,  /* room that any SHB, IDB or ISB of ours fits in */
    PCAPNG_IFS_MAX = 8192,       /* interfaces of a section that the reader knows */
    PCAPNG_EPB_IFID = 8,         /* bytes before the interface's number in an EPB */
    PCAPNG_LINKTYPE_ETHERNET = 1,
    PCAPNG_LINKTYPE_RAW = 101,       /* an IPv4 or IPv6 header comes first */
    PCAPNG_LINKTYPE_LINUX_SLL = 113, /* "Linux cooked" */
};

/* A text in place, UTF-8, without a terminator. p NULL: absent. */
struct pcapng_text {
    const char *p;
    uint32_t len;
};

static inline struct pcapng_text pcapng_text(const char *s)
{
    return (struct pcapng_text){s, s ? (uint32_t)strlen(s) : 0};
}

/* Section Header Block, section 4.1 */
struct pcapng_shb {
    struct pcapng_text hardware, os, app;
};

/* Interface Description Block, section 4.2 */
struct pcapng_idb {
    uint16_t linktype;
    uint32_t snaplen; /* 0: no limit */
    uint64_t speed;   /* bit/s; 0: unknown */
    struct pcapng_text name, description, filter, os;
};

/* Enhanced Packet Block, section 4.3 */
struct pcapng_epb {
    uint32_t ifid; /* the how-manieth IDB of its section, from 0 */
    uint32_t caplen, origlen;
    int64_t ts_ns; /* since 1970; negative is written as 0, what does not fit is read as the most */
    uint64_t lost; /* frames lost since the one before on this interface */
    uint8_t dir;   /* enum frame_dir */
    struct pcapng_text comment;
};

/* Which of an ISB's figures are known */
enum {
    PCAPNG_HAS_START = 1 << 0,
    PCAPNG_HAS_END = 1 << 1,
    PCAPNG_HAS_IFRECV = 1 << 2,
    PCAPNG_HAS_IFDROP = 1 << 3,
    PCAPNG_HAS_ACCEPT = 1 << 4,
    PCAPNG_HAS_OSDROP = 1 << 5,
    PCAPNG_HAS_USRDELIV = 1 << 6,
};

/* Interface Statistics Block, section 4.6 */
struct pcapng_isb {
    uint32_t ifid;
    uint32_t has;
    int64_t ts_ns, start_ns, end_ns;
    uint64_t ifrecv, ifdrop, accept, osdrop, usrdeliv;
    struct pcapng_text comment;
};

/* Each appends one whole block. Without enough room the writer turns bad. */
void pcapng_put_shb(struct wr *w, const struct pcapng_shb *v);
void pcapng_put_idb(struct wr *w, const struct pcapng_idb *v);
void pcapng_put_isb(struct wr *w, const struct pcapng_isb *v);

/* Bytes of the whole block, from caplen, dir, lost and the comment, which is up to PCAPNG_TEXT_MAX
 * bytes long. */
static inline size_t pcapng_epb_len(const struct pcapng_epb *v)
{
    size_t options = (v->dir ? 8u : 0u) + (v->lost ? 12u : 0u) +
                     (v->comment.p ? 4 + ((v->comment.len + 3) & ~(size_t)3) : 0u);
    return 32 + (((size_t)v->caplen + 3) & ~(size_t)3) + (options ? options + 4 : 0);
}

/* Appends the whole block but for the frame's bytes, and gives the place where the caller puts
 * exactly v->caplen of them. NULL without enough room; the writer is then bad. */
uint8_t *pcapng_epb_begin(struct wr *w, const struct pcapng_epb *v);

struct pcapng_if {
    uint32_t snaplen;
    uint16_t linktype;
    uint8_t tsresol;  /* the option's byte: negative power of 10, or of 2 with the top bit */
    int64_t tsoffset; /* s */
    uint8_t fcs_len;  /* bytes of a frame check sequence behind each frame; 0: none, or unknown */
};

/* The state of a reader: the section that it is in, as far as it was read. */
struct pcapng_reader {
    bool started, big; /* a section header was seen; it is big-endian */
    uint32_t n_ifs;    /* interfaces of the section, at most PCAPNG_IFS_MAX */
    struct pcapng_if ifs[PCAPNG_IFS_MAX];
};

enum pcapng_kind {
    PCAPNG_MORE,    /* the block is not whole yet: `len` bytes are needed */
    PCAPNG_SECTION, /* shb */
    PCAPNG_INTERFACE,
    PCAPNG_FRAME, /* epb and data; of an SPB too, with timestamp 0, and of an obsolete packet block
                   */
    PCAPNG_STATS,
    PCAPNG_OTHER, /* a kind of block that is skipped */
};

struct pcapng_item {
    enum pcapng_kind kind;
    size_t len;            /* bytes of the block; or needed at least, when MORE */
    struct pcapng_epb epb; /* FRAME */
    const uint8_t *data;   /* FRAME: epb.caplen bytes in place */
    uint16_t linktype;     /* FRAME: of its interface */
    uint8_t fcs_len;       /* FRAME: so many bytes at its end, counted in both lengths, are a frame
                            * check sequence; 0: none, or the file does not say */
    struct pcapng_shb shb; /* SECTION */
    struct pcapng_idb idb; /* INTERFACE; its number is the reader's n_ifs - 1 */
    struct pcapng_isb isb; /* STATS */
};

/* A reader is large: keep it on the heap or in another structure. */
void pcapng_reader_init(struct pcapng_reader *r);

/* Reads the one block at `data`; the next begins `ret->len` bytes further. Texts and frames point
 * into `data`. 0; -EPROTO: this is no pcapng, or damaged here; -ENOBUFS: too many interfaces. */
int pcapng_read(struct pcapng_reader *r, const uint8_t *data, size_t len, struct pcapng_item *ret);

/* Finds the end of the last whole block of a file, so that it can be continued after a crash. The
 * caller asks `at` for where to look next and feeds what the file has there.
 *
 * A file that ends in the midst of a block, or in nothing but zeros (a file system that knew the
 * size but not yet the contents), is torn: it can be cut at `good`. Anything else that does not
 * fit is damage that a cut might make worse. */
struct pcapng_tail {
    uint64_t size;      /* of the file */
    uint64_t at;        /* where the next window begins */
    uint64_t good;      /* everything before is whole blocks */
    uint32_t block_len; /* of the block at `good` whose end comes next; 0: none */
    bool started, big, zeros;
    bool is_idb; /* that block describes an interface, with this snaplen */
    uint32_t idb_snaplen;
    bool described;   /* there is an interface before `good`, … */
    uint32_t snaplen; /* … the first of which has this one */
    bool is_frame;    /* that block is a frame */
    uint64_t frames;  /* before `good` */
};

void pcapng_tail_init(struct pcapng_tail *t, uint64_t size);
/* `window` is `n` > 0 bytes of the file from t->at on; at least min(16, size - at). 1: feed more
 * from t->at; 0: done; -EPROTO: not pcapng; -EBADMSG: damaged at t->good. */
int pcapng_tail_feed(struct pcapng_tail *t, const uint8_t *window, size_t n);
