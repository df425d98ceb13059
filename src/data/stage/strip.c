/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes the headers of a tunnel off, or VLAN tags. A frame without them passes as it is; what is
 * in another IP packet without an Ethernet header gets that of the frame around it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/stage.h"
#include "proto/inner.h"

static const struct {
    const char *word;
    enum inner_tunnel tunnel;
} tunnels[] = {
    {"vlan", INNER_VLAN}, {"vxlan", INNER_VXLAN}, {"gre", INNER_GRE}, {"erspan", INNER_ERSPAN}};

struct strip_stage {
    struct stage stage;
    enum inner_tunnel tunnel;
};

static void strip_run(struct stage *s, struct batch *b, const struct pass *p)
{
    const enum inner_tunnel tunnel = ((const struct strip_stage *)s)->tunnel;
    struct stage_tally tally = {0};
    for (uint32_t i = 0; i < b->n; i++) {
        if (inner_strip_frame(&b->f[i], tunnel) == 0) {
            stage_tally(&tally, s, p, &b->f[i]);
        }
    }
    stage_tally_end(&tally, s);
}

static const struct stage_ops ops = {.run = strip_run, .free = stage_free};

int strip_stage_read(const char *text, void **ret, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (strcmp(text, tunnels[i].word) == 0) {
            enum inner_tunnel *tunnel = malloc(sizeof(*tunnel));
            if (!tunnel) {
                return error_sys(err, ENOMEM, "strip");
            }
            *tunnel = tunnels[i].tunnel;
            *ret = tunnel;
            return 0;
        }
    }
    return error_set(err, EINVAL, "vlan, vxlan, gre or erspan is taken off, not \"%s\"", text);
}

int strip_stage_new(const void *wish, struct stage **ret)
{
    struct strip_stage *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->stage.ops = &ops;
    s->tunnel = *(const enum inner_tunnel *)wish;
    *ret = &s->stage;
    return 0;
}
