/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mirror_rows.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "cmd/collector_line.h"

static int add_vxlan(void *to, const struct conf_given *given, struct error *err)
{
    struct mirrors_conf *c = to;
    uint64_t port = 0;
    int r = parse_u64(given->text, given->label, 1, UINT16_MAX, &port, err);
    for (unsigned i = 0; r == 0 && i < c->n_vxlan; i++) {
        if (c->vxlan[i] == port) {
            return error_set(err, EINVAL, "%s %s is given twice", given->label, given->text);
        }
    }
    if (r == 0 && c->n_vxlan == MIRRORS_VXLAN) {
        return error_set(err, E2BIG, "%s: at most %d ports", given->label, MIRRORS_VXLAN);
    }
    if (r == 0) {
        c->vxlan[c->n_vxlan++] = (uint16_t)port;
    }
    return r;
}

static int add_from(void *to, const struct conf_given *given, struct error *err)
{
    int r = cidr_list_add(&((struct mirrors_conf *)to)->from, given->text, err);
    if (r < 0) {
        error_prefix(err, "%s", given->label);
    }
    return r;
}

static const struct conf_row rows[] = {
    {0, "vxlan", "PORT", "take frames in VXLAN on this UDP port, such as 4789; several", add_vxlan,
     .flags = CONF_REPEAT,
     .manual = "Take frames that others mirror in VXLAN to this UDP port, such as _4789_. It may\n"
               "be given for several ports. A vxlan device of this host must not have the port."},
    {0, "gre", NULL, "take frames in GRE", CONF_FLAG_AT(struct mirrors_conf, gre),
     .manual = "Take frames that others mirror in GRE (transparent Ethernet bridging), with\n"
               "or without a key."},
    {0, "erspan", NULL, "take frames in ERSPAN, types I to III",
     CONF_FLAG_AT(struct mirrors_conf, erspan),
     .manual = "Take frames that switches mirror in ERSPAN, of types I, II and III."},
    {0, "tzsp", "PORT", "take frames in TZSP on this UDP port, such as 37008",
     CONF_U16_AT(struct mirrors_conf, tzsp), .min = 1, .max = UINT16_MAX,
     .manual = "Take frames that others send in TZSP to this UDP port, such as _37008_."},
    {0, "ivtap", "PORT", "take the frames of ivTAP's clients on this UDP port",
     CONF_U16_AT(struct mirrors_conf, ivtap), .min = 1, .max = UINT16_MAX,
     .manual = "Take the frames of ivTAP's own clients on this UDP port, and show what these\n"
               "say of themselves."},
    {0, "from", "CIDR[,...]", "whose mirrored frames are taken, such as 10.0.0.0/8; needed",
     add_from, .flags = CONF_REPEAT,
     .manual = "Take mirrored frames of these addresses, such as _10.0.0.0/8,2001:db8::/32_,\n"
               "and count those of others as _not_allowed_. With the five options above it is\n"
               "needed, for their packets come in the clear and nothing but an address speaks\n"
               "for them."},
};

const struct conf_group mirror_group = {"From others than taps, in the clear:", rows,
                                        ARRAY_SIZE(rows)};

static int two_of_one_port(const struct collector_conf *c, struct error *err)
{
    const struct mirrors_conf *m = &c->mirrors;
    uint16_t used[MIRRORS_VXLAN + 3] = {c->port, m->tzsp, m->ivtap};
    unsigned n = 3 + m->n_vxlan;
    memcpy(used + 3, m->vxlan, m->n_vxlan * sizeof(used[0]));
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (used[i] != 0 && used[i] == used[k]) {
                return error_set(err, EINVAL,
                                 "UDP port %u is given twice: -p, --vxlan, --tzsp and --ivtap need "
                                 "ports of their own",
                                 used[i]);
            }
        }
    }
    return 0;
}

int mirror_allows(const void *line, struct error *err)
{
    return mirrors_allowed(&((const struct collector_line *)line)->conf.mirrors, err);
}

int mirror_check(const void *line, struct error *err)
{
    const struct collector_conf *c = &((const struct collector_line *)line)->conf;
    const bool wished = mirrors_wished(&c->mirrors);
    if (!wished) {
        return c->mirrors.from.n == 0
                   ? 0
                   : error_set(err, EINVAL,
                               "--from is for --vxlan, --gre, --erspan, --tzsp and --ivtap");
    }
    if (collector_one_each(c)) {
        return error_set(err, EINVAL,
                         "-i %s makes devices for taps alone: mirrored frames need one device for "
                         "all, or another output",
                         c->device);
    }
    return two_of_one_port(c, err);
}
