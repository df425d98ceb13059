/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests about tap flows, as the broker carries them out for an engine that lies in every
 * field: none of them reaches an interface that the command line does not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/batch.h"
#include "base/bytes.h"
#include "node/filter_memfd.h"
#include "node/serve_requests.h"

enum {
    DIR_AT = 64,
    FLAGS_AT = 65,
    NUMBER_AT = 66,
    PUT_LEN = 68,
};

struct world {
    struct selection select;
    struct serve_grants grants;
    struct broker_reply reply;
    uint8_t args[BROKER_ARGS_MAX];
    size_t len;
};

/* A broker of a command line that has mon0 and web*. */
static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->select = (struct selection){
        .word = {{"mon0", NULL, false}, {"web*", "web*", false}}, .n_words = 2, .take_links = true};
    w->grants.taps.interfaces.select = &w->select;
    w->grants.captures = -1;
    assert_int_equal(mirror_new(-1, &w->grants.taps.mirror), 0);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    mirror_free(w->grants.taps.mirror);
    free(w);
    return 0;
}

/* As the broker does it: a length beyond the row's bounds comes to no handler. */
static int ask(struct world *w, enum mirror_request request)
{
    const struct broker_request *q = &serve_data_requests[request];
    broker_handler *handle = q->handle ? q->handle : q->child;
    w->reply = (struct broker_reply){.fd = -1};
    assert_non_null(handle);
    if (w->len < q->args_min || w->len > q->args_max) {
        return -EMSGSIZE;
    }
    return handle(&w->grants, w->args, w->len, &w->reply);
}

static void check_refused(struct world *w, enum mirror_request request, int r, const char *words)
{
    const int is = ask(w, request);
    if (is != r || !strstr(w->reply.err.text, words)) {
        fail_msg("%d \"%s\", and not %d \"%s\"", is, w->reply.err.text, r, words);
    }
}

static void put_name(struct wr *w, const char *name)
{
    char bytes[IFNAMSIZ] = {0};
    (void)snprintf(bytes, sizeof(bytes), "%s", name);
    wr_copy(w, bytes, sizeof(bytes));
}

/* A flow of the id {1} from web0 to mon0. */
static void say_put(struct world *w, const char *source, const char *destination, uint16_t n_filter)
{
    static const uint8_t id[WANTED_ID] = {1}, service[WANTED_ID] = {2};
    struct wr wr = wr_make(w->args, sizeof(w->args));
    wr_copy(&wr, id, sizeof(id));
    wr_copy(&wr, service, sizeof(service));
    put_name(&wr, source);
    put_name(&wr, destination);
    wr_u8(&wr, FRAME_DIR_IN);
    wr_u8(&wr, 0);
    wr_u16(&wr, n_filter);
    w->len = wr_len(&wr);
    assert_int_equal(w->len, PUT_LEN);
}

static void say_code(struct world *w, uint16_t at, const struct sock_filter *code, size_t bytes)
{
    static const uint8_t id[WANTED_ID] = {1};
    struct wr wr = wr_make(w->args, sizeof(w->args));
    wr_copy(&wr, id, sizeof(id));
    wr_u16(&wr, at);
    wr_copy(&wr, code, bytes);
    w->len = wr_len(&wr);
}

static uint8_t state_of(struct world *w, uint8_t number)
{
    memset(w->args, 0, WANTED_ID);
    w->args[0] = number;
    w->len = WANTED_ID;
    assert_int_equal(ask(w, MIRROR_IS), 0);
    assert_true(w->reply.len >= 1);
    return w->reply.data[0];
}

/* ---- flows ---- */

static void names_are_those_of_the_command_line(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {"eth0", "lo", "", "mon", "mon00", "MON0", "xweb0", "*"};
    say_put(w, "web0", "mon0", 0);
    assert_int_equal(ask(w, MIRROR_PUT), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        say_put(w, bad[i], "mon0", 0);
        check_refused(w, MIRROR_PUT, -EINVAL, "the command line names no such interface");
        say_put(w, "web0", bad[i], 0);
        check_refused(w, MIRROR_PUT, -EINVAL, "the command line names no such interface");
        struct wr wr = wr_make(w->args, sizeof(w->args));
        put_name(&wr, bad[i]);
        w->len = IFNAMSIZ;
        check_refused(w, MIRROR_FACES, -EINVAL, "the command line names no such interface");
    }
    say_put(w, "web0", "mon0", 0);
    memset(w->args + 2 * WANTED_ID, 'w', IFNAMSIZ); /* no end */
    check_refused(w, MIRROR_PUT, -EINVAL, "no such interface");
    memset(w->args, 'w', IFNAMSIZ);
    w->len = IFNAMSIZ;
    check_refused(w, MIRROR_FACES, -EINVAL, "no such interface");
    say_put(w, "mon0", "mon0", 0);
    check_refused(w, MIRROR_PUT, -EINVAL, "cannot be tapped to itself");
}

