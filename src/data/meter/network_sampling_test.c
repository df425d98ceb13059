/* SPDX-License-Identifier: Apache-2.0
 *
 * The sample of which records are: a collector is told before the first of them and again with the
 * templates, in the form that each version has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "data/meter/network.h"
#include "sys/peer.h"

enum {
    OFTEN = 3 * 4096, /* records, after each 4096 of which templates go again */
};

static const struct flowrec web = {.first_ns = 1794489280511000001,
                                   .last_ns = 1794489284761999999,
                                   .packets = 5,
                                   .bytes = 700,
                                   .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
                                   .version = 4,
                                   .proto = 6,
                                   .interface = 1,
                                   .point = "eth0"};

/* Declarations in the datagrams that have come. */
struct told {
    unsigned datagrams, times, first; /* the first was in that datagram, from 1 on */
};

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Sets of that number, behind the header. */
static unsigned sets(const uint8_t *d, size_t len, size_t header, uint16_t number)
{
    unsigned n = 0;
    for (size_t at = header; at + 4 <= len; at += u16(d + at + 2)) {
        n += u16(d + at) == number;
    }
    return n;
}

static unsigned told_in(enum encode_form form, const uint8_t *d, size_t len)
{
    if (form == ENCODE_NETFLOW5) {
        return u16(d + 22) == (2 << 14 | 10);
    }
    if (form == ENCODE_NETFLOW9) {
        return sets(d, len, 20, 259);
    }
    return d[15] == 0 ? sets(d, len, 16, 262) : 0; /* domain 0 */
}

static struct told run(enum encode_form form, uint32_t packets)
{
    struct udp_addr at;
    struct error err = {""};
    struct exporter *e;
    struct told told = {0};
    uint8_t d[2048];
    const int large = 8 << 20;
    _cleanup_(closep) int heard = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(heard, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
    assert_int_equal(udp_addr_parse("127.0.0.1", &at), 0);
    assert_int_equal(bind(heard, &at.sa, at.len), 0);
    assert_int_equal(getsockname(heard, &at.sa, &at.len), 0);
    struct network_conf conf = {.form = form,
                                .name = "collector",
                                .waits = true,
                                .source = 7,
                                .sampling = {.packets = packets}};
    assert_int_equal(peer_open(false, &at, 0, &conf.fd, &err), 0);
    assert_int_equal(network_exporter_new(&conf, &e), 0);
    for (unsigned i = 0; i < OFTEN; i++) {
        e->ops->record(e, &web);
    }
    e->ops->tick(e, &(struct exporter_news){.now = mono_now(), .last = true});
    assert_int_equal(e->ops->finish(e, &err), 0);
    e->ops->free(e);
    for (ssize_t len; (len = recv(heard, d, sizeof(d), MSG_DONTWAIT)) > 0;) {
        const unsigned n = told_in(form, d, (size_t)len);
        told.datagrams++;
        told.first = told.first == 0 && n > 0 ? told.datagrams : told.first;
        told.times += n;
    }
    return told;
}

static void it_is_told_with_the_templates(void **state)
{
    (void)state;
    const struct told v5 = run(ENCODE_NETFLOW5, 10);
    assert_true(v5.datagrams > OFTEN / 28 && v5.times == v5.datagrams);
    const struct told v9 = run(ENCODE_NETFLOW9, 10), ipfix = run(ENCODE_IPFIX, 10);
    assert_true(v9.times == 4 && v9.first == 1);
    assert_true(ipfix.times == 4 && ipfix.first == 1);
}

static void nothing_is_told_of_none(void **state)
{
    (void)state;
    for (enum encode_form form = 0; form < ENCODE_FORMS; form++) {
        const struct told told = run(form, 0);
        assert_true(told.datagrams > 100 && told.times == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_with_the_templates),
        cmocka_unit_test(nothing_is_told_of_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
