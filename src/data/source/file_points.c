/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/file_points.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "sys/crypto/kdf.h"

enum {
    SLOTS = 16384, /* of a hash table, a power of two, more than twice POINT_MAX */
    NAME = POINT_NAME_MAX + 1,
};

_Static_assert(SLOTS > 2 * POINT_MAX, "there is always a free slot");

/* An interface is the same point as another where this is the same: hashed and compared as bytes.
 */
struct identity {
    char name[NAME]; /* zeros behind it */
    uint32_t linktype;
};

struct known {
    bool used;
    struct identity is;
    uint32_t point; /* or one of FILE_POINT_… */
};

struct file_points {
    int (*point)(void *user, const struct point_offer *offer);
    void *user;
    uint8_t key[KEYED_HASH_KEY_LEN];
    uint32_t n; /* points so far */
    uint32_t n_ifs;
    uint32_t of_if[PCAPNG_IFS_MAX];
    struct known slot[SLOTS];
};

struct file_points *file_points_new(int (*point)(void *user, const struct point_offer *offer),
                                    void *user)
{
    struct file_points *p = calloc(1, sizeof(*p));
    if (p && random_bytes(p->key, sizeof(p->key)) < 0) {
        file_points_free(TAKE_PTR(p));
    }
    if (p) {
        p->point = point;
        p->user = user;
    }
    return p;
}

void file_points_free(struct file_points *p)
{
    free(p);
}

/* The place of that identity, or the one that it would have. */
static struct known *find(struct file_points *p, const struct identity *is)
{
    uint64_t h = keyed_hash(p->key, is, sizeof(*is));
    while (p->slot[h % SLOTS].used && memcmp(&p->slot[h % SLOTS].is, is, sizeof(*is)) != 0) {
        h++;
    }
    return &p->slot[h % SLOTS];
}

static uint32_t offer(struct file_points *p, const struct identity *is, uint32_t snaplen)
{
    const struct point_offer o = {.index = p->n,
                                  .tap = "",
                                  .ifname = is->name,
                                  .snaplen = snaplen,
                                  .linktype = (uint16_t)is->linktype};
    const int r = p->point(p->user, &o);
    return r == 0 ? p->n++ : r == -ENOTSUP ? FILE_POINT_LINK_TYPE : FILE_POINT_NONE;
}

static uint32_t find_or_offer(struct file_points *p, const struct identity *is, uint32_t snaplen)
{
    struct known *k = find(p, is);
    if (!k->used && p->n == POINT_MAX) {
        return FILE_POINT_NONE;
    }
    if (!k->used) {
        const uint32_t point = offer(p, is, snaplen);
        if (point >= POINT_MAX) { /* is not remembered: only points have a slot each */
            return point;
        }
        *k = (struct known){true, *is, point};
    }
    return k->point;
}

uint32_t file_points_only(struct file_points *p, uint16_t linktype, uint32_t snaplen)
{
    struct identity is = {.linktype = linktype};
    (void)snprintf(is.name, sizeof(is.name), "if0");
    return find_or_offer(p, &is, snaplen);
}

void file_points_section(struct file_points *p)
{
    p->n_ifs = 0;
}

void file_points_interface(struct file_points *p, const struct pcapng_idb *idb)
{
    struct identity is = {.linktype = idb->linktype};
    if (p->n_ifs == PCAPNG_IFS_MAX) {
        return;
    }
    if (idb->name.p && idb->name.len > 0) {
        memcpy(is.name, idb->name.p, MIN(idb->name.len, (uint32_t)NAME - 1));
    } else {
        (void)snprintf(is.name, sizeof(is.name), "if%u", p->n_ifs);
    }
    p->of_if[p->n_ifs++] = find_or_offer(p, &is, idb->snaplen);
}

uint32_t file_points_find(const struct file_points *p, uint32_t ifid)
{
    return ifid < p->n_ifs ? p->of_if[ifid] : FILE_POINT_NONE;
}
