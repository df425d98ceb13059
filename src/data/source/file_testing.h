/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a file source that is run into an array, and files of pcapng for it.
 */
#pragma once

#include "base/cleanup.h"
#include "data/source/file.h"
#include "proto/pcapng.h"

enum {
    READING_FRAMES = 8192,
    READING_FRAME_LEN = 61,        /* of reading_put_frame(); its origlen is 100 */
    READING_UNREADABLE_LINK = 147, /* no point takes these link types */
    READING_UNWANTED_LINK = 148,
};

struct reading_point {
    char name[POINT_NAME_MAX + 1];
    uint16_t linktype;
    uint32_t snaplen;
    uint64_t speed;
};

struct reading {
    struct batch_out out;
    struct batch batch;
    struct ledger ledger;
    struct source *s;
    uint32_t n, n_points;
    struct frame frame[READING_FRAMES]; /* whose bytes are gone: */
    uint8_t first[READING_FRAMES], last[READING_FRAMES];
    struct reading_point point[POINT_MAX];
    const char *filter; /* the expression; NULL: none */
    unsigned compiled;  /* filters */
    /* Sees each frame while its bytes are there; may be NULL. */
    void (*look)(struct reading *r, const struct frame *f);
    void *user;
};

/* Begins with a descriptor of a file of the name FILE, without a filter. */
void reading_begin(struct reading *r, int fd);
/* The same with a filter. */
void reading_begin_filter(struct reading *r, int fd, const char *filter);
/* One run of one batch; more of them until nothing is left to be read now. Always SOURCE_DRY. */
int reading_run(struct reading *r);
/* Frees the source, whose ledger has to be balanced. */
void reading_end(struct reading *r);
/* All of that: the file's end has to be that result of file_source_check() and its words. */
void reading_of(struct reading *r, const void *bytes, size_t len, int result, const char *words);

/* A file of these bytes that has no name. */
int reading_memory(const void *bytes, size_t len);

void reading_put_section(struct wr *w);
/* NULL: it has no name. */
void reading_put_interface(struct wr *w, const char *name, uint16_t linktype);
/* A frame full of that byte, which left the host at 77 ns, after 5 that are lost. */
void reading_put_frame(struct wr *w, uint32_t ifid, uint8_t byte);
