/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "node/mirror_note.h"
#include "proto/tapwant.h"
#include "sys/crypto/kdf.h"
#include "sys/ethtool.h"

enum {
    BUCKETS = 1024,
};

_Static_assert((int)OFFNOTE_NAME == (int)IFNAMSIZ, "names of interfaces fit");

/* A destination; one of each name. */
struct wire {
    struct table_link by_name;
    unsigned index;     /* in wires->at */
    struct offnote was; /* the interface, and the features that were switched off at it */
    bool inherited;     /* it is of the note alone */
    bool wanted;        /* in this round */
    bool looked;        /* in this round, with the result: */
    int result;
    struct error why;
};

struct mirror_wires {
    int notes;
    char boot[OFFNOTE_BOOT + 1];
    struct table by_name;
    struct wire *at[TAPWANT_MAX];
    unsigned n;
    bool outdated; /* the note has more than is still to be put back */
};

/* ---- the list ---- */

static struct wire *find(const struct mirror_wires *w, const char *name)
{
    const uint64_t hash = table_hash(&w->by_name, name, strlen(name));
    for (struct table_link *l = table_first(&w->by_name, hash); l; l = table_next(l)) {
        struct wire *e = CONTAINER_OF(l, struct wire, by_name);
        if (strcmp(e->was.name, name) == 0) {
            return e;
        }
    }
    return NULL;
}

static struct wire *add(struct mirror_wires *w, const char *name, uint32_t ifindex)
{
    struct wire *e = w->n < ARRAY_SIZE(w->at) ? calloc(1, sizeof(*e)) : NULL;
    if (!e) {
        return NULL;
    }
    (void)snprintf(e->was.name, sizeof(e->was.name), "%s", name);
    memcpy(e->was.boot, w->boot, sizeof(e->was.boot));
    e->was.ifindex = ifindex;
    e->index = w->n;
    w->at[w->n++] = e;
    table_add(&w->by_name, &e->by_name, table_hash(&w->by_name, name, strlen(name)));
    return e;
}

static void forget(struct mirror_wires *w, struct wire *e)
{
    w->outdated = w->outdated || e->was.n > 0;
    table_remove(&e->by_name);
    w->at[e->index] = w->at[--w->n];
    w->at[e->index]->index = e->index;
    free(e);
}

/* The one of that interface; one of another interface that had this name is forgotten. */
static struct wire *one_of(struct mirror_wires *w, const char *name, uint32_t ifindex)
{
    struct wire *e = find(w, name);
    if (e && e->was.ifindex != ifindex) {
        forget(w, e);
        e = NULL;
    }
    return e ? e : add(w, name, ifindex);
}

static bool has_mac(const struct offnote *v, const struct netif *link)
{
    return v->mac_len == link->mac_len && memcmp(v->mac, link->mac, v->mac_len) == 0;
}

/* ---- switching on again ---- */

static int put_back(struct wire *e, struct error *err)
{
    struct ethtool_features f;
    struct netif link;
    bool any = false;
    if (netif_get(e->was.name, &link, NULL) < 0 || (uint32_t)link.index != e->was.ifindex ||
        (e->inherited && !has_mac(&e->was, &link))) {
        return 0;
    }
    int r = ethtool_get(e->was.name, &f, err);
    for (unsigned i = 0; r == 0 && i < f.n; i++) {
        if (!f.at[i].wanted && offnote_has(&e->was, f.at[i].name)) {
            f.at[i].wanted = any = true;
        }
    }
    r = r == 0 && any ? ethtool_set(e->was.name, &f, err) : r;
    return r == -ENODEV ? 0 : r;
}

static int write_note(struct mirror_wires *w, struct error *err)
{
    // NOLINTNEXTLINE(bugprone-sizeof-expression): the list is of pointers
    _cleanup_(freep) const struct offnote **list = calloc(w->n + 1, sizeof(*list));
    size_t n = 0;
    if (!w->outdated) {
        return 0;
    }
    if (!list) {
        return error_sys(err, ENOMEM, "cannot note which offloads are to be put back");
    }
    for (unsigned i = 0; i < w->n; i++) {
        if (w->at[i]->was.n > 0) {
            list[n++] = &w->at[i]->was;
        }
    }
    const int r = mirror_note_write(w->notes, list, n, err);
    w->outdated = r < 0;
    return r;
}

int mirror_wires_round(struct mirror_wires *w, struct error *err)
{
    struct error why = {""}, none = {""};
    int first = 0;
    for (unsigned i = 0; i < w->n;) {
        struct wire *e = w->at[i];
        const bool wanted = e->wanted;
        e->wanted = e->looked = false;
        const int r = wanted ? 0 : put_back(e, first < 0 ? &none : &why);
        first = first < 0 ? first : r;
        if (wanted || r < 0) {
            i++;
        } else {
            forget(w, e); /* another one stands at its place now */
        }
    }
    const int r = write_note(w, first < 0 ? &none : &why);
    first = first < 0 ? first : r;
    return first < 0 ? error_set(err, -first, "%s", why.text) : 0;
}

/* ---- switching off ---- */

/* The first feature that still leaves cutting or checksums to the interface; NULL: none. */
static const char *first_active(const struct ethtool_features *f, bool fixed)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (f->at[i].active && ethtool_cuts(f->at[i].name) && !(fixed && f->at[i].can_change)) {
            return f->at[i].name;
        }
    }
    return NULL;
}

static int check_active(const char *name, const struct ethtool_features *f, bool fixed,
                        struct error *err)
{
    const char *feature = first_active(f, fixed);
    return feature ? error_set(err, EOPNOTSUPP,
                               "%s cannot be switched off at %s: copies would not be frames as on "
                               "a cable, and only a tap service of frames super can have them",
                               feature, name)
                   : 0;
}

