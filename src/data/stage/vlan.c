/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the frames of some VLANs; with several tags the outermost counts.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/parse.h"
#include "data/stage.h"
#include "proto/ether.h"
#include "proto/inner.h"

enum {
    VLAN_ID_MASK = 0x0fff, /* of a tag (IEEE 802.1Q-2018, 9.6) */
};

struct vlan_stage {
    struct stage stage;
    const struct vlan_set *ids;
};

static bool keep(const struct frame *f, void *stage)
{
    const struct vlan_stage *v = stage;
    uint8_t room[INNER_SCRATCH];
    struct ether_net net;
    size_t len = 0;
    const uint8_t *bytes = inner_bytes(f, room, &len);
    return ether_walk(bytes, len, &net) == 0 && net.tags > 0 &&
           vlan_set_has(v->ids, net.tci[0] & VLAN_ID_MASK);
}

static void vlan_run(struct stage *s, struct batch *b, const struct pass *p)
{
    stage_filter(s, b, p, keep);
}

static const struct stage_ops ops = {.run = vlan_run, .free = stage_free};

int vlan_stage_read(const char *text, void **ret, struct error *err)
{
    struct vlan_set *ids = calloc(1, sizeof(*ids));
    int r = ids ? parse_vlan_list(text, ids, err) : error_sys(err, ENOMEM, "vlan");
    if (r < 0) {
        free(ids);
        return r;
    }
    *ret = ids;
    return 0;
}

int vlan_stage_new(const void *wish, struct stage **ret)
{
    struct vlan_stage *v = calloc(1, sizeof(*v));
    if (!v) {
        return -ENOMEM;
    }
    v->stage.ops = &ops;
    v->ids = wish;
    *ret = &v->stage;
    return 0;
}
