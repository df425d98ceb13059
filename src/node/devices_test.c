/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of a collector that were removed: what is told, which are made again, and what their
 * output says meanwhile. A pipe without a reader stands for a device that was removed, an eventfd
 * for one that is there; the broker is the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"
#include "data/sink/device.h"
#include "node/collector_requests.h"
#include "node/devices.h"
#include "sys/tapdev.h"

static struct broker *broker;

/* Taps named "web…" get a device, others none. */
static int make(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    if (len < 3 || memcmp(args, "web", 3) != 0) {
        return error_set(&reply->err, EPERM, "no more are made");
    }
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    wr_u8(&w, 0);
    wr_copy(&w, args, len);
    reply->len = wr_len(&w);
    reply->fd = eventfd(0, EFD_CLOEXEC);
    return 0;
}

static int nothing(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    (void)args;
    (void)len;
    (void)reply;
    return 0;
}

struct world {
    struct outputs outputs;
    struct listener *listener;
    struct listener_device one;
    struct teller teller;
    struct devices devices;
    char told[1024];
};

static void on_tell(void *user, const char *text)
{
    struct world *w = user;
    size_t used = strlen(w->told);
    snprintf(w->told + used, sizeof(w->told) - used, "%s\n", text);
}

static int removed(void)
{
    int fd[2];
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    close(fd[0]);
    return fd[1];
}

static void begin(struct world *w, bool one_each, unsigned n_outputs)
{
    *w = (struct world){.outputs = {.conf = {.one_each = one_each}, .n = n_outputs},
                        .one = {.fd = -1},
                        .teller = {on_tell, w}};
    w->listener = calloc(1, sizeof(*w->listener));
    assert_non_null(w->listener);
    history_init(&w->listener->history, HISTORY_MAX);
    assert_int_equal(device_sink_new("devices", -1, &w->outputs.device), 0);
    for (unsigned i = 0; i < n_outputs; i++) {
        w->outputs.output[i] = w->outputs.device; /* only their number counts here */
    }
    w->outputs.conf.teller = &w->teller;
    w->devices = (struct devices){&w->outputs, w->listener, broker, &w->teller, &w->one};
}

static void end(struct world *w)
{
    sink_free(w->outputs.device);
    history_done(&w->listener->history);
    free(w->listener);
}

static void assert_told(struct world *w, const char *what)
{
    assert_string_equal(w->told, what);
    w->told[0] = '\0';
}

/* The output fails for good only where there is no other. */
static void one_that_cannot_be_made_again(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        struct world w;
        struct error err = {""};
        begin(&w, false, n);
        struct sink *s = w.outputs.device;
        w.one = (struct listener_device){.fd = removed(), .name = "ntap0"};
        devices_look(&w.devices);
        assert_told(&w, "ntap0 was removed: its frames are dropped until it is made again\n");
        assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
        assert_string_equal(err.text, "ntap0 was removed");
        devices_look(&w.devices);
        assert_told(&w, "");
        assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
        devices_look(&w.devices);
        assert_told(&w, "ntap0 cannot be made again: no more are made\n");
        assert_int_equal(s->ops->check(s, &err), n == 1 ? -ENODEV : -ENETDOWN);
        devices_look(&w.devices); /* not tried again for a while */
        assert_told(&w, "");
        assert_int_equal(w.one.tries, 3);
        assert_int_equal(w.listener->history.n, 1);
        assert_int_equal(history_at(&w.listener->history, 0)->kind, HISTORY_OUTPUT_GONE);
        close(w.one.fd);
        end(&w);
    }
}

/* Each tap's by itself: one comes back, under the descriptors that it had, two do not. */
static void those_that_can_are_made_again(void **state)
{
    (void)state;
    struct world w;
    struct error err = {""};
    static struct peer peers[3];
    const char *const names[] = {"web1", "db1", "db2"};
    begin(&w, true, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(peers); i++) {
        struct listener_device *d = &peers[i].device;
        *d = (struct listener_device){.fd = removed()};
        snprintf(peers[i].name, sizeof(peers[i].name), "%s", names[i]);
        snprintf(d->name, sizeof(d->name), "ntap-%s", names[i]);
        w.listener->peer[w.listener->n_peers++] = &peers[i];
    }
    struct sink *s = w.outputs.device;
    int fd = removed(); /* of an interface of that tap */
    const struct point_offer p = {.index = 1, .tap = "web1", .ifname = "eth0", .device = fd};
    assert_int_equal(s->ops->point_add(s, &p, NULL), 0);
    devices_look(&w.devices);
    assert_told(&w, "ntap-web1 was removed: its frames are dropped until it is made again\n"
                    "ntap-web1 was made again\n"
                    "ntap-db1 was removed: its frames are dropped until it is made again\n"
                    "ntap-db2 was removed: its frames are dropped until it is made again\n");
    assert_int_equal(tapdev_state(peers[0].device.fd), TAPDEV_UP);
    assert_int_equal(tapdev_state(fd), TAPDEV_UP);
    assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
    assert_string_equal(err.text, "ntap-db1 was removed, and 1 more are not there either");
    w.listener->n_peers = 2; /* a tap is gone */
    devices_look(&w.devices);
    assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
    assert_string_equal(err.text, "ntap-db1 was removed");
    w.listener->n_peers = 1;
    devices_look(&w.devices);
    assert_int_equal(s->ops->check(s, &err), 0);
    assert_told(&w, "");
    for (unsigned i = 0; i < ARRAY_SIZE(peers); i++) {
        close(peers[i].device.fd);
    }
    close(fd);
    end(&w);
}

int main(void)
{
    static const struct broker_request requests[COLLECTOR_REQUESTS] = {
        [COLLECTOR_DEVICE] = {"make the device", make, 0, LINK_NAME_MAX},
        [COLLECTOR_ALLOW] = {"do nothing", nothing, 0, 0},
        [COLLECTOR_OUTPUT] = {"nothing", nothing, 0, 1},
        [COLLECTOR_EXPORT] = {"nothing", nothing, 0, 1},
        [COLLECTOR_RELOAD] = {"do nothing", nothing, 0, 0},
    };
    static const struct broker_conf bc = {.requests = requests, .n_requests = COLLECTOR_REQUESTS};
    struct error err = {""};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_cannot_be_made_again),
        cmocka_unit_test(those_that_can_are_made_again),
    };
    if (broker_start(&bc, &broker, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_free(broker);
    return failed;
}