/* Marks what is to go, in `f`, and lists what of it is not noted yet. */
static int choose(const struct wire *e, struct ethtool_features *f, struct offnote *ret_more,
                  bool *ret_any)
{
    struct offnote all = e->was;
    *ret_more = e->was;
    ret_more->n = 0;
    *ret_any = false;
    for (unsigned i = 0; i < f->n; i++) {
        struct ethtool_feature *at = &f->at[i];
        if (!at->wanted || !ethtool_cuts(at->name)) {
            continue;
        }
        if (!offnote_has(&all, at->name) &&
            (!offnote_add(&all, at->name) || !offnote_add(ret_more, at->name))) {
            return -E2BIG;
        }
        at->wanted = false;
        *ret_any = true;
    }
    return 0;
}

static int note(const struct mirror_wires *w, struct wire *e, const struct offnote *more,
                struct error *err)
{
    const int r = more->n > 0 ? mirror_note_append(w->notes, more, err) : 0;
    for (unsigned i = 0; r == 0 && i < more->n; i++) {
        (void)offnote_add(&e->was, more->feature[i]); /* there is room: choose() has tried it */
    }
    return r;
}

static int switch_off(struct mirror_wires *w, struct wire *e, struct error *err)
{
    const char *name = e->was.name;
    struct ethtool_features f;
    struct offnote more;
    bool any = false;
    int r = ethtool_get(name, &f, err);
    r = r < 0 ? r : check_active(name, &f, true, err);
    if (r < 0) {
        return r;
    }
    r = choose(e, &f, &more, &any);
    if (r < 0) {
        return error_sys(err, -r, "cannot note the offloads of %s", name);
    }
    if (!any && !first_active(&f, false)) {
        return 0;
    }
    r = note(w, e, &more, err);
    if (r < 0) {
        return r;
    }
    r = ethtool_set(name, &f, err);
    r = r < 0 ? r : ethtool_get(name, &f, err);
    r = r < 0 ? r : check_active(name, &f, false, err);
    if (r < 0 && put_back(e, NULL) == 0) {
        e->was.n = 0;
        w->outdated = true;
    }
    return r;
}

void mirror_wires_want(struct mirror_wires *w, const char *name)
{
    struct wire *e = find(w, name);
    if (e) {
        e->wanted = true;
    }
}

int mirror_wires_hold(struct mirror_wires *w, const struct netif *to, struct error *err)
{
    struct wire *e = one_of(w, to->name, (uint32_t)to->index);
    if (!e) {
        return error_sys(err, ENOMEM, "cannot note the offloads of %s", to->name);
    }
    if (!has_mac(&e->was, to)) { /* it was given another address */
        e->was.mac_len = MIN(to->mac_len, (uint8_t)OFFNOTE_MAC);
        memcpy(e->was.mac, to->mac, e->was.mac_len);
        w->outdated = w->outdated || e->was.n > 0;
    }
    e->inherited = false;
    e->wanted = true;
    if (!e->looked) {
        e->looked = true;
        e->result = switch_off(w, e, &e->why);
    }
    return e->result < 0 ? error_set(err, -e->result, "%s", e->why.text) : 0;
}

/* ---- the note ---- */

static int inherit(void *user, const struct offnote *v)
{
    struct mirror_wires *w = user;
    if (strcmp(v->boot, w->boot) != 0) {
        w->outdated = true;
        return 0;
    }
    struct wire *e = one_of(w, v->name, v->ifindex);
    if (!e) {
        return -ENOMEM;
    }
    e->inherited = true;
    e->was.mac_len = v->mac_len; /* a later line is of a later address */
    memcpy(e->was.mac, v->mac, sizeof(e->was.mac));
    for (unsigned i = 0; i < v->n; i++) {
        (void)offnote_add(&e->was, v->feature[i]);
    }
    return 0;
}

int mirror_wires_recover(struct mirror_wires *w, struct error *err)
{
    struct error why = {""}, none = {""};
    unsigned bad = 0;
    int first = mirror_note_read(w->notes, inherit, w, &bad, &why);
    if (first == -ENOMEM) {
        (void)error_sys(&why, ENOMEM, "cannot put all noted offloads back");
    } else if (first == 0 && bad > 0) {
        w->outdated = true;
        first = error_set(&why, EBADMSG,
                          "%u lines of the note of offloads are none: the "
                          "interfaces that they may have been of stay as they are",
                          bad);
    }
    const int r = mirror_wires_round(w, first < 0 ? &none : &why);
    first = first < 0 ? first : r;
    return first < 0 ? error_set(err, -first, "%s", why.text) : 0;
}

/* ---- its life ---- */

int mirror_wires_new(int notes, struct mirror_wires **ret)
{
    _cleanup_(mirror_wires_freep) struct mirror_wires *w = calloc(1, sizeof(*w));
    uint64_t key = 0;
    if (!w) {
        return -ENOMEM;
    }
    w->notes = notes;
    int r = random_bytes(&key, sizeof(key));
    r = r < 0 ? r : table_init(&w->by_name, BUCKETS, key);
    r = r < 0 || notes < 0 ? r : mirror_note_boot(w->boot, NULL);
    if (r == 0) {
        *ret = TAKE_PTR(w);
    }
    return r;
}

void mirror_wires_free(struct mirror_wires *w)
{
    if (!w) {
        return;
    }
    for (unsigned i = 0; i < w->n; i++) {
        w->at[i]->wanted = false;
    }
    (void)mirror_wires_round(w, NULL);
    while (w->n > 0) {
        struct wire *e = w->at[0];
        forget(w, e);
    }
    table_done(&w->by_name);
    free(w);
}
