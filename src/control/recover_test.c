/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures out of files that no capture is of: what each kind of file tells, files that are none,
 * those that cannot be read, and a store that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "control/recover.h"
#include "control/test_api.h"
#include "proto/pcapng.h"

enum {
    FILES = 8,
};

struct fixture {
    struct world w;
    unsigned n; /* files, whose ids end with their numbers from 1 on */
    uint8_t bytes[FILES][1024];
    size_t len[FILES];
    int cannot_list, cannot_open; /* the number of the file that cannot be opened; 0: none */
    size_t odd;                   /* bytes behind the list's last id */
};

static void id_of(unsigned number, uint8_t ret[16])
{
    static const uint8_t made[16] = {0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x70};
    memcpy(ret, made, 16);
    ret[15] = (uint8_t)number;
}

static int list(void *user, int *ret_fd, struct error *err)
{
    const struct fixture *f = user;
    static const uint8_t zeros[16];
    if (f->cannot_list) {
        return error_set(err, EACCES, "no list");
    }
    const int fd = memfd_create("list", MFD_CLOEXEC);
    for (unsigned i = f->n; i > 0; i--) {
        uint8_t id[16];
        id_of(i, id);
        assert_int_equal(write(fd, id, sizeof(id)), sizeof(id));
    }
    assert_int_equal(write(fd, zeros, f->odd), f->odd);
    *ret_fd = fd;
    return 0;
}

static int open_file(void *user, const uint8_t id[16], int *ret_fd, struct error *err)
{
    const struct fixture *f = user;
    const unsigned i = id[15];
    assert_in_range(i, 1, f->n);
    if ((int)i == f->cannot_open) {
        return error_set(err, EACCES, "no file");
    }
    const int fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(write(fd, f->bytes[i - 1], f->len[i - 1]), f->len[i - 1]);
    *ret_fd = fd;
    return 0;
}

static void add(struct fixture *f, const void *bytes, size_t len)
{
    memcpy(f->bytes[f->n], bytes, len);
    f->len[f->n++] = len;
}

/* Two interfaces, and a frame at second 1,800,000,000 where one is wanted. */
static void add_packets(struct fixture *f, bool frame)
{
    uint8_t buf[1024];
    struct wr w = wr_make(buf, sizeof(buf));
    const struct pcapng_shb shb = {.app = pcapng_text("farspan test")};
    pcapng_put_shb(&w, &shb);
    for (unsigned i = 0; i < 2; i++) {
        const struct pcapng_idb idb = {.linktype = 1,
                                       .name = pcapng_text(i == 0 ? "eth0" : "web1:eth1")};
        pcapng_put_idb(&w, &idb);
    }
    if (frame) {
        const struct pcapng_epb epb = {
            .caplen = 60, .origlen = 60, .ts_ns = INT64_C(1800000000000000005)};
        memset(pcapng_epb_begin(&w, &epb), 0xff, 60);
    }
    assert_true(wr_ok(&w));
    add(f, buf, wr_len(&w));
}

static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    world_init(&f->w, kinds, KINDS, table, &v1_n_routes, API_READ);
    *state = f;
    return 0;
}

static int leave(void **state)
{
    struct fixture *f = *state;
    world_done(&f->w);
    free(f);
    return 0;
}

static int run(struct fixture *f, struct error *err)
{
    const struct recover_conf c = {&f->w.counted.store, list, open_file, f};
    return recover_captures(&c, err);
}

static uint64_t count(struct fixture *f)
{
    const struct store_query q = {.n_filters = 0};
    uint64_t n = 0;
    struct store *s = f->w.counted.real;
    assert_int_equal(s->ops->count(s, &kind_capture, &q, &n, NULL), 0);
    return n;
}

