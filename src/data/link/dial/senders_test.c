/* SPDX-License-Identifier: Apache-2.0
 *
 * The streams' senders, in a dialer that no loop runs: a sender that takes no command just now gets
 * it later, unless that is over by then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "data/link/dial/impl.h"

enum {
    STREAMS = 3,
};

struct fake {
    struct link_sender head;
    unsigned refuse; /* so many commands */
    unsigned downs, rekeys, sizes;
    uint64_t accounted;
};

static struct fake *of(struct link_sender *s)
{
    return (struct fake *)s;
}

/* The answer to a command, which is counted. */
static int take(struct fake *f, unsigned *count)
{
    ++*count;
    if (f->refuse > 0) {
        f->refuse--;
        return -EAGAIN;
    }
    return 0;
}

static int on_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    struct link_sender_key own = *key;
    link_sender_key_done(&own);
    return take(of(s), &of(s)->rekeys);
}

static int on_size(struct link_sender *s, uint32_t datagram)
{
    assert_int_equal(datagram, 1200);
    return take(of(s), &of(s)->sizes);
}

static int on_down(struct link_sender *s, uint64_t accounted)
{
    of(s)->accounted = accounted;
    return take(of(s), &of(s)->downs);
}

static const struct link_sender_ops ops = {.rekey = on_rekey, .size = on_size, .down = on_down};

static struct fake sender[STREAMS];

static struct dialer *begin(void)
{
    struct dialer *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->io.fd = eventfd(0, EFD_CLOEXEC); /* it is only duplicated here */
    assert_true(c->io.fd >= 0);
    assert_int_equal(udp_shared_new(&c->io.shared), 0);
    c->current.keys.alg = AEAD_NULL;
    c->status.datagram = 1200;
    c->n_streams = STREAMS;
    for (unsigned i = 0; i < STREAMS; i++) {
        sender[i] = (struct fake){.head = {&ops}};
        c->stream[i].conf.sender = &sender[i].head;
        c->stream[i].acked = true;
    }
    return c;
}

static void end(struct dialer *c)
{
    udp_shared_unref(c->io.shared);
    close(c->io.fd);
    free(c);
}

static void assert_counts(const unsigned wanted[STREAMS], size_t which)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_int_equal(*(const unsigned *)((const char *)&sender[i] + which), wanted[i]);
    }
}

#define COUNTS(member, ...)                                                                        \
    assert_counts((const unsigned[STREAMS]){__VA_ARGS__}, offsetof(struct fake, member))

/* The session is over: who did not hear of it hears of it again, until the next one has begun. */
static void the_end_is_told_until_it_is_heard(void **state)
{
    (void)state;
    struct dialer *c = begin();
    sender[0].refuse = 2;
    sender[1].refuse = 1;
    c->stream[0].past_accounted = 5;
    c->stream[0].accounted = 7;
    dialer_senders_down(c);
    COUNTS(downs, 1, 1, 1);
    assert_int_equal(sender[0].accounted, 12);
    c->stream[1].acked = true; /* a session has begun for this one */
    dialer_senders_keys(c);
    COUNTS(downs, 2, 1, 1);
    assert_int_equal(sender[0].accounted, 12);
    dialer_senders_keys(c);
    COUNTS(downs, 3, 1, 1);
    dialer_senders_keys(c);
    COUNTS(downs, 3, 1, 1);
    COUNTS(rekeys, 0, 0, 0); /* there is no session whose key it could be */
    end(c);
}

/* The same for another key, to all who are in the session. */
static void a_key_is_given_until_it_is_taken(void **state)
{
    (void)state;
    struct dialer *c = begin();
    sender[0].refuse = 2;
    c->stream[1].acked = false;
    dialer_senders_rekey(c);
    COUNTS(rekeys, 1, 0, 1);
    dialer_senders_keys(c);
    COUNTS(rekeys, 2, 0, 1);
    dialer_senders_keys(c);
    COUNTS(rekeys, 3, 0, 1);
    dialer_senders_keys(c);
    COUNTS(rekeys, 3, 0, 1);
    COUNTS(downs, 0, 0, 0);
    end(c);
}

/* A size that was not taken comes with the key. */
static void a_size_that_is_not_taken(void **state)
{
    (void)state;
    struct dialer *c = begin();
    sender[0].refuse = 1;
    c->stream[1].acked = false;
    dialer_senders_size(c);
    COUNTS(sizes, 1, 0, 1);
    dialer_senders_keys(c);
    COUNTS(sizes, 1, 0, 1);
    COUNTS(rekeys, 1, 0, 0);
    end(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_told_until_it_is_heard),
        cmocka_unit_test(a_key_is_given_until_it_is_taken),
        cmocka_unit_test(a_size_that_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
