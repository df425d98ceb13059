/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of a meter's engine that was taken over, and the refusals of its broker; the words
 * that say where records go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "node/exports.h"
#include "node/meter_requests.h"

static int ask(struct meter_grants *g, uint8_t place, struct broker_reply *reply)
{
    const struct broker_request *q = &meter_requests[METER_EXPORT];
    *reply = (struct broker_reply){.fd = -1};
    assert_int_equal(q->args_min, 1);
    assert_int_equal(q->args_max, 1);
    return q->handle(g, &place, 1, reply);
}

static void refused(struct meter_grants *g, uint8_t place)
{
    struct broker_reply reply;
    assert_int_equal(ask(g, place, &reply), -EINVAL);
    assert_string_equal(reply.err.text, "there is no such connection");
    assert_int_equal(reply.fd, -1);
}

/* An engine that was taken over asks for other sockets, and gets none. */
static void no_socket_but_those_of_the_command_line(void **state)
{
    (void)state;
    struct export_list list = {0};
    struct meter_grants g = {.exports = {.list = NULL}};
    struct broker_reply reply;
    struct error err = {""};
    refused(&g, 0);
    g.exports.list = &list;
    refused(&g, 0);
    assert_int_equal(export_list_add(&list, ENCODE_IPFIX, "127.0.0.1", &err), 0);
    assert_int_equal(export_list_add(&list, ENCODE_IPFIX, "tcp:127.0.0.1:9", &err), 0);
    assert_int_equal(export_list_add(&list, ENCODE_IPFIX, "tcp:no-such-host.invalid", &err), 0);
    refused(&g, 0); /* datagrams to an address: it has that socket already */
    refused(&g, 3);
    assert_int_equal(export_list_add(&list, ENCODE_NETFLOW9, "localhost", &err), 0);
    refused(&g, 255);
    assert_int_equal(ask(&g, 1, &reply), 0);
    assert_true(reply.fd >= 0);
    closep(&reply.fd);
    assert_int_equal(ask(&g, 3, &reply), 0); /* a name may lead elsewhere */
    assert_true(reply.fd >= 0);
    closep(&reply.fd);
    list.user = "no-such-user";
    if (geteuid() == 0) {
        assert_int_equal(ask(&g, 2, &reply), -ENOENT);
        assert_non_null(strstr(reply.err.text, "no-such-user"));
    }
}

static void where_records_go(void **state)
{
    (void)state;
    struct error err = {""};
    struct export_list l = {0};
    assert_int_equal(export_list_add(&l, ENCODE_NETFLOW5, "a", &err), 0);
    assert_int_equal(export_list_add(&l, ENCODE_NETFLOW9, "[::1]:7", &err), 0);
    assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "tcp:b", &err), 0);
    assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "tcp:[::1]:8", &err), 0);
    assert_true(l.to[0].at.port == 2055 && !l.to[0].tcp);
    assert_true(l.to[1].at.port == 7 && strcmp(l.to[1].at.host, "::1") == 0);
    assert_true(l.to[2].at.port == 4739 && l.to[2].tcp && strcmp(l.to[2].at.host, "b") == 0);
    assert_true(l.to[3].at.port == 8 && l.to[3].tcp);
    assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "tcpa:9", &err), 0);
    assert_true(!l.to[4].tcp && strcmp(l.to[4].at.host, "tcpa") == 0);
    l.n--;
    assert_int_equal(l.n, 4);
    assert_int_equal(export_list_add(&l, ENCODE_NETFLOW9, "tcp:b", &err), -EINVAL);
    assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "tcp:", &err), -EINVAL);
    assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "::1", &err), -EINVAL);
    assert_int_equal(l.n, 4);
    while (l.n < EXPORT_LIST_MAX) {
        assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "a", &err), 0);
    }
    assert_int_equal(export_list_add(&l, ENCODE_IPFIX, "a", &err), -ENOSPC);
    assert_non_null(strstr(err.text, "8 places"));
}

/* Files and collectors together are no more than there may be. */
static void exporters_are_counted(void **state)
{
    (void)state;
    struct error err = {""};
    struct exports_conf conf = {.file = {[EXPORT_CSV] = "x"}};
    struct exports_opened o = EXPORTS_NOT_OPENED;
    struct exporter *x[EXPORTERS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < EXPORT_LIST_MAX; i++) {
        assert_int_equal(export_list_add(&conf.net, ENCODE_IPFIX, "127.0.0.1", &err), 0);
    }
    assert_int_equal(exports_count(&conf), EXPORT_LIST_MAX + 1);
    assert_int_equal(exports_make(&conf, &o, false, false, x, &n), -ENOSPC);
    conf.file[EXPORT_CSV] = NULL;
    assert_int_equal(exports_open(&conf, &o, &err), 0);
    assert_int_equal(exports_make(&conf, &o, false, false, x, &n), 0);
    assert_int_equal(n, EXPORT_LIST_MAX);
    assert_int_equal(o.net[0], -1);
    assert_string_equal(x[0]->name, "127.0.0.1:4739");
    while (n > 0) {
        exporter_free(x[--n]);
    }
    exports_opened_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_socket_but_those_of_the_command_line),
        cmocka_unit_test(where_records_go),
        cmocka_unit_test(exporters_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
