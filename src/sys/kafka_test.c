/* SPDX-License-Identifier: Apache-2.0
 *
 * The words that name brokers and a topic, packets of messages, and the process itself, to which no
 * broker answers. Brokers that do are tests/net/test_kafka.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "sys/kafka.h"
#include "sys/kafka_process.h"

enum {
    REPORT_MS = 15000, /* for an answer of the process */
};

/* ---- words ---- */

static void brokers_and_a_topic(void **state)
{
    (void)state;
    struct error err = {""};
    struct kafka_conf c = {.waits = true, .properties = "p"};
    assert_int_equal(kafka_parse("b1:9092,[2001:db8::1]:9093/flows.v-1_x", &c, &err), 0);
    assert_string_equal(c.brokers, "b1:9092,[2001:db8::1]:9093");
    assert_string_equal(c.topic, "flows.v-1_x");
    assert_true(c.waits && strcmp(c.properties, "p") == 0);
    assert_int_equal(kafka_parse("b/t", &c, &err), 0);
    assert_string_equal(c.brokers, "b");
}

static void words_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "has no topic"},
        {"b1:9092", "has no topic"},
        {"/flows", "is no list"},
        {"b1,/flows", "is no list"},
        {",b1/flows", "is no list"},
        {"b1,,b2/flows", "is no list"},
        {":9092/flows", "is no list"},
        {"b1 b2/flows", "is no list"},
        {"http://b1/flows", "is no list"},
        {"b1/", "is no topic"},
        {"b1/.", "is no topic"},
        {"b1/..", "is no topic"},
        {"b1/a b", "is no topic"},
        {"b1/\xc3\xa4", "is no topic"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = {""};
        struct kafka_conf c = {.topic = "before"};
        assert_int_equal(kafka_parse(bad[i].text, &c, &err), -EINVAL);
        assert_non_null(strstr(err.text, bad[i].why));
        assert_string_equal(c.topic, "before");
    }
    static char longest[KAFKA_BROKERS_MAX + KAFKA_TOPIC_MAX + 3];
    struct error err = {""};
    struct kafka_conf c = {.topic = ""};
    memset(longest, 'x', sizeof(longest) - 1);
    longest[KAFKA_BROKERS_MAX] = '/';
    longest[KAFKA_BROKERS_MAX + 1 + KAFKA_TOPIC_MAX] = '\0';
    assert_int_equal(kafka_parse(longest, &c, &err), 0);
    longest[KAFKA_BROKERS_MAX + 1 + KAFKA_TOPIC_MAX] = 'x';
    assert_int_equal(kafka_parse(longest, &c, &err), -EINVAL);
    longest[KAFKA_BROKERS_MAX] = 'x';
    longest[KAFKA_BROKERS_MAX + 1] = '/';
    assert_int_equal(kafka_parse(longest, &c, &err), -EINVAL);
    assert_non_null(strstr(err.text, "more than 1024 bytes"));
}

/* ---- packets ---- */

struct seen {
    int n;
    size_t keys, values;
};

static void see(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
                size_t value_len)
{
    struct seen *s = user;
    s->n++;
    for (size_t i = 0; i < key_len; i++) {
        s->keys += key[i];
    }
    for (size_t i = 0; i < value_len; i++) {
        s->values += value[i];
    }
}

static void packets_are_read_whole(void **state)
{
    (void)state;
    static const uint8_t d[] = {0, 1, 0, 2, 5, 6, 7, 0, 0, 0, 1, 9};
    for (size_t len = 0; len <= sizeof(d); len++) {
        struct seen s = {0};
        uint8_t *packet = malloc(len + 1);
        memcpy(packet + 1, d, len);
        const int n = kafka_messages(packet + 1, len, see, &s);
        assert_int_equal(n, len == 0 ? 0 : len == 7 ? 1 : len == sizeof(d) ? 2 : -1);
        assert_true(n < 0 || n == s.n);
        assert_true(len != sizeof(d) || (s.keys == 5 && s.values == 22));
        free(packet);
    }
    static const uint8_t empty[] = {0, 1, 0, 0, 5};
    struct seen s = {0};
    assert_int_equal(kafka_messages(empty, sizeof(empty), see, &s), -1);
}

/* ---- the process ---- */

static const struct sandbox_conf nobody;

/* Under TSan a child of fork() may start no thread, and librdkafka starts some. */
static void needs_threads(void)
{
#ifdef __SANITIZE_THREAD__
    skip();
#endif
}

