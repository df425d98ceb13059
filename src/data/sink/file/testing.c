/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proto/pcapng.h"

const struct file_sink_conf util_conf = {.path = "the file", .os = "Linux", .app = "farspan"};

void *util_pipe_read(void *arg)
{
    struct util_pipe *d = arg;
    for (size_t room = 0;;) {
        if (d->len == room) {
            d->data = realloc(d->data, room += 1 << 20);
            assert_non_null(d->data);
        }
        ssize_t n = read(d->fd, d->data + d->len, room - d->len);
        if (n <= 0) {
            return NULL;
        }
        d->len += (size_t)n;
    }
}

struct sink *util_sink(int fd, bool append, const struct file_sink_conf *conf)
{
    struct sink *s = NULL;
    struct error err = {""};
    int failed = file_sink_new(fd, append, conf, &s, &err);
    if (failed < 0) {
        fail_msg("%s", err.text);
    }
    return s;
}

void util_point(struct sink *s, uint32_t index, const char *tap, const char *filter)
{
    struct point_offer point = {.index = index, .tap = tap, .ifname = "eth0", .filter = filter};
    assert_int_equal(s->ops->point_add(s, &point, NULL), 0);
}

void util_write(struct sink *s, uint32_t point, uint32_t id, uint32_t len)
{
    static uint8_t data[FRAME_LEN_MAX + 256];
    struct batch *b = calloc(1, sizeof(*b));
    if (data[1] == 0) {
        for (size_t i = 0; i < sizeof(data); i++) {
            data[i] = (uint8_t)i;
        }
    }
    b->n = 1;
    b->f[0] = (struct frame){.data = data + id % 251,
                             .datalen = len,
                             .caplen = len,
                             .origlen = len + 7,
                             .ts_ns = 1700000000000000000 + id,
                             .point = point,
                             .dir = (uint8_t)(id % 3)};
    s->ops->write(s, b);
    free(b);
}

static void see_frame(struct util_file *u, const struct pcapng_item *it)
{
    uint32_t id = (uint32_t)(it->epb.ts_ns - 1700000000000000000);
    bool good = it->epb.origlen == it->epb.caplen + 7 && it->epb.dir == id % 3;
    for (uint32_t i = 0; i < it->epb.caplen && good; i++) {
        good = it->data[i] == (uint8_t)(id % 251 + i);
    }
    u->bad += !good;
    u->frames++;
    u->lost += it->epb.lost;
    u->last_interface = it->epb.ifid;
}

struct util_file util_read(const uint8_t *p, size_t len)
{
    static struct pcapng_reader r;
    struct util_file u = {.len = len};
    struct pcapng_item it;
    pcapng_reader_init(&r);
    while (u.whole < len) {
        assert_int_equal(pcapng_read(&r, p + u.whole, len - u.whole, &it), 0);
        if (it.kind == PCAPNG_MORE) {
            break;
        }
        u.sections += it.kind == PCAPNG_SECTION;
        u.interfaces += it.kind == PCAPNG_INTERFACE;
        if (it.kind == PCAPNG_FRAME) {
            see_frame(&u, &it);
        } else if (it.kind == PCAPNG_STATS) {
            u.stats++;
            u.delivered += it.isb.usrdeliv;
            u.dropped += it.isb.ifdrop;
            snprintf(u.comment, sizeof(u.comment), "%.*s", (int)it.isb.comment.len,
                     it.isb.comment.p ? it.isb.comment.p : "");
        }
        u.whole += it.len;
    }
    return u;
}

struct util_file util_read_path(const char *path)
{
    struct stat st;
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    _cleanup_(freep) uint8_t *p = malloc((size_t)st.st_size + 1);
    size_t len = 0;
    for (ssize_t n = 1; n > 0; len += (size_t)n) {
        n = read(fd, p + len, (size_t)st.st_size - len);
        assert_true(n >= 0);
    }
    return util_read(p, len);
}

uint64_t util_count(const struct sink *s, uint32_t point, enum ledger_id id)
{
    return ledger_get(sink_ledger(s, point), id);
}

void util_balanced(const struct sink *s, uint32_t point, uint64_t in)
{
    struct ledger_sum sum = ledger_sum(sink_ledger(s, point), NULL, LEDGER_SINK);
    assert_int_equal(sum.in, in);
    assert_int_equal(sum.in_flight, 0);
}
