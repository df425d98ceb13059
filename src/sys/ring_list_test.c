/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of rings that were handed out: one that lives for each interface, and one more while
 * that one is given up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "sys/ring.h"
#include "sys/ring_list.h"
#include "sys/test_net.h"

static const struct ring_conf conf = {.bytes = 1 << 20};

static int open_one(struct ring_list *l, const char *name)
{
    struct error err = {""};
    struct ring_conf c = conf;
    int fd = -1;
    c.ifindex = index_of("va");
    assert_int_equal(ring_list_may(l, name, &err), 0);
    assert_int_equal(ring_open(&c, &fd, &err), 0);
    ring_list_add(l, name, fd);
    return fd;
}

static void one_lives_and_one_more(void **state)
{
    (void)state;
    static struct ring_list l;
    struct error err = {""};
    int fd[3] = {open_one(&l, "eth0"), open_one(&l, "eth0"), -1};
    assert_int_equal(ring_list_may(&l, "eth0", &err), -EAGAIN);
    assert_string_equal(err.text, "eth0 has 2 capture rings already, of which none is given up");
    close(open_one(&l, "eth1")); /* each for itself */
    close(fd[0]);
    fd[2] = open_one(&l, "eth0");
    assert_int_equal(ring_list_may(&l, "eth0", NULL), -EAGAIN);
    close(fd[1]);
    close(fd[2]);
    for (int i = 0; i < 20; i++) { /* honest ones, again and again */
        close(open_one(&l, "eth0"));
    }
}

/* The memory is what counts: a copy of the descriptor keeps it, and so does the mapping alone. */
static void what_is_kept_lives(void **state)
{
    (void)state;
    static struct ring_list l;
    const size_t size = (1 << 20) + (size_t)sysconf(_SC_PAGESIZE);
    int fd[2] = {open_one(&l, "eth0"), open_one(&l, "eth0")}, copy = dup(fd[1]);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd[0], 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(ring_list_may(&l, "eth0", NULL), -EAGAIN);
    close(copy);
    copy = open_one(&l, "eth0");
    assert_int_equal(ring_list_may(&l, "eth0", NULL), -EAGAIN);
    munmap(map, size);
    assert_int_equal(ring_list_may(&l, "eth0", NULL), 0);
    close(copy);
}

static void many_names_are_bounded(void **state)
{
    (void)state;
    static struct ring_list l;
    struct error err = {""};
    char name[IFNAMSIZ];
    int fd = open_one(&l, "eth0");
    while (l.n < RING_LIST_MAX) {
        snprintf(name, sizeof(name), "x%u", l.n);
        ring_list_add(&l, name, fd);
    }
    assert_int_equal(ring_list_may(&l, "eth1", &err), -EAGAIN);
    assert_string_equal(err.text, "there are 512 capture rings already");
    close(fd);
    assert_int_equal(ring_list_may(&l, "eth1", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_lives_and_one_more),
        cmocka_unit_test(what_is_kept_lives),
        cmocka_unit_test(many_names_are_bounded),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
