/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"

enum {
    SNAP_MAX = 262144,
    PCAP_FILE_HEADER = 24,
    PCAP_FILE_MAGIC = 0xa1b2c3d4,
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

static int compile_now(pcap_t *p, const char *expr, struct filter_prog *ret, struct error *err)
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

/* ---- tapes ---- */

static struct filter_tape *tape;

void filter_tape_use(struct filter_tape *t)
{
    tape = t;
}

void filter_tape_done(struct filter_tape *t)
{
    free(t->bytes);
    *t = (struct filter_tape){0};
}

/* The result of a call goes behind what was recorded: it, the words of a failure, the program. */
static int record(int result, const struct filter_prog *p, const struct error *why)
{
    const uint32_t n = result == 0 ? p->n : 0;
    const size_t words = result == 0 ? 0 : sizeof(why->text), insns = n * sizeof(*p->insns);
    const size_t more = sizeof(int32_t) + sizeof(n) + words + insns;
    uint8_t *bytes =
        more <= FILTER_TAPE_MAX - tape->len ? realloc(tape->bytes, tape->len + more) : NULL;
    if (!bytes) {
        return -ENOMEM;
    }
    struct wr w = wr_make(bytes + tape->len, more);
    wr_u32(&w, (uint32_t)result);
    wr_u32(&w, n);
    wr_copy(&w, why->text, words);
    wr_copy(&w, p->insns, insns);
    tape->bytes = bytes;
    tape->len += more;
    return 0;
}

static int play(struct filter_prog *ret, struct error *err)
{
    struct rd r = rd_make(tape->bytes + tape->at, tape->len - tape->at);
    const int32_t result = (int32_t)rd_u32(&r);
    const uint32_t n = rd_u32(&r);
    const uint8_t *words = result == 0 ? NULL : rd_take(&r, sizeof(err->text));
    const uint8_t *insns =
        n <= BPF_MAXINSNS && result == 0 ? rd_take(&r, n * sizeof(*ret->insns)) : NULL;
    if (!rd_ok(&r) || result > 0 || (result == 0 && !insns) || n > BPF_MAXINSNS) {
        return error_set(err, EBADMSG, "the broker's programs do not fit the settings");
    }
    tape->at = tape->len - rd_left(&r);
    if (result < 0) {
        return error_set(err, -result, "%.*s", (int)sizeof(err->text) - 1, (const char *)words);
    }
    ret->insns = reallocarray(NULL, n > 0 ? n : 1, sizeof(*ret->insns));
    if (!ret->insns) {
        return error_sys(err, ENOMEM, "filter");
    }
    memcpy(ret->insns, insns, n * sizeof(*ret->insns));
    ret->n = n;
    return 0;
}

static bool plays(void)
{
    return tape && tape->mode == FILTER_TAPE_PLAY;
}

static int recorded(int result, struct filter_prog *p, struct error *err)
{
    const struct error none = {""};
    if (tape && tape->mode == FILTER_TAPE_RECORD && record(result, p, err ? err : &none) < 0) {
        filter_done(p);
        return error_sys(err, ENOMEM, "filter");
    }
    return result;
}

/* ---- compiling ---- */

static int compile_live(const char *expr, const char *ifname, enum netif_framing framing,
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
    return compile_now(p, expr ? expr : "", ret, err);
}

static pcap_t *kept;

/* No frame comes to its socket any more: a protocol of this number is nobody's. */
static void silence(pcap_t *p)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET};
    socklen_t len = sizeof(at);
    if (getsockname(pcap_fileno(p), (struct sockaddr *)&at, &len) == 0) {
        at.sll_protocol = htons(0xffff);
        (void)bind(pcap_fileno(p), (const struct sockaddr *)&at, sizeof(at));
    }
}

