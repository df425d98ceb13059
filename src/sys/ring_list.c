/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ring_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static unsigned count(const struct ring_list *l, const char *name)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        n += strncmp(l->ring[i].name, name, IFNAMSIZ) == 0;
    }
    return n;
}

/* Marks those that the kernel has; false when it does not say. A line ends with the number: sk,
 * RefCnt, Type, Proto, Iface, R, Rmem, User, Inode. */
static bool find_living(const struct ring_list *l, bool lives[RING_LIST_MAX])
{
    char line[256];
    _cleanup_(fclosep) FILE *f = fopen("/proc/net/packet", "re");
    if (!f) {
        return false;
    }
    while (fgets(line, sizeof(line), f)) {
        uint64_t inode = 0;
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &inode) != 1) {
            continue; /* the headline */
        }
        for (unsigned i = 0; i < l->n; i++) {
            lives[i] |= l->ring[i].inode == inode;
        }
    }
    return ferror(f) == 0;
}

static void forget_gone(struct ring_list *l)
{
    bool lives[RING_LIST_MAX] = {false};
    bool known = find_living(l, lives);
    unsigned n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        if (known && lives[i]) {
            l->ring[n++] = l->ring[i];
        }
    }
    l->n = n;
}

int ring_list_may(struct ring_list *l, const char *name, struct error *err)
{
    if (l->n < RING_LIST_MAX && count(l, name) < RING_LIST_EACH) {
        return 0;
    }
    forget_gone(l);
    if (count(l, name) >= RING_LIST_EACH) {
        return error_set(err, EAGAIN, "%s has %d capture rings already, of which none is given up",
                         name, RING_LIST_EACH);
    }
    return l->n < RING_LIST_MAX
               ? 0
               : error_set(err, EAGAIN, "there are %d capture rings already", RING_LIST_MAX);
}

void ring_list_add(struct ring_list *l, const char *name, int fd)
{
    struct stat st;
    if (l->n < RING_LIST_MAX && fstat(fd, &st) == 0) {
        snprintf(l->ring[l->n].name, sizeof(l->ring[l->n].name), "%s", name);
        l->ring[l->n++].inode = st.st_ino;
    }
}
