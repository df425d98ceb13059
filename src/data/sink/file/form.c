/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/form.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/pcapng.h"

enum {
    ETHERNET_LEN = 14,
    ADDRESSES_LEN = 12,
    TYPE_V4 = 0x0800,
    TYPE_V6 = 0x86dd,
    SLL_LEN = 16, /* packet type, ARPHRD number, length of the address, address (8), protocol */
    SLL_TO_US = 0,
    SLL_OUTGOING = 4,
};

_Static_assert((int)SLL_LEN <= (int)FRAME_INS_MAX, "the cooked header is put in before the packet");

uint16_t file_form_linktype(uint16_t first, uint16_t own)
{
    bool known = own == PCAPNG_LINKTYPE_RAW || own == PCAPNG_LINKTYPE_LINUX_SLL;
    return known && (first == 0 || first == own) ? own : PCAPNG_LINKTYPE_ETHERNET;
}

/* Takes the made-up header off. */
static bool strip(const struct frame *f, struct frame *ret, uint16_t *ret_type)
{
    static const uint8_t none[ADDRESSES_LEN];
    uint8_t head[ETHERNET_LEN];
    bool before = f->ins_len == ETHERNET_LEN && f->ins_off == 0; /* it is not in the data */
    if (f->caplen < ETHERNET_LEN || (f->ins_len != 0 && !before)) {
        return false;
    }
    frame_copy(f, 0, head, ETHERNET_LEN);
    if (memcmp(head, none, ADDRESSES_LEN) != 0) {
        return false;
    }
    uint32_t skip = before ? 0 : ETHERNET_LEN;
    *ret = *f;
    ret->data += skip;
    ret->datalen -= skip;
    ret->caplen -= ETHERNET_LEN;
    ret->origlen -= MIN(f->origlen, (uint32_t)ETHERNET_LEN);
    ret->ins_len = 0;
    *ret_type = (uint16_t)(head[12] << 8 | head[13]);
    return true;
}

static void cook(struct frame *f, uint16_t arphrd, uint16_t type)
{
    struct wr w = wr_make(f->ins, SLL_LEN);
    wr_u16(&w, f->dir == FRAME_DIR_OUT ? SLL_OUTGOING : SLL_TO_US);
    wr_u16(&w, arphrd);
    wr_u16(&w, 0);
    wr_u64(&w, 0);
    wr_u16(&w, type);
    f->ins_len = SLL_LEN;
    f->ins_off = 0;
    f->caplen += SLL_LEN;
    f->origlen += SLL_LEN;
}

bool file_form_frame(const struct file_form *form, const struct frame *f, struct frame *ret)
{
    uint16_t type = 0;
    struct frame bare;
    if (!strip(f, &bare, &type)) {
        return false;
    }
    if (form->linktype == PCAPNG_LINKTYPE_LINUX_SLL) {
        cook(&bare, form->arphrd, type);
    } else if (type != TYPE_V4 && type != TYPE_V6) {
        return false;
    }
    *ret = bare;
    return true;
}
