/* SPDX-License-Identifier: Apache-2.0
 *
 * With look-ups of the test's own in the child: no name server is asked. As root the child is seen
 * to become nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "sys/resolve.h"

enum {
    NOBODY = 65534,
};

static struct resolve_conf conf_with(resolve_lookup_fn *fn)
{
    return (struct resolve_conf){
        .child = {.change_ids = geteuid() == 0, .uid = NOBODY, .gid = NOBODY}, .lookup = fn};
}

static int resolve(resolve_lookup_fn *fn, const char *host, int ms, struct sockaddr_storage ret[],
                   size_t *ret_n, struct error *err)
{
    struct resolve_conf conf = conf_with(fn);
    return resolve_host(&conf, host, 1234, mono_add_ms(mono_now(), ms), ret, RESOLVE_MAX, ret_n,
                        err);
}

static const char *show(const struct sockaddr_storage *ss)
{
    static char text[80];
    char host[64], port[8];
    socklen_t len =
        ss->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    assert_int_equal(getnameinfo((const struct sockaddr *)ss, len, host, sizeof(host), port,
                                 sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV),
                     0);
    snprintf(text, sizeof(text), "%s %s", host, port);
    return text;
}

static int never(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    (void)host, (void)ret, (void)ret_n;
    _exit(9);
}

static void numbers_need_no_child(void **state)
{
    (void)state;
    struct sockaddr_storage ss[RESOLVE_MAX];
    size_t n = 0;
    assert_int_equal(resolve(never, "192.0.2.1", 0, ss, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(show(&ss[0]), "192.0.2.1 1234");
    assert_int_equal(resolve(never, "2001:db8::7", 0, ss, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(show(&ss[0]), "2001:db8::7 1234");
    assert_int_equal(resolve(never, "fe80::1%lo", 0, ss, &n, NULL), 0);
    assert_string_equal(show(&ss[0]), "fe80::1%lo 1234");
}

static void put_number(struct sockaddr_storage *ss, int family, uint8_t number)
{
    if (family == AF_INET) {
        *(struct sockaddr_in *)ss =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(0xc6336400u | number)}};
    } else {
        *(struct sockaddr_in6 *)ss = (struct sockaddr_in6){.sin6_family = AF_INET6};
        ((struct sockaddr_in6 *)ss)->sin6_addr.s6_addr[15] = number;
    }
}

/* "664" and so on: addresses of these families, numbered from 1. */
static int of_families(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    *ret_n = strlen(host) - 1;
    for (size_t i = 0; i < *ret_n; i++) {
        put_number(&ret[i], host[i + 1] == '4' ? AF_INET : AF_INET6, (uint8_t)(i + 1));
    }
    return 0;
}

/* Whatever the resolver prefers, the second try is of the other family. */
static void families_take_turns(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"x6644", "1324"}, {"x666664", "162345"}, {"x46", "12"},     {"x44446", "15234"},
        {"x666", "123"},   {"x4", "1"},           {"x4466", "1324"}, {"x646464", "123456"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sockaddr_storage ss[RESOLVE_MAX];
        size_t n = 0;
        assert_int_equal(resolve(of_families, cases[i][0], 5000, ss, &n, NULL), 0);
        assert_int_equal(n, strlen(cases[i][1]));
        for (size_t k = 0; k < n; k++) {
            uint8_t number = ss[k].ss_family == AF_INET
                                 ? (uint8_t)ntohl(((struct sockaddr_in *)&ss[k])->sin_addr.s_addr)
                                 : ((struct sockaddr_in6 *)&ss[k])->sin6_addr.s6_addr[15];
            assert_int_equal(number, cases[i][1][k] - '0');
        }
    }
}

