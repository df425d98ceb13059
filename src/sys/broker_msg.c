/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker_msg.h"

#include <errno.h>

#include "base/bytes.h"

static const uint32_t MAGIC_REQUEST = 0x46734251; /* "FsBQ" */
static const uint32_t MAGIC_REPLY = 0x46734252;   /* "FsBR" */

enum {
    FLAG_FD = 1,
    ERRNO_MAX = 4095, /* the kernel's own limit */
};

int broker_msg_put_request(void *buf, size_t cap, const struct broker_msg_request *m)
{
    if (m->len > BROKER_ARGS_MAX) {
        return -EMSGSIZE;
    }
    struct wr w = wr_make(buf, cap);
    wr_u32(&w, MAGIC_REQUEST);
    wr_u32(&w, m->seq);
    wr_u32(&w, m->number);
    wr_u16(&w, (uint16_t)m->len);
    wr_copy(&w, m->args, m->len);
    return wr_ok(&w) ? (int)wr_len(&w) : -EMSGSIZE;
}

int broker_msg_get_request(const void *buf, size_t len, struct broker_msg_request *ret)
{
    struct rd r = rd_make(buf, len);
    bool ours = rd_u32(&r) == MAGIC_REQUEST;
    struct broker_msg_request m = {.seq = rd_u32(&r), .number = rd_u32(&r)};
    m.len = rd_u16(&r);
    m.args = rd_take(&r, m.len);
    if (!ours || !rd_ok(&r) || rd_left(&r) != 0 || m.len > BROKER_ARGS_MAX) {
        return -EBADMSG;
    }
    *ret = m;
    return 0;
}

int broker_msg_put_reply(void *buf, size_t cap, const struct broker_msg_reply *m)
{
    size_t words = strnlen(m->err.text, sizeof(m->err.text) - 1);
    if (m->len > BROKER_DATA_MAX || m->result > 0 || m->result < -ERRNO_MAX) {
        return -EMSGSIZE;
    }
    struct wr w = wr_make(buf, cap);
    wr_u32(&w, MAGIC_REPLY);
    wr_u32(&w, m->seq);
    wr_u32(&w, (uint32_t)m->result);
    wr_u16(&w, m->has_fd ? FLAG_FD : 0);
    wr_u16(&w, (uint16_t)words);
    wr_u16(&w, (uint16_t)m->len);
    wr_copy(&w, m->err.text, words);
    wr_copy(&w, m->data, m->len);
    return wr_ok(&w) ? (int)wr_len(&w) : -EMSGSIZE;
}

int broker_msg_get_reply(const void *buf, size_t len, struct broker_msg_reply *ret)
{
    struct rd r = rd_make(buf, len);
    bool ours = rd_u32(&r) == MAGIC_REPLY;
    struct broker_msg_reply m = {.seq = rd_u32(&r), .result = (int32_t)rd_u32(&r)};
    uint16_t flags = rd_u16(&r);
    size_t words = rd_u16(&r);
    m.len = rd_u16(&r);
    const uint8_t *text = rd_take(&r, words);
    m.data = rd_take(&r, m.len);
    if (!ours || !rd_ok(&r) || rd_left(&r) != 0 || m.len > BROKER_DATA_MAX || flags > FLAG_FD ||
        words >= sizeof(m.err.text) || m.result > 0 || m.result < -ERRNO_MAX) {
        return -EBADMSG;
    }
    if (words) {
        memcpy(m.err.text, text, words);
    }
    m.has_fd = flags & FLAG_FD;
    *ret = m;
    return 0;
}
