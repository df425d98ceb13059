/* SPDX-License-Identifier: Apache-2.0 */
#include "control/convert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/convert_impl.h"

enum {
    PENDING = 64 << 10, /* bytes of output that are made before they are sent */
    IN = 64 << 10,      /* bytes of the file that are read at a time */
};

static const struct convert_ops *const forms[] = {
    [CONVERT_FLOWS_CSV] = &convert_flows_csv,
    [CONVERT_FLOWS_LONG] = &convert_flows_long,
    [CONVERT_FLOWS_JSON] = &convert_flows_json,
    [CONVERT_ROWS_JSON] = &convert_rows_json,
    [CONVERT_PCAP] = &convert_pcap,
};

static void convert_free(void *user)
{
    struct convert *c = user;
    if (c->ops && c->ops->done) {
        c->ops->done(c);
    }
    if (c->source.free) {
        c->source.free(c->source.user);
    }
    free(c->in);
    text_free(&c->out);
    free(c);
}

static size_t pending(const struct convert *c)
{
    return c->out.len - c->out_at;
}

/* Room for what the next unit needs, behind what is there of it. */
static int make_room(struct convert *c)
{
    size_t want = MAX(c->need, (size_t)IN);
    memmove(c->in, c->in + c->in_at, c->in_len - c->in_at);
    c->in_len -= c->in_at;
    c->in_at = 0;
    if (want <= c->in_cap) {
        return 0;
    }
    uint8_t *in = realloc(c->in, want);
    if (!in) {
        return -ENOMEM;
    }
    c->in = in;
    c->in_cap = want;
    return 0;
}

/* More of the file: 0, -EAGAIN, or another -errno. */
static int fill(struct convert *c)
{
    int r = make_room(c);
    if (r < 0) {
        return r;
    }
    ssize_t n = c->source.read(c->source.user, c->in + c->in_len, c->in_cap - c->in_len);
    if (n < 0) {
        return (int)n;
    }
    c->source_ended = n == 0;
    c->in_len += (size_t)n;
    return 0;
}

static int end(struct convert *c)
{
    if (c->in_at < c->in_len && !c->conf.torn) {
        return -EBADMSG;
    }
    c->ended = true;
    return c->ops->end ? c->ops->end(c) : 0;
}

/* One unit, more of the file, or the end. */
static int step(struct convert *c)
{
    size_t used = 0;
    c->need = 0;
    int r = c->ops->take(c, c->in + c->in_at, c->in_len - c->in_at, &used);
    if (r < 0 || used > 0) {
        c->in_at += used;
        return r;
    }
    if (c->need > CONVERT_UNIT_MAX) {
        return -EBADMSG;
    }
    return c->source_ended ? end(c) : fill(c);
}

/* Makes output until there is a good part of it. What stops that is kept, and told when all that
 * was made before has been given. */
static void advance(struct convert *c)
{
    if (c->out_at == c->out.len) {
        c->out_at = c->out.len = 0;
    }
    while (!c->ended && c->failed == 0 && pending(c) < PENDING) {
        int r = step(c);
        r = c->out.failed ? -ENOMEM : r;
        if (r == -EAGAIN) {
            return;
        }
        c->failed = r;
    }
}

static ssize_t convert_read(void *user, uint8_t *buf, size_t cap)
{
    struct convert *c = user;
    if (pending(c) == 0) {
        advance(c);
    }
    size_t n = MIN(cap, pending(c));
    if (n > 0 && !c->out.failed) {
        memcpy(buf, c->out.p + c->out_at, n);
        c->out_at += n;
        return (ssize_t)n;
    }
    return c->failed < 0 ? c->failed : c->ended ? 0 : -EAGAIN;
}

static int begin(struct convert *c, struct error *err)
{
    c->in_cap = IN;
    c->in = malloc(IN);
    if (!c->in || c->ops->begin(c) < 0) {
        return error_set(err, ENOMEM, "memory is short");
    }
    advance(c);
    if (c->failed == -ENOTSUP) {
        return error_set(err, ENOTSUP,
                         "its interfaces have several link types, and a pcap file has one");
    }
    return c->failed == -ENOMEM ? error_set(err, ENOMEM, "memory is short")
           : c->failed < 0      ? error_set(err, EBADMSG, "the capture's file is damaged")
                                : 0;
}

int convert_open(const struct http_body *source, const struct convert_conf *conf,
                 struct http_body *ret, struct error *err)
{
    struct convert *c = calloc(1, sizeof(*c));
    if (!c) {
        return error_set(err, ENOMEM, "memory is short");
    }
    c->conf = *conf;
    c->ops = forms[conf->to];
    c->source = *source;
    int r = begin(c, err);
    if (r < 0) {
        c->source.free = NULL;
        convert_free(c);
        return r;
    }
    *ret = (struct http_body){.read = convert_read, .free = convert_free, .user = c};
    return 0;
}
