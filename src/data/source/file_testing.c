/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/file_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void push(struct batch_out *o)
{
    struct reading *r = CONTAINER_OF(o, struct reading, out);
    assert_in_range(o->batch->n, 1, BATCH_MAX);
    assert_true(ledger_get(&r->ledger, LEDGER_FILE_OUT) == r->n + o->batch->n);
    for (uint32_t i = 0; i < o->batch->n; i++) {
        const struct frame *f = &o->batch->f[i];
        assert_true(r->n < READING_FRAMES && f->point < r->n_points);
        assert_true(f->caplen <= f->origlen && f->datalen == f->caplen && f->ins_len == 0);
        r->first[r->n] = f->caplen > 0 ? f->data[0] : 0;
        r->last[r->n] = f->caplen > 0 ? f->data[f->caplen - 1] : 0;
        r->frame[r->n++] = *f;
        if (r->look) {
            r->look(r, f);
        }
    }
    o->batch->n = 0;
}

static int take_point(void *user, const struct point_offer *offer)
{
    struct reading *r = user;
    assert_int_equal(offer->index, r->n_points);
    assert_true(offer->index < POINT_MAX);
    assert_string_equal(offer->tap, "FILE");
    if (offer->linktype == READING_UNREADABLE_LINK || offer->linktype == READING_UNWANTED_LINK) {
        return offer->linktype == READING_UNREADABLE_LINK ? -ENOTSUP : -ENOSPC;
    }
    struct reading_point *p = &r->point[r->n_points++];
    *p = (struct reading_point){
        .linktype = offer->linktype, .snaplen = offer->snaplen, .speed = offer->speed_bps};
    assert_true(strlen(offer->ifname) < sizeof(p->name));
    (void)snprintf(p->name, sizeof(p->name), "%s", offer->ifname);
    return 0;
}

static int compile(void *user, uint16_t linktype, struct filter_prog *ret)
{
    struct reading *r = user;
    r->compiled++;
    return filter_compile_linktype(r->filter, linktype, ret, NULL);
}

void reading_begin_filter(struct reading *r, int fd, const char *filter)
{
    void (*look)(struct reading *, const struct frame *) = r->look;
    void *user = r->user;
    *r = (struct reading){.out = {&r->batch, push}, .filter = filter, .look = look, .user = user};
    const struct file_source_conf conf = {.fd = fd,
                                          .name = "FILE",
                                          .ledger = &r->ledger,
                                          .point = take_point,
                                          .user = r,
                                          .filter = filter ? compile : NULL};
    assert_true(fd >= 0);
    assert_int_equal(file_source_new(&conf, &r->s), 0);
}

void reading_begin(struct reading *r, int fd)
{
    reading_begin_filter(r, fd, NULL);
}

int reading_run(struct reading *r)
{
    int result = SOURCE_MORE;
    for (unsigned i = 0; result == SOURCE_MORE; i++) {
        result = r->s->ops->run(r->s, &r->out, 1, (struct mono){1});
        assert_true(i < 1 << 20 && r->batch.n == 0);
    }
    assert_int_equal(result, SOURCE_DRY);
    return result;
}

void reading_end(struct reading *r)
{
    const struct ledger_sum sum = ledger_sum(&r->ledger, NULL, LEDGER_FILE);
    assert_int_equal(sum.in_flight, 0);
    assert_int_equal(sum.out, r->n);
    r->s->ops->free(r->s);
}

void reading_of(struct reading *r, const void *bytes, size_t len, int result, const char *words)
{
    struct error err = {""};
    reading_begin(r, reading_memory(bytes, len));
    reading_run(r);
    assert_true(file_source_ended(r->s));
    assert_int_equal(r->s->ops->fd(r->s), -1);
    assert_int_equal(file_source_check(r->s, &err), result);
    assert_string_equal(err.text, words);
    reading_end(r);
}

int reading_memory(const void *bytes, size_t len)
{
    const int fd = memfd_create("capture", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

void reading_put_section(struct wr *w)
{
    pcapng_put_shb(w, &(struct pcapng_shb){.app = pcapng_text("test")});
    assert_true(wr_ok(w));
}

void reading_put_interface(struct wr *w, const char *name, uint16_t linktype)
{
    pcapng_put_idb(w, &(struct pcapng_idb){.linktype = linktype, .name = pcapng_text(name)});
    assert_true(wr_ok(w));
}

void reading_put_frame(struct wr *w, uint32_t ifid, uint8_t byte)
{
    const struct pcapng_epb v = {.ifid = ifid,
                                 .caplen = READING_FRAME_LEN,
                                 .origlen = 100,
                                 .ts_ns = 77,
                                 .lost = 5,
                                 .dir = FRAME_DIR_OUT};
    uint8_t *at = pcapng_epb_begin(w, &v);
    assert_non_null(at);
    memset(at, byte, READING_FRAME_LEN);
}
