/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stage/ports.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SLOTS = PORTS_MAX * 4, /* open addressing, at most a quarter full */
};

struct ports_stage {
    struct stage stage;
    struct {
        uint32_t ifindex; /* 0: free */
        uint32_t number;
    } slot[SLOTS];
};

static void ports_run(struct stage *s, struct batch *b)
{
    struct ports_stage *p = (struct ports_stage *)s;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t at = b->f[i].port % SLOTS;
        while (p->slot[at].ifindex != 0 && p->slot[at].ifindex != b->f[i].port) {
            at = (at + 1) % SLOTS;
        }
        b->f[i].port = p->slot[at].ifindex != 0 ? p->slot[at].number : 0;
    }
}

static void ports_free(struct stage *s)
{
    free(s);
}

static const struct stage_ops ops = {
    .kind = "ports",
    .run = ports_run,
    .free = ports_free,
};

int ports_stage_new(struct stage **ret)
{
    struct ports_stage *p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    p->stage.ops = &ops;
    *ret = &p->stage;
    return 0;
}

void ports_stage_set(struct stage *s, const uint32_t *ifindex, unsigned n)
{
    struct ports_stage *p = (struct ports_stage *)s;
    memset(p->slot, 0, sizeof(p->slot));
    for (unsigned i = 0; i < n && i < PORTS_MAX; i++) {
        if (ifindex[i] == 0) {
            continue;
        }
        uint32_t at = ifindex[i] % SLOTS;
        while (p->slot[at].ifindex != 0 && p->slot[at].ifindex != ifindex[i]) {
            at = (at + 1) % SLOTS;
        }
        p->slot[at].ifindex = ifindex[i];
        p->slot[at].number = i + 1;
    }
}