static struct object object_at(struct fixture *f, unsigned number)
{
    uint8_t id[16];
    char text[KIND_ID];
    struct object o;
    struct store *s = f->w.counted.real;
    id_of(number, id);
    uuid_text(id, text);
    assert_int_equal(s->ops->get(s, &kind_capture, text, &o, NULL), 0);
    return o;
}

static void assert_text(const struct object *o, unsigned field, const char *want)
{
    assert_true(o->v[field].set);
    assert_string_equal(o->v[field].text, want);
}

static void each_kind_of_file(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    static const char *const types[] = {"packet", "packet", "netflow", "ethernet"};
    static const uint8_t ipfix[20] = {0, 10, 0, 16};
    add_packets(f, true);
    add_packets(f, false);
    add(f, ipfix, sizeof(ipfix));
    add(f, "time,state,rx_bytes\n", 20);
    assert_int_equal(run(f, &err), 4);
    for (unsigned i = 1; i <= 4; i++) {
        struct object o = object_at(f, i);
        assert_text(&o, CAPTURE_F_TYPE, types[i - 1]);
        assert_text(&o, FIELD_OF_PROJECT, RECOVER_PROJECT);
        assert_text(&o, CAPTURE_F_STATE, "done");
        assert_text(&o, CAPTURE_F_POINTS, i <= 2 ? "[\"eth0\",\"web1:eth1\"]" : "[]");
        assert_int_equal(o.v[CAPTURE_F_BYTES].n, f->len[i - 1]);
        assert_int_equal(o.v[CAPTURE_F_START].set, i == 1);
        assert_true(o.v[CAPTURE_F_ENDED].n > NSEC_PER_SEC);
        assert_int_equal(o.v[FIELD_OF_CREATED].n, INT64_C(0x018bcfe56800) * NSEC_PER_MSEC);
        assert_false(o.v[CAPTURE_F_CODE].set);
        object_done(&o);
    }
    struct object o = object_at(f, 1);
    assert_int_equal(o.v[CAPTURE_F_START].n, INT64_C(1800000000000000005));
    object_done(&o);
    assert_int_equal(run(f, &err), 0); /* they are known now */
    assert_int_equal(count(f), 4);
    assert_string_equal(err.text, "");
}

/* Others do not suffer from them, and they are left alone. */
static void files_that_are_none(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    add(f, "", 0);
    add(f, "a note", 6);
    add(f, "\x0a\x0d\x0d\x0a", 4); /* it was to be one */
    add_packets(f, true);
    add_packets(f, true);
    f->cannot_open = 4;
    assert_int_equal(run(f, &err), 2);
    struct object o = object_at(f, 3);
    assert_text(&o, CAPTURE_F_POINTS, "[]");
    object_done(&o);
    assert_int_equal(count(f), 2);
    f->cannot_open = 0;
    assert_int_equal(run(f, &err), 1);
}

static void all_or_none(void **state)
{
    struct fixture *f = *state;
    struct error err = {""};
    assert_int_equal(run(f, &err), 0); /* there is no file */
    add_packets(f, true);
    add_packets(f, true);
    f->cannot_list = 1;
    assert_int_equal(run(f, &err), -EACCES);
    f->cannot_list = 0;
    f->odd = 5;
    assert_int_equal(run(f, &err), -EIO);
    assert_non_null(strstr(err.text, "the list of captures' files"));
    f->odd = 0;
    int *const fails[] = {&f->w.counted.fail_list, &f->w.counted.fail_begin, &f->w.counted.fail_put,
                          &f->w.counted.fail_commit};
    for (size_t i = 0; i < ARRAY_SIZE(fails); i++) {
        *fails[i] = -EIO;
        assert_int_equal(run(f, &err), -EIO);
        assert_int_equal(count(f), 0);
        *fails[i] = 0;
    }
    assert_int_equal(run(f, &err), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_of_file, enter, leave),
        cmocka_unit_test_setup_teardown(files_that_are_none, enter, leave),
        cmocka_unit_test_setup_teardown(all_or_none, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
