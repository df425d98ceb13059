/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of a service's roles, as the broker carries them out: files by their ids alone, and
 * programs that are looked at before they are run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "node/filter_memfd.h"
#include "node/serve_requests.h"

#define NAME "000102030405060708090a0b0c0d0e0f"

struct world {
    char folder[40];
    struct serve_grants grants;
    struct broker_reply reply;
    uint8_t args[WANTED_ID + 1];
};

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    (void)snprintf(w->folder, sizeof(w->folder), "/tmp/farspan-serve-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    w->grants.captures = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->grants.captures >= 0);
    for (unsigned i = 0; i < WANTED_ID; i++) {
        w->args[i] = (uint8_t)i;
    }
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    (void)unlinkat(w->grants.captures, NAME ".data", 0);
    (void)unlinkat(w->grants.captures, NAME ".now", 0);
    (void)unlinkat(w->grants.captures, "elsewhere", 0);
    close(w->grants.captures);
    const int r = rmdir(w->folder);
    free(w);
    return r;
}

/* A descriptor, or -errno; the sentence is in the reply. */
static int ask(struct world *w, const struct broker_request *q, enum serve_file file, size_t len)
{
    w->reply = (struct broker_reply){.fd = -1};
    w->args[WANTED_ID] = (uint8_t)file;
    assert_in_range(len, q->args_min, q->args_max);
    const int r = q->handle(&w->grants, w->args, len, &w->reply);
    return r < 0 ? r : w->reply.fd;
}

static int create(struct world *w, enum serve_file file)
{
    return ask(w, &serve_data_requests[SERVE_CREATE], file, WANTED_ID + 1);
}

static int open_it(struct world *w, enum serve_file file)
{
    return ask(w, &serve_control_requests[SERVE_OPEN], file, WANTED_ID + 1);
}

