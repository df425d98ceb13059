/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server and clients that are slow, leave, or are many: each gets what it may have, and
 * nothing of it is left behind.
 */
#include <grp.h>
#include <sys/wait.h>

#include "sys/test_http_world.h"

static char got[4 << 20];

/* ---- slow ones ---- */

/* Waits until the other end has closed, for at most that time. */
static bool ends_within(int fd, int ms)
{
    struct pollfd p = {fd, POLLRDHUP, 0};
    return poll(&p, 1, ms) > 0;
}

/* A byte now and then holds no connection, wherever in a request it is. */
static void slow_senders_end(void **state)
{
    struct world *w = *state;
    static const char *const begun[] = {"", "GET /slow HTTP/1.1\r\nHost: x\r\nX-Filler: ",
                                        "POST / HTTP/1.1\r\nContent-Length: 1000\r\n" KEEP};
    for (unsigned i = 0; i < ARRAY_SIZE(begun); i++) {
        const int fd = dial(w, i % 2);
        const struct mono began = mono_now();
        bool over = false;
        (void)send(fd, begun[i], strlen(begun[i]), MSG_NOSIGNAL);
        while (!over) {
            over = send(fd, "a", 1, MSG_NOSIGNAL) != 1 || ends_within(fd, REQUEST_MS / 10);
            assert_true(mono_diff(mono_now(), began) < DEADLINE_MS * NSEC_PER_MSEC);
        }
        assert_true(mono_diff(mono_now(), began) >= (int64_t)REQUEST_MS * NSEC_PER_MSEC * 9 / 10);
        close(fd);
    }
    assert_int_equal(w->asked, 0);
    wait_open(w, 0);
}

/* The time between two requests is not that of the second one. */
static void a_later_request_has_its_time(void **state)
{
    struct world *w = *state;
    const int fd = dial(w, false);
    say(fd, "GET /first HTTP/1.1\r\n" KEEP);
    (void)hear(fd, got, sizeof(got), "hello");
    assert_false(ends_within(fd, REQUEST_MS * 2 / 3));
    say(fd, "GET /second HTTP/1.1\r\n");
    assert_false(ends_within(fd, REQUEST_MS * 2 / 3));
    say(fd, KEEP);
    (void)hear(fd, got, sizeof(got), "hello");
    assert_true(begins(got, "HTTP/1.1 200 "));
    assert_true(ends_within(fd, DEADLINE_MS)); /* nor is one that is idle held */
    close(fd);
}

/* Nobody takes the answer: the connection ends, and what it held is free. */
static void slow_takers_end(void **state)
{
    struct world *w = *state;
    const int small = 4096;
    const unsigned files = count_files();
    static const char *const targets[] = {"GET /large HTTP/1.1\r\n" CLOSE,
                                          "GET /text HTTP/1.1\r\n" CLOSE};
    for (unsigned i = 0; i < 3; i++) { /* a text is less than TCP keeps */
        const bool local = i != 0;
        const int fd = dial(w, local);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        say(fd, targets[i / 2]);
        wait_for(&w->asked, i + 1);
        wait_open(w, 0);
        close(fd);
    }
    assert_int_equal(count_files(), files);
}

/* A taker that is slow, but takes, gets all of it, however long that lasts. */
static void slow_takers_are_waited_for(void **state)
{
    struct world *w = *state;
    static const char *const targets[] = {"GET /file HTTP/1.1\r\n" CLOSE,
                                          "GET /text HTTP/1.1\r\n" CLOSE};
    const int64_t all_ns = 3 * STILL_MS * NSEC_PER_MSEC;
    int fd[4];
    int64_t len[ARRAY_SIZE(fd)] = {0};
    const struct mono began = mono_now();
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        fd[i] = dial(w, i % 2);
        say(fd[i], targets[i / 2]);
    }
    for (unsigned open = 1; open > 0; (void)poll(NULL, 0, 5)) {
        const int64_t at = mono_diff(mono_now(), began);
        open = 0;
        for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
            const int64_t may = FILE_LEN / 1000 * (at * 1000 / all_ns) - len[i];
            const ssize_t n = may > 0 ? recv(fd[i], got, (size_t)may, MSG_DONTWAIT) : 1;
            assert_true(n >= 0 || errno == EAGAIN);
            len[i] += may > 0 && n > 0 ? n : 0;
            open += n != 0;
        }
        assert_true(at < DEADLINE_MS * NSEC_PER_MSEC);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        assert_true(len[i] > (i / 2 ? FILE_LEN : FILE_LEN - 2000));
        close(fd[i]);
    }
}