static void a_flow_has_one_form(void **state)
{
    struct world *w = *state;
    static const struct {
        size_t at;
        uint8_t byte;
        size_t len;
    } wrong[] = {
        {DIR_AT, 3, PUT_LEN},         {DIR_AT, 255, PUT_LEN},
        {FLAGS_AT, 1, PUT_LEN},       /* VLANs that are not there */
        {FLAGS_AT, 1, PUT_LEN + 511}, /* … not all of them */
        {FLAGS_AT, 0, PUT_LEN + 512}, /* VLANs of which nothing is said */
        {FLAGS_AT, 0, PUT_LEN + 1},   {FLAGS_AT, 4, PUT_LEN},
        {FLAGS_AT, 128, PUT_LEN},     {NUMBER_AT, 0x10, PUT_LEN + 1},
        {NUMBER_AT, 0xff, PUT_LEN}, /* more instructions than a filter has */
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        say_put(w, "web0", "mon0", 0);
        memset(w->args + PUT_LEN, 0, 600);
        w->args[wrong[i].at] = wrong[i].byte;
        w->len = wrong[i].len;
        check_refused(w, MIRROR_PUT, -EINVAL, "that is no flow");
    }
    assert_int_equal(state_of(w, 1), 0);
    say_put(w, "web0", "mon0", 0);
    for (w->len = 0; w->len < PUT_LEN; w->len++) {
        assert_int_equal(ask(w, MIRROR_PUT), -EMSGSIZE);
    }
    w->len = PUT_LEN + 513;
    assert_int_equal(ask(w, MIRROR_PUT), -EMSGSIZE);
    say_put(w, "web0", "mon0", 0);
    w->args[FLAGS_AT] = 1;
    w->len = PUT_LEN + 512;
    assert_int_equal(ask(w, MIRROR_PUT), 0);
    assert_int_not_equal(state_of(w, 1), 0);
}

/* ---- filters ---- */

static void a_filter_comes_as_it_was_foretold(void **state)
{
    struct world *w = *state;
    static const struct sock_filter take[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
                                              BPF_STMT(BPF_RET | BPF_K, 1)},
                                    jump[] = {BPF_JUMP(BPF_JMP | BPF_JA, 7, 0, 0),
                                              BPF_STMT(BPF_RET | BPF_K, 1)};
    say_code(w, 0, take, sizeof(*take));
    check_refused(w, MIRROR_CODE, -ENOENT, "no filter is waited for");
    say_put(w, "web0", "mon0", 2);
    assert_int_equal(ask(w, MIRROR_PUT), 0);
    say_code(w, 1, take + 1, sizeof(*take)); /* the second before the first */
    check_refused(w, MIRROR_CODE, -EINVAL, "in another order");
    say_code(w, 0, take, 3 * sizeof(*take) / 2); /* one and a half */
    check_refused(w, MIRROR_CODE, -EINVAL, "these are no instructions");
    say_code(w, 0, take, sizeof(*take));
    assert_int_equal(ask(w, MIRROR_CODE), 0);
    check_refused(w, MIRROR_CODE, -EINVAL, "in another order"); /* twice the same */
    say_code(w, 1, take, sizeof(take));                         /* more than were foretold */
    check_refused(w, MIRROR_CODE, -EINVAL, "in another order");
    say_code(w, 1, take + 1, sizeof(*take));
    assert_int_equal(ask(w, MIRROR_CODE), 0);
    check_refused(w, MIRROR_CODE, -ENOENT, "no filter is waited for");
    say_put(w, "web0", "mon0", 2);
    assert_int_equal(ask(w, MIRROR_PUT), 0);
    say_code(w, 0, jump, sizeof(jump));
    check_refused(w, MIRROR_CODE, -EINVAL, "the filter is none");
    say_code(w, 0, NULL, 0);
    assert_int_equal(ask(w, MIRROR_CODE), -EMSGSIZE);
    w->len = 18 + 8 * MIRROR_CODE_MAX + 8;
    assert_int_equal(ask(w, MIRROR_CODE), -EMSGSIZE);
}

