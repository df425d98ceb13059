/* SPDX-License-Identifier: Apache-2.0
 *
 * The observation points of a capture file (data/source/file.h): which point an interface of the
 * section under way is, and which filter its frames are to match.
 */
#pragma once

#include "data/sink.h"
#include "proto/pcapng.h"
#include "sys/filter.h"

enum {
    FILE_LINK_TYPES = 64, /* link types of one file for which a filter is compiled */

    /* In place of a point's index: frames of that interface are not taken. */
    FILE_POINT_LINK_TYPE = POINT_MAX, /* as nobody can read its link type */
    FILE_POINT_NONE,                  /* as there is no room for it */
};

struct file_point {
    uint32_t index;                   /* or FILE_POINT_… */
    const struct filter_prog *filter; /* NULL: all frames match */
};

struct file_points;

/* As in the source's own (data/source/file.h). */
struct file_points_conf {
    const char *name;
    int (*point)(void *user, const struct point_offer *offer);
    int (*filter)(void *user, uint16_t linktype, struct filter_prog *ret);
    void *user;
};

/* NULL: no memory, or no random numbers. */
struct file_points *file_points_new(const struct file_points_conf *conf);
/* Takes NULL. */
void file_points_free(struct file_points *p);

/* A section begins, whose interfaces are counted from 0 on. */
void file_points_section(struct file_points *p);
/* Its next interface; beyond PCAPNG_IFS_MAX, which the reader does not give, it is ignored. */
void file_points_interface(struct file_points *p, const struct pcapng_idb *idb);
/* The point of that interface of the section. */
struct file_point file_points_find(const struct file_points *p, uint32_t ifid);