static int both(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ret[0];
    struct sockaddr_in *four = (struct sockaddr_in *)&ret[1];
    if (strcmp(host, "both.example") != 0) {
        return EAI_FAIL;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = 77; /* must not come through */
    inet_pton(AF_INET6, "2001:db8::1", &six->sin6_addr);
    four->sin_family = AF_INET;
    inet_pton(AF_INET, "198.51.100.9", &four->sin_addr);
    *ret_n = 2;
    return 0;
}

static void names_are_answered_in_order(void **state)
{
    (void)state;
    struct sockaddr_storage ss[RESOLVE_MAX];
    struct resolve_conf conf = conf_with(both);
    size_t n = 0;
    assert_int_equal(resolve(both, "both.example", 10000, ss, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_string_equal(show(&ss[0]), "2001:db8::1 1234");
    assert_string_equal(show(&ss[1]), "198.51.100.9 1234");
    assert_int_equal(
        resolve_host(&conf, "both.example", 5, mono_add_ms(mono_now(), 10000), ss, 1, &n, NULL), 0);
    assert_int_equal(n, 1);
}

static int no_name(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    (void)host, (void)ret;
    *ret_n = 3; /* must not matter */
    return EAI_NONAME;
}

static int no_server(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    (void)host, (void)ret, (void)ret_n;
    return EAI_AGAIN;
}

static int no_system(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    (void)host, (void)ret, (void)ret_n;
    errno = ENFILE;
    return EAI_SYSTEM;
}

static int nothing_found(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    (void)host, (void)ret;
    *ret_n = 0;
    return 0; /* a success without an address */
}

static int hang(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    (void)host, (void)ret, (void)ret_n;
    poll(NULL, 0, -1);
    return 0;
}

static void failures_have_a_sentence(void **state)
{
    (void)state;
    static const struct {
        resolve_lookup_fn *fn;
        int code;
        const char *words;
    } cases[] = {
        {no_name, -ENOENT, "cannot resolve \"x.example\": Name or service not known"},
        {no_server, -EAGAIN, "cannot resolve \"x.example\": Temporary failure in name resolution"},
        {no_system, -ENFILE, "cannot resolve \"x.example\": Too many open files in system"},
        {never, -EBADMSG, "cannot resolve \"x.example\": the resolver failed"},
        {nothing_found, -EBADMSG, "cannot resolve \"x.example\": the resolver failed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sockaddr_storage ss[RESOLVE_MAX];
        struct error err = {""};
        size_t n = 55;
        assert_int_equal(resolve(cases[i].fn, "x.example", 10000, ss, &n, &err), cases[i].code);
        assert_string_equal(err.text, cases[i].words);
        assert_int_equal(n, 55);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void the_deadline_holds(void **state)
{
    (void)state;
    struct sockaddr_storage ss[RESOLVE_MAX];
    struct error err = {""};
    size_t n = 0;
    struct mono start = mono_now();
    assert_int_equal(resolve(hang, "x.example", 50, ss, &n, &err), -ETIMEDOUT);
    assert_true(mono_diff(mono_now(), start) >= 50 * NSEC_PER_MSEC);
    assert_true(mono_diff(mono_now(), start) < 10 * NSEC_PER_SEC);
    assert_string_equal(err.text, "cannot resolve \"x.example\": no answer in time");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(resolve(hang, "", 50, ss, &n, &err), -EINVAL);
}

/* The child tells by the address that it gives what it is: without privileges, nobody, without our
 * descriptors, and without a core file when it crashes. */
static int what_am_i(const char *host, struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n)
{
    char text[4096] = "";
    _cleanup_(fclosep) FILE *f = fopen("/proc/self/status", "re");
    int known = (int)strtol(host, NULL, 10);
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = '\0';
    bool nothing = strstr(text, "CapEff:\t0000000000000000\n") && strstr(text, "NoNewPrivs:\t1\n");
    bool somebody = strstr(text, "Uid:\t65534\t65534\t65534\t65534\n") != NULL;
    bool closed = fcntl(known, F_GETFD) < 0 && errno == EBADF;
    struct rlimit core = {1, 1};
    bool mute = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
    struct sockaddr_in *four = (struct sockaddr_in *)&ret[0];
    four->sin_family = AF_INET;
    four->sin_addr.s_addr = htonl((uint32_t)(nothing | somebody << 1 | closed << 2 | mute << 3));
    *ret_n = 1;
    return 0;
}

static void the_child_has_nothing(void **state)
{
    (void)state;
    struct sockaddr_storage ss[RESOLVE_MAX];
    char host[32];
    size_t n = 0;
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 50); /* as a ring that the broker holds */
    assert_true(fd >= 50);
    snprintf(host, sizeof(host), "%d.fd.example", fd);
    assert_int_equal(resolve(what_am_i, host, 10000, ss, &n, NULL), 0);
    assert_string_equal(show(&ss[0]),
                        geteuid() == 0 || geteuid() == NOBODY ? "0.0.0.15 1234" : "0.0.0.13 1234");
    close(fd);
}

/* In the broker, behind its wall, with the real look-up: the name comes from /etc/hosts. */
static void works_behind_the_brokers_wall(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        const int caps[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};
        struct sockaddr_storage ss[RESOLVE_MAX];
        struct error err = {""};
        size_t n = 0;
        int r = sandbox_confine_broker(caps, ARRAY_SIZE(caps), &err);
        if (r >= 0) {
            r = resolve(NULL, "localhost", 10000, ss, &n, &err);
        }
        if (r < 0 || n == 0) {
            fprintf(stderr, "%s\n", err.text);
            _exit(1);
        }
        r = resolve(NULL, "does-not-exist.invalid", 10000, ss, &n, &err);
        if (r >= 0 || resolve(hang, "x", 50, ss, &n, &err) != -ETIMEDOUT) {
            _exit(2);
        }
        _exit(waitpid(-1, NULL, WNOHANG) == -1 ? 0 : 3);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void hostile_answers(void **state)
{
    (void)state;
    struct resolve_answer a = {.n = 1}, got;
    uint8_t ok[RESOLVE_ANSWER_LEN], bad[RESOLVE_ANSWER_LEN + 1] = {0};
    a.addr[0].ss_family = AF_INET;
    resolve_answer_put(ok, &a);
    assert_int_equal(resolve_answer_get(ok, sizeof(ok), &got), 0);
    assert_int_equal(resolve_answer_get(ok, sizeof(ok) - 1, &got), -EBADMSG);
    assert_int_equal(resolve_answer_get(bad, sizeof(bad), &got), -EBADMSG);
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{1, 0},  {1, 17}, {1, 2},  {0, 1},  {2, 0xff}, {7, 1},
                 {4, 80}, {9, 5},  {11, 1}, {15, 1}, {20, 1},   {RESOLVE_ANSWER_LEN - 1, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memcpy(bad, ok, sizeof(ok));
        bad[cases[i].at] = cases[i].value;
        assert_int_equal(resolve_answer_get(bad, sizeof(ok), &got), -EBADMSG);
    }
    static const int errors[] = {ENFILE, -1, INT32_MIN, INT32_MAX}; /* the first is one */
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        a = (struct resolve_answer){.gai = EAI_SYSTEM, .code = errors[i]};
        resolve_answer_put(ok, &a);
        assert_int_equal(resolve_answer_get(ok, sizeof(ok), &got), i == 0 ? 0 : -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_need_no_child),
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(names_are_answered_in_order),
        cmocka_unit_test(failures_have_a_sentence),
        cmocka_unit_test(the_deadline_holds),
        cmocka_unit_test(the_child_has_nothing),
        cmocka_unit_test(works_behind_the_brokers_wall),
        cmocka_unit_test(hostile_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