static int start(const char *properties, int *ret_fd, pid_t *ret_pid, struct error *err)
{
    struct kafka_conf c = {.properties = NULL};
    assert_int_equal(kafka_parse("127.0.0.1:1/flows", &c, err), 0);
    c.properties = properties;
    return kafka_start(&c, &nobody, ret_fd, ret_pid, err);
}

/* The process's next counts; false: it has ended. */
static bool hear(int fd, struct kafka_counts *ret)
{
    struct pollfd p = {fd, POLLIN, 0};
    assert_int_equal(poll(&p, 1, REPORT_MS), 1);
    const ssize_t n = read(fd, ret, sizeof(*ret));
    assert_true(n == 0 || n == (ssize_t)sizeof(*ret));
    return n != 0;
}

static void nobody_answers(void **state)
{
    (void)state;
    needs_threads();
    static const uint8_t two[] = {0, 1, 0, 2, 5, 6, 7, 0, 0, 0, 1, 9};
    struct error err = {""};
    struct kafka_counts c = {0};
    pid_t pid = 0;
    int fd = -1;
    assert_int_equal(start(NULL, &fd, &pid, &err), 0);
    assert_true(pid > 0);
    assert_int_equal(write(fd, two, sizeof(two)), sizeof(two));
    assert_true(hear(fd, &c));
    assert_int_equal(c.in, 2);
    const struct mono before = mono_now();
    assert_int_equal(write(fd, "", 1), 1);
    while (hear(fd, &c)) {
    }
    const int64_t ms = mono_diff(mono_now(), before) / NSEC_PER_MSEC;
    assert_true(ms >= KAFKA_FINISH_MS - 100); /* it has tried as long as it may */
    assert_true(c.in == 2 && c.away == 2 && c.delivered == 0 && c.slow == 0 && c.refused == 0);
    closep(&fd);
    kafka_wait(pid);
}

/* It ends with its engine, and where that writes what none writes. */
static void ends_with_its_engine(void **state)
{
    (void)state;
    needs_threads();
    static const uint8_t broken[] = {0, 9, 0, 2, 5};
    for (unsigned k = 0; k < 2; k++) {
        struct error err = {""};
        struct kafka_counts c;
        pid_t pid = 0;
        int fd = -1;
        assert_int_equal(start(NULL, &fd, &pid, &err), 0);
        if (k == 0) {
            assert_int_equal(write(fd, broken, sizeof(broken)), sizeof(broken));
            assert_false(hear(fd, &c));
        }
        closep(&fd);
        kafka_wait(pid);
    }
}

static void properties(void **state)
{
    (void)state;
    needs_threads();
    static const struct {
        const char *text, *why; /* NULL: there is nothing wrong */
    } files[] = {
        {"# words\n\n  linger.ms = 5 \r\ncompression.type=lz4", NULL},
        {"linger.ms=5\nno.such=1\n", "line 2: No such configuration property: \"no.such\""},
        {"linger.ms\n", "line 1: is no name=value"},
        {"linger.ms=x\n", "line 1: Invalid value for configuration property"},
        {"bootstrap.servers=b\n", "line 1: bootstrap.servers is not to be set here"},
        {"enable.idempotence=false\n", "enable.idempotence is not to be set here"},
        {"plugin.library.paths=x.so\n", "plugin.library.paths is not to be set here"},
        {"acks=1\n", "acks"}, /* not with an idempotent producer */
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct error err = {""};
        char path[64];
        pid_t pid = 0;
        int fd = -1;
        const int file = memfd_create("properties", 0);
        const size_t len = strlen(files[i].text);
        assert_int_equal(write(file, files[i].text, len), len);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
        const int r = start(path, &fd, &pid, &err);
        assert_int_equal(r, files[i].why ? -EINVAL : 0);
        assert_true(!files[i].why || strstr(err.text, files[i].why));
        closep(&fd);
        kafka_wait(pid);
        close(file);
    }
    struct error err = {""};
    int fd = -1;
    pid_t pid = 0;
    assert_int_equal(start("/no/such/file", &fd, &pid, &err), -ENOENT);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brokers_and_a_topic),    cmocka_unit_test(words_that_are_none),
        cmocka_unit_test(packets_are_read_whole), cmocka_unit_test(nobody_answers),
        cmocka_unit_test(ends_with_its_engine),   cmocka_unit_test(properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
