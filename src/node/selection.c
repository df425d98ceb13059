/* SPDX-License-Identifier: Apache-2.0 */
#include "node/selection.h"

#include <errno.h>
#include <fnmatch.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* The kernel slices frames up to this length, an ordinary one with two tags. What is longer may
     * be a super-packet, is captured whole, cut, and sliced then. */
    SLICE_UP_TO = 1522,
};

/* ---- with privileges ---- */

int selection_compile(struct selection *s, struct error *err)
{
    static const enum netif_framing kinds[] = {NETIF_ETHERNET, NETIF_RAW_IP};
    int r[ARRAY_SIZE(kinds)] = {0};
    for (size_t i = 0; s->filter && i < ARRAY_SIZE(kinds); i++) {
        r[i] = filter_compile(s->filter, NULL, kinds[i], 0, &s->program[kinds[i]],
                              &s->program_error[kinds[i]]);
    }
    if (r[0] < 0 && r[1] < 0) {
        *err = s->program_error[NETIF_ETHERNET];
        return r[0];
    }
    return 0;
}

int selection_check(const struct selection *s, struct error *err)
{
    for (unsigned i = 0; i < s->n_words; i++) {
        struct netif link = {0};
        const struct selection_word *w = &s->word[i];
        if (w->pattern) {
            continue;
        }
        int r = netif_find(w->text, &link, err);
        r = r < 0 ? r : selection_may_carry(s, &link, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void selection_done(struct selection *s)
{
    for (unsigned i = 0; i < ARRAY_SIZE(s->program); i++) {
        filter_done(&s->program[i]);
    }
    stage_list_done(&s->stages);
    free(TAKE_PTR(s->filter));
}

/* ---- which interfaces ---- */

const struct selection_word *selection_word_for(const struct selection *s, const char *name)
{
    const struct selection_word *found = NULL;
    for (unsigned i = 0; i < s->n_words; i++) {
        const struct selection_word *w = &s->word[i];
        if (!w->pattern && strcmp(w->text, name) == 0) {
            return w;
        }
        if (!found && w->pattern && fnmatch(w->pattern, name, 0) == 0) {
            found = w;
        }
    }
    return found;
}

int selection_may_carry(const struct selection *s, const struct netif *link, struct error *err)
{
    enum netif_framing framing = netif_framing(link->arphrd, link->flags);
    bool ethernet = framing == NETIF_ETHERNET;
    const struct error *of_filter = &s->program_error[ethernet ? NETIF_ETHERNET : NETIF_RAW_IP];
    if (framing == NETIF_OTHER) {
        return error_set(
            err, EOPNOTSUPP,
            "%s: its frames have headers of their own kind (ARPHRD %u), for which there "
            "is no form as Ethernet",
            link->name, link->arphrd);
    }
    if (!ethernet && s->has_vlans) {
        return error_set(err, EINVAL, "%s has no VLANs: leave --vlan out", link->name);
    }
    if (of_filter->text[0]) {
        return error_set(err, EINVAL, "%s: %s", link->name, of_filter->text);
    }
    return 0;
}

/* ---- which frames ---- */

uint32_t selection_ring_share(unsigned n)
{
    uint32_t share = SELECTION_PATTERN_RINGS / MAX(n, 1U);
    return MIN(MAX(share, (uint32_t)SELECTION_PATTERN_RING_MIN), (uint32_t)RING_BYTES_DEFAULT);
}

enum frame_dir selection_direction(const struct selection *s, uint16_t arphrd)
{
    return s->dir == FRAME_DIR_UNKNOWN && arphrd == ARPHRD_LOOPBACK ? FRAME_DIR_IN : s->dir;
}

struct ring_conf selection_ring(const struct selection *s, const struct selection_word *word,
                                const struct tapped *of)
{
    enum netif_framing framing = netif_framing(of->arphrd, of->flags);
    return (struct ring_conf){.ifindex = (int)of->index,
                              .raw_ip = framing == NETIF_RAW_IP,
                              .cooked = framing == NETIF_COOKED,
                              .longest = of->longest,
                              .promiscuous = !s->not_promiscuous && !word->any,
                              .ignore_outgoing = selection_direction(s, of->arphrd) == FRAME_DIR_IN,
                              .bytes = of->ring_bytes};
}

int selection_program(const struct selection *s, const struct tapped *of,
                      const struct bpfsel_flow *flows, unsigned n_flows,
                      struct sock_filter ret[BPFSEL_MAX], unsigned *ret_n, struct error *err)
{
    enum netif_framing framing = netif_framing(of->arphrd, of->flags);
    bool raw_ip = framing == NETIF_RAW_IP || framing == NETIF_COOKED;
    const struct filter_prog *user = &s->program[raw_ip ? NETIF_RAW_IP : NETIF_ETHERNET];
    const struct bpfsel_conf bc = {
        .raw_ip = raw_ip,
        .dir = selection_direction(s, of->arphrd),
        .vlans = s->has_vlans ? &s->vlans : NULL,
        .no_outputs = !s->metered,
        .no_mark = s->no_mark,
        .no_links = !s->take_links,
        .flows = flows,
        .n_flows = s->take_links ? n_flows : 0, /* else they are among the links */
        .user = user->insns,
        .n_user = user->n,
        .snaplen = s->snaplen,
        .slice_up_to = !s->snaplen  ? 0
                       : s->metered ? UINT32_MAX
                                    : SLICE_UP_TO,
    };
    return bpfsel_make(&bc, ret, ret_n, err);
}
