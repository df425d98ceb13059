/* SPDX-License-Identifier: Apache-2.0
 *
 * The file sink and the interfaces of taps: more than it has room for, and how it describes them.
 */
#include "data/sink/file_test_util.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 20000,
    STALLED = 2 * FILE_SINK_CHUNK / 1000 + 200, /* frames of 1000 bytes: more than two chunks */
};

struct drain {
    int fd;
    uint8_t *data;
    size_t len;
};

static void *drain_run(void *arg)
{
    struct drain *d = arg;
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

/* How many blocks of a type there are; more interfaces than the reader of pcapng.h knows. */
static uint64_t blocks(const struct drain *d, uint32_t type)
{
    uint64_t n = 0;
    size_t at = 0;
    for (uint32_t head[2]; at < d->len; at += head[1]) {
        memcpy(head, d->data + at, sizeof(head));
        assert_true(head[1] >= PCAPNG_BLOCK_MIN && head[1] <= d->len - at);
        n += head[0] == type ? 1 : 0;
    }
    return n;
}

/* A tap whose interfaces come and go while the reader stands still, until there is room for no
 * other: what the next one sends is counted, and there is room for it when the reader reads. */
static void there_is_room_again(void **state)
{
    (void)state;
    int fd[2];
    char name[32];
    struct error err = {""};
    struct file_sink_conf conf = util_conf;
    conf.chunks = 2;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    struct sink *s = util_sink(fd[1], false, &conf);
    util_port(s, 1, "first", NULL);
    for (uint32_t i = 0; i < STALLED; i++) {
        util_write(s, 1, i, 1000);
    }
    assert_true(util_count(s, 1, LEDGER_SINK_FULL) > 0);
    for (uint32_t i = 1; i < SINK_PORTS_MAX; i++) {
        snprintf(name, sizeof(name), "tap%u", i);
        util_port(s, 2, name, NULL);
        s->ops->port_remove(s, 2);
    }
    const struct sink_port more = {.index = 2, .tap = "one more", .ifname = "eth0"};
    assert_int_equal(s->ops->check(s, &err), 0);
    assert_int_equal(s->ops->port_add(s, &more, &err), -ENOSPC);
    for (uint32_t i = 0; i < 10; i++) {
        util_write(s, 2, i, 60);
    }
    assert_int_equal(s->ops->check(s, &err), 1);
    assert_non_null(strstr(err.text, "the file: no room for 1 interface of taps"));
    util_balanced(s, 2, 10);
    assert_int_equal(util_count(s, 2, LEDGER_SINK_REFUSED), 10);
    struct drain d = {.fd = fd[0]};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, drain_run, &d), 0);
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    while (s->ops->port_add(s, &more, NULL) == -ENOSPC) {
        assert_false(mono_due(mono_now(), deadline));
        s->ops->flush(s);
        poll(NULL, 0, 1);
    }
    assert_int_equal(s->ops->check(s, &err), 0);
    util_write(s, 2, 10, 60);
    assert_int_equal(s->ops->finish(s, &err), 0);
    util_balanced(s, 1, STALLED);
    util_balanced(s, 2, 11);
    assert_int_equal(util_count(s, 2, LEDGER_SINK_OUT), 1);
    uint64_t out = util_count(s, 1, LEDGER_SINK_OUT) + 1;
    sink_free(s);
    pthread_join(t, NULL);
    assert_int_equal(blocks(&d, PCAPNG_EPB), out);
    /* those that sent nothing are described as far as there was room; each has its statistics */
    assert_in_range(blocks(&d, PCAPNG_IDB), SINK_PORTS_MAX / 4, SINK_PORTS_MAX + 1);
    assert_int_equal(blocks(&d, PCAPNG_ISB), blocks(&d, PCAPNG_IDB));
    free(d.data);
    close(fd[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
