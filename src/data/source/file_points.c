/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/file_points.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "sys/crypto/kdf.h"

enum {
    SLOTS = 16384, /* of a hash table, a power of two */
};

_Static_assert(SLOTS > 2 * POINT_MAX, "there are free slots, and few of the others in a row");

/* Two interfaces with the same are one point. Names are as long as their blocks allow, so their
 * hashes stand for them: by a key that no file knows, no two names have the same, and none has that
 * of a number. */
struct identity {
    uint64_t name; /* its hash; without one, the interface's number */
    uint64_t linktype;
};

struct slot {
    struct identity is;
    struct file_point point;
    bool used;
};

struct link_filter {
    uint16_t linktype;
    int result;
    struct filter_prog prog;
};

struct file_points {
    struct file_points_conf conf;
    uint8_t key[KEYED_HASH_KEY_LEN];
    uint32_t n; /* points that were taken */
    uint32_t n_ifs, n_filters;
    struct file_point of_if[PCAPNG_IFS_MAX];
    struct link_filter filter[FILE_LINK_TYPES];
    struct slot slot[SLOTS];
};

struct file_points *file_points_new(const struct file_points_conf *conf)
{
    struct file_points *p = calloc(1, sizeof(*p));
    if (!p || random_bytes(p->key, sizeof(p->key)) < 0) {
        free(p);
        return NULL;
    }
    p->conf = *conf;
    return p;
}

void file_points_free(struct file_points *p)
{
    for (uint32_t i = 0; p && i < p->n_filters; i++) {
        filter_done(&p->filter[i].prog);
    }
    free(p);
}

/* ---- filters ---- */

/* The filter for that link type; NULL: there is no room for one. */
static const struct link_filter *filter_for(struct file_points *p, uint16_t linktype)
{
    for (uint32_t i = 0; i < p->n_filters; i++) {
        if (p->filter[i].linktype == linktype) {
            return &p->filter[i];
        }
    }
    if (p->n_filters == FILE_LINK_TYPES) {
        return NULL;
    }
    struct link_filter *f = &p->filter[p->n_filters++];
    f->linktype = linktype;
    f->result = p->conf.filter(p->conf.user, linktype, &f->prog);
    return f;
}

/* ---- points ---- */

static struct identity identify(const struct file_points *p, const struct pcapng_idb *idb)
{
    struct identity is = {.name = p->n_ifs, .linktype = idb->linktype};
    if (idb->name.p && idb->name.len > 0) {
        is.name = keyed_hash(p->key, idb->name.p, idb->name.len);
    }
    return is;
}

/* The slot of that identity, or the one that it would have. */
static struct slot *find(struct file_points *p, const struct identity *is)
{
    uint64_t h = keyed_hash(p->key, is, sizeof(*is));
    while (p->slot[h % SLOTS].used && memcmp(&p->slot[h % SLOTS].is, is, sizeof(*is)) != 0) {
        h++;
    }
    return &p->slot[h % SLOTS];
}

static uint32_t offer(struct file_points *p, const struct pcapng_idb *idb)
{
    char name[POINT_NAME_MAX + 1];
    if (idb->name.p && idb->name.len > 0) {
        text_name(name, sizeof(name), idb->name.p, idb->name.len);
    } else {
        (void)snprintf(name, sizeof(name), "if%u", p->n_ifs);
    }
    const struct point_offer o = {.index = p->n,
                                  .tap = p->conf.name,
                                  .ifname = name,
                                  .snaplen = idb->snaplen,
                                  .speed_bps = idb->speed,
                                  .linktype = idb->linktype,
                                  .fresh = true};
    const int r = p->conf.point(p->conf.user, &o);
    return r == 0 ? p->n++ : r == -ENOTSUP ? FILE_POINT_LINK_TYPE : FILE_POINT_NONE;
}

/* A point that nobody has seen before. Only those that are taken are kept: of what is refused a
 * file may have any number. */
static struct file_point begin(struct file_points *p, const struct pcapng_idb *idb)
{
    struct file_point new = {.index = FILE_POINT_NONE};
    const struct link_filter *f = p->conf.filter ? filter_for(p, idb->linktype) : NULL;
    if (p->conf.filter && (!f || f->result < 0)) {
        new.index = FILE_POINT_LINK_TYPE;
    } else if (p->n < POINT_MAX) {
        new.index = offer(p, idb);
        new.filter = f && f->prog.n > 0 ? &f->prog : NULL;
    }
    return new;
}

void file_points_section(struct file_points *p)
{
    p->n_ifs = 0;
}

void file_points_interface(struct file_points *p, const struct pcapng_idb *idb)
{
    if (p->n_ifs == PCAPNG_IFS_MAX) {
        return;
    }
    const struct identity is = identify(p, idb);
    struct slot *s = find(p, &is);
    const struct file_point point = s->used ? s->point : begin(p, idb);
    if (!s->used && point.index < POINT_MAX) {
        *s = (struct slot){is, point, true};
    }
    p->of_if[p->n_ifs++] = point;
}

struct file_point file_points_find(const struct file_points *p, uint32_t ifid)
{
    return ifid < p->n_ifs ? p->of_if[ifid] : (struct file_point){.index = FILE_POINT_NONE};
}
