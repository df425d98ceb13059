/* SPDX-License-Identifier: Apache-2.0
 *
 * The observation points of a capture file (data/source/file.h): which point an interface of the
 * section under way is.
 */
#pragma once

#include "data/sink.h"
#include "proto/pcapng.h"

enum {
    /* Instead of a point, of an interface whose frames nobody takes. */
    FILE_POINT_LINK_TYPE = POINT_MAX, /* its link type is refused */
    FILE_POINT_NONE,                  /* there is no room for it, or no such interface */
};

struct file_points;

/* `point` offers one to whoever takes its frames: 0 or -errno. NULL: no memory, or no random
 * numbers. */
struct file_points *file_points_new(int (*point)(void *user, const struct point_offer *offer),
                                    void *user);
/* Takes NULL. */
void file_points_free(struct file_points *p);

/* The one point of a file of pcap; or one of the numbers above. */
uint32_t file_points_only(struct file_points *p, uint16_t linktype, uint32_t snaplen);
/* A section begins: interfaces are counted anew. */
void file_points_section(struct file_points *p);
/* The next interface of the section. */
void file_points_interface(struct file_points *p, const struct pcapng_idb *idb);
/* The point of that interface of the section. */
uint32_t file_points_find(const struct file_points *p, uint32_t ifid);