/* A body may wait for longer than an answer may stand still, and goes on whenever there is more,
 * also where the server looks at its connections just then. */
static void a_body_waits_as_long_as_it_must(void **state)
{
    struct world *w = *state;
    int fd[2];
    for (unsigned i = 0; i < 2; i++) {
        fd[i] = dial(w, i);
        say(fd[i], "GET /body HTTP/1.1\r\n" CLOSE);
        (void)hear(fd[i], got, sizeof(got), "part\n");
        wait_for(&w->body[i].reads, 2);
    }
    assert_false(ends_within(fd[0], STILL_MS * 3 / 2));
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&w->body[i].allowed, BODY_PARTS);
        atomic_store(&w->body[i].told, true);
    }
    atomic_store(&w->busy_ms, STILL_MS / 2);
    go(w);
    for (unsigned i = 0; i < 2; i++) {
        (void)hear(fd[i], got, sizeof(got), NULL);
        assert_string_equal(got, "5\r\npart\n\r\n5\r\npart\n\r\n0\r\n\r\n");
        close(fd[i]);
    }
}

/* ---- those that leave ---- */

struct phase {
    const char *said;
    unsigned asked;    /* so many requests have reached the program then */
    bool reads;        /* the client has read something of its answer */
    bool gone, bodied; /* the call is told of; a body was free */
};

static const struct phase phases[] = {
    {"", 0, false, false, false},
    {"GET /x", 0, false, false, false},
    {"GET /x HTTP/1.1\r\nHost: x\r\nX-Ha", 0, false, false, false},
    {"POST /x HTTP/1.1\r\nContent-Length: 100\r\n" KEEP "half", 0, false, false, false},
    {"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" KEEP "9\r\nhalf", 0, false, false, false},
    {"GET /later HTTP/1.1\r\n" KEEP, 1, false, true, false},
    {"GET /later HTTP/1.1\r\n" KEEP "GET /y HTTP/1.1\r\n" KEEP, 1, false, true, false},
    {"GET /body HTTP/1.1\r\n" KEEP, 1, true, false, true},
    {"GET /body HTTP/1.1\r\n" KEEP "GET /y HTTP/1.1\r\n" KEEP, 1, true, false, true},
    {"GET /large HTTP/1.1\r\n" KEEP, 1, true, false, false},
    {"GET /text HTTP/1.1\r\n" KEEP, 1, true, false, false},
    {"GET /x HTTP/1.1\r\n" KEEP, 1, true, false, false},
};

/* By a reset or in order. */
static void leave(int fd, bool reset)
{
    const struct linger hard = {.l_onoff = 1};
    if (reset) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    }
    close(fd);
}

static void whoever_leaves_leaves_nothing(void **state)
{
    struct world *w = *state;
    const unsigned files = count_files();
    unsigned asked = 0, gone = 0, freed = 0;
    for (unsigned i = 0; i < 4 * ARRAY_SIZE(phases); i++) {
        const struct phase *p = &phases[i / 4];
        const int fd = dial(w, i % 2);
        say(fd, p->said);
        if (p->reads) {
            assert_true(recv(fd, got, 30, 0) > 0);
        }
        wait_for(&w->asked, asked += p->asked);
        wait_open(w, 1);
        leave(fd, i % 4 >= 2);
        wait_open(w, 0);
        assert_int_equal(w->gone, gone += p->gone);
        assert_int_equal(w->bodies_freed, freed += p->bodied);
        assert_int_equal(w->asked, asked);
        assert_null(w->later);
    }
    assert_int_equal(count_files(), files);
}

/* The server ends in the midst of everything: what it had is told of and free. */
static void the_server_may_end_at_any_time(void **state)
{
    struct world *w = NULL;
    const unsigned files = count_files();
    int fd[ARRAY_SIZE(phases)];
    bool later = false; /* one such call is kept */
    (void)state;
    begin_patient((void **)&w);
    for (unsigned i = 0; i < ARRAY_SIZE(phases); i++) {
        const bool is_later = strstr(phases[i].said, "/later") != NULL;
        fd[i] = dial(w, i % 2);
        say(fd[i], is_later && later ? "" : phases[i].said);
        later |= is_later;
    }
    wait_open(w, ARRAY_SIZE(phases));
    wait_for(&w->asked, 6);
    end((void **)&w); /* looks whether the bodies are free */
    for (unsigned i = 0; i < ARRAY_SIZE(phases); i++) {
        close(fd[i]);
    }
    assert_int_equal(count_files(), files);
}