int filter_keep(struct error *err)
{
    if (!kept) {
        kept = live_on_any(NETIF_ETHERNET, SNAP_MAX);
        if (kept) {
            silence(kept);
        }
    }
    return kept ? 0
                : error_set(err, ENETDOWN,
                            "no interface can be opened to compile filters for: one has to be up, "
                            "such as lo");
}

int filter_compile_kept(const char *expr, struct filter_prog *ret, struct error *err)
{
    return kept ? compile_now(kept, expr, ret, err)
                : error_set(err, ENETDOWN, "there is no interface to compile the filter for");
}

int filter_compile(const char *expr, const char *ifname, enum netif_framing framing,
                   uint32_t snaplen, struct filter_prog *ret, struct error *err)
{
    return plays() ? play(ret, err)
                   : recorded(compile_live(expr, ifname, framing, snaplen, ret, err), ret, err);
}

/* Loads from where the kernel keeps what it knows of a frame beside its bytes (SKF_AD_OFF). */
static bool asks_kernel(const struct filter_prog *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (BPF_CLASS(p->insns[i].code) == BPF_LD && BPF_MODE(p->insns[i].code) == BPF_ABS &&
            p->insns[i].k >= (uint32_t)SKF_AD_OFF) {
            return true;
        }
    }
    return false;
}

/* On a handle of frames in memory, which is closed. */
static int compile_on(pcap_t *handle, const char *expr, struct filter_prog *ret, struct error *err)
{
    _cleanup_(pcap_closep) pcap_t *p = handle;
    int r = p ? compile_now(p, expr, ret, err) : error_sys(err, ENOMEM, "filter \"%.120s\"", expr);
    if (r == 0 && asks_kernel(ret)) {
        filter_done(ret);
        return error_set(err, EINVAL,
                         "filter \"%.120s\" asks for what is not in a frame's bytes, such as its "
                         "direction",
                         expr);
    }
    return r;
}

int filter_compile_plain(const char *expr, struct filter_prog *ret, struct error *err)
{
    return plays() ? play(ret, err)
                   : recorded(compile_on(pcap_open_dead(DLT_EN10MB, SNAP_MAX), expr, ret, err), ret,
                              err);
}

/* A handle as on a file of that link type. libpcap's own numbers (DLT_…) differ from those of
 * files, by the system too, and only its reader of files knows how: it is given an empty one. */
static pcap_t *as_of_a_file(uint16_t linktype)
{
    char why[PCAP_ERRBUF_SIZE];
    uint8_t header[PCAP_FILE_HEADER];
    struct wr w = wr_make(header, sizeof(header));
    wr_u32le(&w, PCAP_FILE_MAGIC);
    wr_u16le(&w, PCAP_VERSION_MAJOR);
    wr_u16le(&w, PCAP_VERSION_MINOR);
    wr_zero(&w, 8);
    wr_u32le(&w, SNAP_MAX);
    wr_u32le(&w, linktype);
    FILE *f = fmemopen(header, sizeof(header), "rb");
    pcap_t *p = f ? pcap_fopen_offline(f, why) : NULL;
    if (f && !p) {
        fclose(f);
    }
    return p; /* which closes the file */
}

int filter_compile_linktype(const char *expr, uint16_t linktype, struct filter_prog *ret,
                            struct error *err)
{
    return plays() ? play(ret, err)
                   : recorded(compile_on(as_of_a_file(linktype), expr, ret, err), ret, err);
}

/* The kernel's instructions and libpcap's are the same structure under two names. */
_Static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn), "one form of instructions");

bool filter_is_valid(const struct filter_prog *p)
{
    return p->n > 0 && p->n <= BPF_MAXINSNS &&
           bpf_validate((const struct bpf_insn *)(const void *)p->insns, (int)p->n) != 0;
}

bool filter_matches(const struct filter_prog *p, const uint8_t *bytes, uint32_t caplen,
                    uint32_t origlen)
{
    return bpf_filter((const struct bpf_insn *)(const void *)p->insns, bytes, origlen, caplen) > 0;
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