static void a_filter_is_compiled_or_refused(void **state)
{
    struct world *w = *state;
    struct filter_prog p = {0};
    struct error err = {""};
    if (filter_keep(&err) < 0) { /* which the broker has done before it makes children */
        print_message("%s\n", err.text);
        skip();
    }
    w->len = (size_t)snprintf((char *)w->args, sizeof(w->args), "udp port 53");
    assert_int_equal(ask(w, MIRROR_COMPILE), 0);
    assert_int_equal(filter_of_memfd(w->reply.fd, &p), 0);
    assert_true(p.n > 3);
    filter_done(&p);
    close(w->reply.fd);
    w->len = (size_t)snprintf((char *)w->args, sizeof(w->args), "udp port nonsense");
    assert_true(ask(w, MIRROR_COMPILE) < 0);
    assert_int_equal(w->reply.fd, -1);
    assert_true(w->reply.err.text[0] != '\0');
    memset(w->args, ' ', sizeof(w->args));
    w->len = WANTED_FILTER;
    assert_int_equal(ask(w, MIRROR_COMPILE), -EMSGSIZE);
    w->len = 0;
    assert_int_equal(ask(w, MIRROR_COMPILE), -EMSGSIZE);
    /* More instructions than the kernel takes. */
    size_t n = (size_t)snprintf((char *)w->args, sizeof(w->args), "port 1");
    for (unsigned i = 0; n < WANTED_FILTER - 20; i++) {
        n += (size_t)snprintf((char *)w->args + n, sizeof(w->args) - n, " or port %u", 2 + i * 7);
    }
    w->len = n;
    const int r = ask(w, MIRROR_COMPILE);
    if (r == 0) {
        close(w->reply.fd);
    } else {
        assert_int_equal(r, -E2BIG);
        assert_non_null(strstr(w->reply.err.text, "too long"));
    }
}

/* ---- the others ---- */

static void before_it_is_ready_nothing_is_taken(void **state)
{
    struct world *w = *state;
    static const enum mirror_request requests[] = {MIRROR_PUT, MIRROR_ROUND, MIRROR_APPLY,
                                                   MIRROR_IS};
    mirror_free(TAKE_PTR(w->grants.taps.mirror));
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        say_put(w, "web0", "mon0", 0);
        w->len = requests[i] == MIRROR_PUT     ? PUT_LEN
                 : requests[i] == MIRROR_ROUND ? 1
                 : requests[i] == MIRROR_APPLY ? 0
                                               : WANTED_ID;
        check_refused(w, requests[i], -EINVAL, "nobody has asked whether it can be done");
    }
    w->len = WANTED_ID;
    assert_int_equal(ask(w, MIRROR_DROP), 0); /* there is none to give up */
}

static void ids_that_nobody_knows_are_told(void **state)
{
    struct world *w = *state;
    say_put(w, "web0", "mon0", 0);
    assert_int_equal(ask(w, MIRROR_PUT), 0);
    assert_int_equal(state_of(w, 9), 0);
    assert_int_equal(w->reply.len, 1);
    memset(w->args, 0, sizeof(w->args));
    w->args[WANTED_ID] = 1; /* the second of MIRROR_ASKED */
    w->len = WANTED_ID * MIRROR_ASKED;
    assert_int_equal(ask(w, MIRROR_IS), 0);
    assert_int_equal(w->reply.data[0], 0);
    assert_int_not_equal(w->reply.data[1], 0);
    w->len = WANTED_ID * MIRROR_ASKED - 1;
    check_refused(w, MIRROR_IS, -EINVAL, "that is no list of ids");
    w->len = WANTED_ID * MIRROR_ASKED + 1;
    assert_int_equal(ask(w, MIRROR_IS), -EMSGSIZE);
    w->args[0] = 9;
    w->len = WANTED_ID;
    assert_int_equal(ask(w, MIRROR_DROP), 0); /* of none */
    assert_int_not_equal(state_of(w, 1), 0);
    w->args[0] = 1;
    w->len = WANTED_ID;
    assert_int_equal(ask(w, MIRROR_DROP), 0);
    assert_int_equal(state_of(w, 1), 0);
}

static void a_round_ends_what_was_not_told_in_it(void **state)
{
    struct world *w = *state;
    say_put(w, "web0", "mon0", 2); /* half told */
    assert_int_equal(ask(w, MIRROR_PUT), 0);
    w->args[0] = 0;
    w->len = 1;
    assert_int_equal(ask(w, MIRROR_ROUND), 0);
    assert_int_not_equal(state_of(w, 1), 0);
    w->args[0] = 255; /* anything but 0 */
    w->len = 1;
    assert_int_equal(ask(w, MIRROR_ROUND), 0);
    assert_int_equal(state_of(w, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
        T(names_are_those_of_the_command_line),  T(a_flow_has_one_form),
        T(a_filter_comes_as_it_was_foretold),    T(a_filter_is_compiled_or_refused),
        T(before_it_is_ready_nothing_is_taken),  T(ids_that_nobody_knows_are_told),
        T(a_round_ends_what_was_not_told_in_it),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