/* ---- many ---- */

enum {
    MANY = 300,
};

/* How many of those connections are served; the others are turned away in words. */
static unsigned count_served(const int *fd, unsigned n)
{
    unsigned served = 0;
    for (unsigned i = 0; i < n; i++) {
        if (hear(fd[i], got, sizeof(got), "hello") > 0 && begins(got, "HTTP/1.1 200 ")) {
            served++;
            continue;
        }
        assert_true(begins(got, "HTTP/1.1 503 "));
        assert_non_null(strstr(got, "Retry-After: 1\r\n"));
        assert_non_null(
            strstr(got, "\"title\":\"there are too many connections\",\"status\":503,\"detail\":"));
    }
    return served;
}

/* A connection that is turned away may be closed before that is sent. */
static void greet(int fd)
{
    (void)send(fd, "GET /x HTTP/1.1\r\n" KEEP, 28, MSG_NOSIGNAL);
}

static void one_address_has_its_share(void **state)
{
    struct world *w = *state;
    int fd[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = dial_from(w, 1);
        greet(fd[i]);
    }
    assert_int_equal(count_served(fd, MANY), HTTP_OF_ADDRESS);
    const int other = dial_from(w, 2), local = dial(w, true);
    greet(other);
    greet(local);
    assert_int_equal(count_served((const int[]){other, local}, 2), 2);
    close(other);
    close(local);
    for (unsigned i = 0; i < MANY; i++) {
        close(fd[i]);
    }
    wait_open(w, 0);
    ask(w, false, "GET /y HTTP/1.1\r\n" CLOSE, got, sizeof(got)); /* there is room again */
    assert_true(begins(got, "HTTP/1.1 200 "));
}

static void all_are_bounded(void **state)
{
    struct world *w = *state;
    int fd[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        fd[i] = dial_from(w, 1 + i % (MANY / 25)); /* 25 of each */
        greet(fd[i]);
    }
    assert_int_equal(count_served(fd, MANY), HTTP_CONNECTIONS);
    for (unsigned i = 0; i < MANY; i++) {
        close(fd[i]);
    }
    wait_open(w, 0);
}

/* Runs as another user until `until` is closed: takes all that it gets by the Unix socket. */
static void take_all(const struct world *w, int ready, int until)
{
    char c;
    if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0) {
        _exit(1);
    }
    for (unsigned i = 0; i < 2 * HTTP_OF_ADDRESS; i++) {
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)&w->local_at, sizeof(w->local_at)) < 0) {
            _exit(1);
        }
        greet(fd);
        (void)recv(fd, &c, 1, 0);
    }
    close(ready);
    (void)!read(until, &c, 1);
    _exit(0);
}

/* A user of this host cannot keep another one from the Unix socket. */
static void one_user_has_their_share(void **state)
{
    struct world *w = *state;
    int ready[2], until[2], status = -1;
    char c;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(until, O_CLOEXEC), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(until[1]);
        take_all(w, ready[1], until[0]);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 0);
    wait_open(w, HTTP_OF_ADDRESS);
    ask(w, true, "GET /y HTTP/1.1\r\n" CLOSE, got, sizeof(got));
    assert_true(begins(got, "HTTP/1.1 200 "));
    close(until[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ready[0]);
    close(until[0]);
    wait_open(w, 0);
}

#define LIVING(test) cmocka_unit_test_setup_teardown(test, begin_patient, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slow_senders_end, begin, end),
        cmocka_unit_test_setup_teardown(a_later_request_has_its_time, begin, end),
        LIVING(slow_takers_end),
        LIVING(slow_takers_are_waited_for),
        LIVING(a_body_waits_as_long_as_it_must),
        LIVING(whoever_leaves_leaves_nothing),
        cmocka_unit_test(the_server_may_end_at_any_time),
        LIVING(one_address_has_its_share),
        LIVING(all_are_bounded),
        LIVING(one_user_has_their_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