static void a_file_is_known_by_its_id(void **state)
{
    struct world *w = *state;
    char text[8] = "";
    assert_int_equal(open_it(w, SERVE_FILE_MAIN), -ENOENT);
    assert_non_null(strstr(w->reply.err.text, NAME ".data"));
    int fd = create(w, SERVE_FILE_MAIN);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    fd = create(w, SERVE_FILE_MAIN); /* it goes on */
    assert_int_equal(lseek(fd, 0, SEEK_END), 3);
    close(fd);
    fd = open_it(w, SERVE_FILE_MAIN);
    assert_int_equal(read(fd, text, sizeof(text)), 3);
    assert_int_equal(write(fd, "x", 1), -1);
    close(fd);
    struct stat st;
    assert_int_equal(fstatat(w->grants.captures, NAME ".data", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_snapshot_begins_anew(void **state)
{
    struct world *w = *state;
    int fd = create(w, SERVE_FILE_SNAPSHOT);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    fd = create(w, SERVE_FILE_SNAPSHOT);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    assert_int_equal(create(w, SERVE_FILES), -EINVAL);
}

static void both_files_go(void **state)
{
    struct world *w = *state;
    const struct broker_request *q = &serve_control_requests[SERVE_DELETE];
    close(create(w, SERVE_FILE_MAIN));
    close(create(w, SERVE_FILE_SNAPSHOT));
    w->reply = (struct broker_reply){.fd = -1};
    assert_int_equal(q->handle(&w->grants, w->args, WANTED_ID, &w->reply), 0);
    assert_int_equal(open_it(w, SERVE_FILE_MAIN), -ENOENT);
    assert_int_equal(open_it(w, SERVE_FILE_SNAPSHOT), -ENOENT);
    assert_int_equal(q->handle(&w->grants, w->args, WANTED_ID, &w->reply),
                     0); /* nothing is there */
}

/* The list has captures' own files, and neither snapshots nor anything else that lies there. */
static void files_are_listed(void **state)
{
    static const char *const others[] = {"short",
                                         NAME,
                                         NAME ".dat",
                                         NAME ".datax",
                                         "000102030405060708090A0B0C0D0E0F.data",
                                         "0001020304050607080 0a0b0c0d0e0f.data"};
    struct world *w = *state;
    const struct broker_request *q = &serve_control_requests[SERVE_LIST];
    uint8_t ids[2 * WANTED_ID];
    close(create(w, SERVE_FILE_MAIN));
    close(create(w, SERVE_FILE_SNAPSHOT));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        close(openat(w->grants.captures, others[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    const int fd = ask(w, q, SERVE_FILE_MAIN, 0);
    assert_int_equal(pread(fd, ids, sizeof(ids), 0), WANTED_ID);
    assert_memory_equal(ids, w->args, WANTED_ID);
    close(fd);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(unlinkat(w->grants.captures, others[i], 0), 0);
    }
    const struct serve_grants none = {.captures = -1};
    w->reply = (struct broker_reply){.fd = -1};
    assert_true(q->handle((void *)(uintptr_t)&none, w->args, 0, &w->reply) < 0);
    assert_non_null(strstr(w->reply.err.text, "cannot list"));
}

/* A name that leads elsewhere, or is of no regular file, is no capture's file. */
static void links_and_others_are_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(symlinkat("/etc/passwd", w->grants.captures, NAME ".data"), 0);
    assert_int_equal(open_it(w, SERVE_FILE_MAIN), -ELOOP);
    assert_int_equal(create(w, SERVE_FILE_MAIN), -ELOOP);
    assert_int_equal(unlinkat(w->grants.captures, NAME ".data", 0), 0);
    assert_int_equal(mkfifoat(w->grants.captures, NAME ".data", 0600), 0);
    assert_int_equal(create(w, SERVE_FILE_MAIN), -EINVAL);
}

static int memory_of(const void *bytes, size_t n)
{
    const int fd = memfd_create("program", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    return fd;
}

static void programs_are_looked_at(void **state)
{
    (void)state;
    const struct sock_filter good[] = {BPF_STMT(BPF_RET | BPF_K, 96)},
                             astray[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 200, 200),
                                         BPF_STMT(BPF_RET | BPF_K, 96)},
                             endless[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
    struct filter_prog p = {0};
    struct broker_reply reply = {.fd = -1};
    const struct broker_request *compile = &serve_data_requests[SERVE_COMPILE],
                                *check = &serve_control_requests[SERVE_CHECK];
    _cleanup_(closep) int a = memory_of(good, sizeof(good)), b = memory_of(astray, sizeof(astray)),
                          c = memory_of(endless, sizeof(endless)), d = memory_of("abc", 3),
                          e = memory_of("", 0);
    assert_int_equal(filter_of_memfd(a, &p), 0);
    assert_int_equal(p.n, 1);
    filter_done(&p);
    assert_int_equal(filter_of_memfd(b, &p), -EBADMSG);
    assert_int_equal(filter_of_memfd(c, &p), -EBADMSG);
    assert_int_equal(filter_of_memfd(d, &p), -EBADMSG);
    assert_int_equal(filter_of_memfd(e, &p), -EBADMSG);
    assert_null(compile->handle); /* it is for a child */
    assert_int_equal(compile->child(NULL, "udp port 53", 11, &reply), 0);
    assert_int_equal(filter_of_memfd(reply.fd, &p), 0);
    assert_true(p.n > 5);
    assert_int_equal(write(reply.fd, "x", 1), -1); /* sealed */
    filter_done(&p);
    close(reply.fd);
    reply = (struct broker_reply){.fd = -1};
    assert_int_equal(check->child(NULL, "udp prot 53", 11, &reply), -EINVAL);
    assert_non_null(strstr(reply.err.text, "syntax error"));
    assert_int_equal(check->child(NULL, "udp port 53", 11, &reply), 0);
}

static void speeds_of_ports_only(void **state)
{
    struct world *w = *state;
    const struct broker_request *q = &serve_data_requests[SERVE_SPEED];
    struct selection ports = {.word = {{"lo", NULL, false}}, .n_words = 1};
    const uint8_t unknown[8] = {0};
    w->grants.taps.interfaces.select = &ports;
    memset(w->args, 0, sizeof(w->args));
    memcpy(w->args, "lo", 2);
    w->reply = (struct broker_reply){.fd = -1};
    assert_int_equal(q->handle(&w->grants, w->args, INTERFACE_NAME_LEN, &w->reply), 0);
    assert_int_equal(w->reply.len, sizeof(unknown));
    assert_memory_equal(w->reply.data, unknown, sizeof(unknown));
    w->args[0] = 'x';
    assert_int_equal(q->handle(&w->grants, w->args, INTERFACE_NAME_LEN, &w->reply), -EINVAL);
    memset(w->args, 'x', INTERFACE_NAME_LEN); /* without an end */
    assert_int_equal(q->handle(&w->grants, w->args, INTERFACE_NAME_LEN, &w->reply), -EINVAL);
}

static int read_again(void *user, int *ret_fd, struct error *err)
{
    (void)err;
    *ret_fd = dup(*(int *)user);
    return 0;
}

static void settings_are_given(void **state)
{
    struct world *w = *state;
    static const struct broker_request *const both[] = {
        &serve_data_requests[SERVE_DATA_SETTINGS], &serve_control_requests[SERVE_CONTROL_SETTINGS]};
    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        w->grants.reload = (struct reload_grant){0};
        assert_int_equal(ask(w, both[i], 0, 0), -ENOENT);
        w->grants.reload = (struct reload_grant){read_again, &w->grants.captures};
        const int fd = ask(w, both[i], 0, 0);
        assert_true(fd >= 0);
        close(fd);
    }
    char text[8] = "";
    w->grants.others = "abcdef";
    w->grants.others_len = 6;
    const int fd = ask(w, &serve_control_requests[SERVE_OTHER_SETTINGS], 0, 0);
    assert_int_equal(pread(fd, text, sizeof(text), 0), 6);
    assert_string_equal(text, "abcdef");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_known_by_its_id, begin, end),
        cmocka_unit_test_setup_teardown(a_snapshot_begins_anew, begin, end),
        cmocka_unit_test_setup_teardown(both_files_go, begin, end),
        cmocka_unit_test_setup_teardown(files_are_listed, begin, end),
        cmocka_unit_test_setup_teardown(links_and_others_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(settings_are_given, begin, end),
        cmocka_unit_test_setup_teardown(speeds_of_ports_only, begin, end),
        cmocka_unit_test(programs_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
