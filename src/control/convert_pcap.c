/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapng as pcap, with times in nanoseconds. All interfaces that the file describes have to have
 * one link type. Comments, directions and statistics have no place in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/convert_impl.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"

struct packets {
    struct pcapng_reader reader;
    bool described; /* an interface was seen, and the header is written */
    uint16_t linktype;
};

static int pcap_begin(struct convert *c)
{
    struct packets *p = malloc(sizeof(*p));
    c->form = p;
    if (!p) {
        return -ENOMEM;
    }
    p->described = false;
    p->linktype = PCAPNG_LINKTYPE_ETHERNET;
    pcapng_reader_init(&p->reader);
    return 0;
}

static void pcap_done(struct convert *c)
{
    free(c->form);
}

static void put_header(struct convert *c)
{
    const struct packets *p = c->form;
    uint8_t head[PCAP_HEADER_LEN];
    struct wr w = wr_make(head, sizeof(head));
    pcap_put_header(&w, true, PCAP_SNAPLEN_MAX, p->linktype);
    text_add_bytes(&c->out, (const char *)head, sizeof(head));
}

static int take_interface(struct convert *c, uint16_t linktype)
{
    struct packets *p = c->form;
    if (p->described) {
        return linktype == p->linktype ? 0 : -ENOTSUP;
    }
    p->described = true;
    p->linktype = linktype;
    put_header(c);
    return 0;
}

static int take_frame(struct convert *c, const struct pcapng_item *item)
{
    const struct pcap_record record = {item->epb.caplen, item->epb.origlen, item->epb.ts_ns};
    if (record.caplen > PCAP_SNAPLEN_MAX) {
        return -EBADMSG;
    }
    const size_t len = PCAP_RECORD_LEN + record.caplen;
    _cleanup_(freep) uint8_t *bytes = malloc(len);
    if (!bytes) {
        return -ENOMEM;
    }
    struct wr w = wr_make(bytes, len);
    memcpy(pcap_record_begin(&w, true, &record), item->data, record.caplen);
    text_add_bytes(&c->out, (const char *)bytes, len);
    return 0;
}

static int pcap_take(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used)
{
    struct packets *packets = c->form;
    struct pcapng_item item;
    if (len == 0) {
        return 0;
    }
    if (pcapng_read(&packets->reader, p, len, &item) < 0) {
        return -EBADMSG;
    }
    if (item.kind == PCAPNG_MORE) {
        c->need = item.len;
        return 0;
    }
    *ret_used = item.len;
    switch (item.kind) {
    case PCAPNG_INTERFACE:
        return take_interface(c, item.idb.linktype);
    case PCAPNG_FRAME:
        return take_frame(c, &item);
    case PCAPNG_MORE:
    case PCAPNG_SECTION:
    case PCAPNG_STATS:
    case PCAPNG_OTHER:
        break;
    }
    return 0;
}

static int pcap_end(struct convert *c)
{
    const struct packets *p = c->form;
    if (!p->described) { /* a file without frames is one, too */
        put_header(c);
    }
    return 0;
}

const struct convert_ops convert_pcap = {pcap_begin, pcap_take, pcap_end, pcap_done};
