/* SPDX-License-Identifier: Apache-2.0
 *
 * The exporter to Kafka before a process of the test's, which reads packets and tells counts as it
 * likes. The real one is sys/kafka_test.c's affair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/meter/kafka.h"
#include "sys/kafka_process.h"

static const struct flowrec record = {.packets = 3,
                                      .bytes = 84,
                                      .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
                                      .port = {4000, 53},
                                      .version = 4,
                                      .proto = 17};
static const struct exporter_news news = {.live = true};

struct world {
    struct exporter *e;
    int fd; /* the process's end */
    unsigned messages;
};

static void begin(struct world *w, bool waits)
{
    int pair[2];
    *w = (struct world){.fd = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
    w->fd = pair[1];
    const struct kafka_exporter_conf c = {.fd = pair[0], .name = "b:9092/flows", .waits = waits};
    assert_int_equal(kafka_exporter_new(&c, &w->e), 0);
}

static void end(struct world *w)
{
    exporter_free(w->e);
    closep(&w->fd);
}

static void see(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
                size_t value_len)
{
    static const char id[] = "1:";
    struct world *w = user;
    w->messages++;
    assert_true(key_len == 30 && memcmp(key, id, 2) == 0);
    assert_true(value[0] == '{' && value[value_len - 1] == '}');
    assert_non_null(memmem(value, value_len, "\"octetDeltaCount\":84", 20));
    assert_non_null(memmem(value, value_len, key, key_len));
}

/* All packets that are there; true: the end was among them. */
static bool take(struct world *w)
{
    static uint8_t packet[KAFKA_PACKET];
    ssize_t n;
    while ((n = read(w->fd, packet, sizeof(packet))) > 1) {
        assert_true(kafka_messages(packet, (size_t)n, see, w) > 0);
    }
    return n == 1 && packet[0] == 0;
}

static void tell(const struct world *w, struct kafka_counts c)
{
    assert_int_equal(write(w->fd, &c, sizeof(c)), sizeof(c));
}

static uint64_t count(const struct world *w, enum ledger_id id)
{
    return ledger_get(&w->e->ledger, id);
}

static void records_are_messages(void **state)
{
    (void)state;
    enum { N = 200 }; /* of several packets */
    struct world w;
    struct error err = {""};
    begin(&w, false);
    for (unsigned i = 0; i < N; i++) {
        w.e->ops->record(w.e, &record);
    }
    assert_false(take(&w));
    assert_true(w.messages > 0 && w.messages < N); /* the last are not sent yet */
    w.e->ops->tick(w.e, &news);
    assert_false(take(&w));
    assert_int_equal(w.messages, N);
    assert_int_equal(count(&w, LEDGER_EXPORT_IN), N);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 0); /* nobody has told of them */
    tell(&w, (struct kafka_counts){.in = 150, .delivered = 100});
    tell(&w, (struct kafka_counts){N, 150, 20, 18, 12});
    w.e->ops->tick(w.e, &news);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 150);
    assert_int_equal(count(&w, LEDGER_EXPORT_AWAY), 20);
    assert_int_equal(count(&w, LEDGER_EXPORT_SLOW), 18);
    assert_int_equal(count(&w, LEDGER_EXPORT_REFUSED), 12);
    closep(&w.fd);
    assert_int_equal(w.e->ops->finish(w.e, &err), -EPIPE);
    end(&w);
}

/* It takes nothing more: records are dropped, and counted, and nothing waits. */
static void one_that_is_slow(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct world w;
    begin(&w, false);
    for (unsigned i = 0; i < N; i++) {
        w.e->ops->record(w.e, &record);
    }
    w.e->ops->tick(w.e, &news);
    const uint64_t slow = count(&w, LEDGER_EXPORT_SLOW);
    assert_true(slow > 0 && slow < N);
    (void)take(&w);
    assert_int_equal(w.messages + slow, N);
    tell(&w, (struct kafka_counts){.in = w.messages, .delivered = w.messages});
    w.e->ops->tick(w.e, &news);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT) + count(&w, LEDGER_EXPORT_SLOW), N);
    end(&w);
}

/* A file's meter waits for it, until it is told to hurry. */
static void one_that_is_slow_is_waited_for(void **state)
{
    (void)state;
    struct world w;
    begin(&w, true);
    w.e->ops->hurry(w.e);
    for (unsigned i = 0; i < 20000; i++) {
        w.e->ops->record(w.e, &record);
    }
    assert_true(count(&w, LEDGER_EXPORT_SLOW) > 0);
    end(&w);
}

static void one_that_has_ended(void **state)
{
    (void)state;
    struct world w;
    struct error err = {""};
    begin(&w, true);
    w.e->ops->record(w.e, &record);
    closep(&w.fd);
    w.e->ops->tick(w.e, &news);
    w.e->ops->record(w.e, &record);
    assert_int_equal(w.e->ops->finish(w.e, &err), -EPIPE);
    assert_non_null(strstr(err.text, "b:9092/flows: the process that sends to Kafka has ended"));
    assert_int_equal(count(&w, LEDGER_EXPORT_IN), 2);
    assert_int_equal(count(&w, LEDGER_EXPORT_AWAY), 2);
    end(&w);
}

/* The counts that come last, behind the end, count; those that never come are of records away. */
static void the_end(void **state)
{
    (void)state;
    for (unsigned waits = 0; waits < 2; waits++) {
        struct world w;
        struct error err = {""};
        begin(&w, waits);
        for (unsigned i = 0; i < 5; i++) {
            w.e->ops->record(w.e, &record);
        }
        tell(&w, (struct kafka_counts){.in = 4, .delivered = 3, .slow = 1});
        assert_int_equal(shutdown(w.fd, SHUT_WR), 0); /* it ends as soon as it is told to */
        assert_int_equal(w.e->ops->finish(w.e, &err), waits ? -EIO : 0);
        assert_string_equal(err.text,
                            waits ? "b:9092/flows: 2 of 5 records were not delivered" : "");
        assert_true(take(&w));
        assert_int_equal(w.messages, 5);
        assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 3);
        assert_int_equal(count(&w, LEDGER_EXPORT_AWAY), 1);
        assert_int_equal(count(&w, LEDGER_EXPORT_SLOW), 1);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_messages),
        cmocka_unit_test(one_that_is_slow),
        cmocka_unit_test(one_that_is_slow_is_waited_for),
        cmocka_unit_test(one_that_has_ended),
        cmocka_unit_test(the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
