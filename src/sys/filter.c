/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <string.h>

enum {
    SNAP_MAX = 262144,
};

static void pcap_closep(pcap_t **p)
{
    if (*p) {
        pcap_close(*p);
    }
}

/* A live handle on the interface, or NULL when it cannot be had. */
static pcap_t *live(const char *ifname, enum netif_framing framing, uint32_t snaplen)
{
    char why[PCAP_ERRBUF_SIZE];
    pcap_t *p = pcap_create(ifname, why);
    if (!p) {
        return NULL;
    }
    pcap_set_snaplen(p, (int)snaplen);
    pcap_set_buffer_size(p, 1 << 16);
    int dlt = framing == NETIF_RAW_IP ? DLT_RAW : DLT_EN10MB;
    if (pcap_activate(p) < 0 || (pcap_datalink(p) != dlt && pcap_set_datalink(p, dlt) < 0)) {
        pcap_close(p);
        return NULL;
    }
    return p;
}

/* A handle on some interface that is up and frames likewise. */
static pcap_t *live_on_any(enum netif_framing framing, uint32_t snaplen)
{
    _cleanup_(freep) struct netif *links = NULL;
    size_t n = 0;
    if (netif_list(&links, &n, NULL) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if ((links[i].flags & IFF_UP) &&
            netif_framing(links[i].arphrd, links[i].flags) == framing) {
            pcap_t *p = live(links[i].name, framing, snaplen);
            if (p) {
                return p;
            }
        }
    }
    return NULL;
}

static int compile(pcap_t *p, const char *expr, struct filter_prog *ret, struct error *err)
{
    /* Without its option -f tcpdump gives netmask 0 too; only "ip broadcast" asks for it. */
    struct bpf_program prog;
    if (pcap_compile(p, &prog, expr, 1, 0) < 0) {
        char *text = pcap_geterr(p);
        text[strcspn(text, "\n")] = 0;
        return error_set(err, EINVAL, "filter \"%.120s\": %s", expr, text);
    }
    int r = 0;
    ret->insns = reallocarray(NULL, prog.bf_len, sizeof(*ret->insns));
    if (ret->insns) {
        ret->n = prog.bf_len;
        for (unsigned i = 0; i < prog.bf_len; i++) {
            const struct bpf_insn *in = &prog.bf_insns[i];
            ret->insns[i] = (struct sock_filter){in->code, in->jt, in->jf, in->k};
        }
    } else {
        r = error_sys(err, ENOMEM, "filter \"%.120s\"", expr);
    }
    pcap_freecode(&prog);
    return r;
}

int filter_compile(const char *expr, const char *ifname, enum netif_framing framing,
                   uint32_t snaplen, struct filter_prog *ret, struct error *err)
{
    snaplen = snaplen && snaplen < SNAP_MAX ? snaplen : SNAP_MAX;
    _cleanup_(pcap_closep) pcap_t *p = ifname ? live(ifname, framing, snaplen) : NULL;
    if (!p) {
        p = live_on_any(framing, snaplen);
    }
    if (!p && framing == NETIF_RAW_IP) { /* no tags there, so a dead handle gives the same code */
        p = pcap_open_dead(DLT_RAW, (int)snaplen);
    }
    if (!p) {
        return error_set(err, ENETDOWN,
                         "no interface can be opened to compile the filter for: it needs the right "
                         "to capture, and one that is up, such as lo");
    }
    return compile(p, expr ? expr : "", ret, err);
}

void filter_done(struct filter_prog *p)
{
    free(p->insns);
    *p = (struct filter_prog){0};
}

char *filter_join(char *const *words, int n)
{
    size_t size = 1;
    for (int i = 0; i < n; i++) {
        size += strlen(words[i]) + 1;
    }
    char *text = malloc(size);
    if (!text) {
        return NULL;
    }
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s%s", i ? " " : "", words[i]);
    }
    text[at] = 0;
    return text;
}
