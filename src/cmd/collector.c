/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collector.h"
#include "node/document.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "data/sink/queue/queue.h"
#include "sys/crypto/kdf.h"

enum {
    CHECK_MS = 200,
    DEVICE_FILES = 16384, /* a device for each tap: each is open twice or more */
};

static json_t *document(void *user)
{
    struct collector *c = user;
    return report_collector(c->name, c->listener, c->output, c->n_outputs);
}

static void on_say(void *user, bool error, const char *text)
{
    (void)user;
    (void)error;
    say("collector", "%s", text);
}

static void on_failed(void *user)
{
    struct collector *c = user;
    loop_stop(c->loop, EXIT_FAILURE);
}

static const struct listener_ops listener_ops = {collector_device, on_say, on_failed};

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    if (sig->number == SIGHUP && !sig->from_kernel) {
        collector_reload(user);
    } else if (!sig->ignored) { /* a terminal that goes away ends us, but for nohup */
        loop_stop(l, EXIT_SUCCESS);
    }
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)now;
    struct collector *c = user;
    collector_look_at_devices(c);
    if (!collector_outputs_alive(c)) {
        loop_stop(l, EXIT_SUCCESS);
    }
}

static int start_engine(struct collector *c, struct error *err)
{
    struct sandbox_conf sc;
    int r = loop_new(&c->loop);
    r = r < 0 ? r : loop_add_signals(c->loop, on_signal, c);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    broker_sandbox(c->broker, &sc);
    sc.max_files = c->one_each ? DEVICE_FILES : 0;
    if (sandbox_does_without(&sc, err)) {
        say("collector", "%s", err->text);
    }
    r = sandbox_enter(&sc, err);
    r = r < 0 ? r : collector_make_outputs(c, err);
    for (unsigned i = 0; r == 0 && i < c->conf.threads * c->n_outputs; i++) {
        c->writer[i] = queue_sink_producer(c->output[i % c->n_outputs], i / c->n_outputs);
    }
    struct listener_conf sv = {.handshake = c->secrets.conf,
                               .fd = c->fd,
                               .n_threads = c->conf.threads,
                               .outputs = c->writer,
                               .n_outputs = c->n_outputs,
                               .ops = &listener_ops,
                               .user = c};
    r = r < 0 ? r : listener_new(c->loop, &sv, &c->listener, err);
    secure_wipe(&sv.handshake, sizeof(sv.handshake));
    if (r == 0) {
        r = status_socket_serve(c->loop, &c->control, document, c, &c->status);
        r = r < 0 ? r
                  : loop_add_timer(c->loop, mono_add_ms(mono_now(), CHECK_MS),
                                   CHECK_MS * NSEC_PER_MSEC, on_timer, c, &c->timer);
        r = r < 0 ? error_sys(err, -r, "cannot start") : 0;
    }
    return r;
}

static void tap_summary(void *user, const struct listener_peer *tap)
{
    struct collector *c = user;
    for (unsigned i = 0; i < tap->n_points; i++) {
        const struct point *p = tap->points[i];
        fprintf(stderr, "%s:%s: %" PRIu64 " received, %" PRIu64 " lost on the link", p->tap,
                p->ifname, ledger_get(&p->ledger, LEDGER_RX_OUT),
                ledger_sum(&p->ledger, LEDGER_LINK_RX).dropped);
        for (unsigned k = 0; k < c->n_outputs; k++) {
            const struct ledger *l = point_output(p, c->output[k]);
            if (l) {
                fprintf(stderr, "; %s: %" PRIu64 " written, %" PRIu64 " dropped",
                        c->output[k]->name, ledger_get(l, LEDGER_SINK_OUT),
                        ledger_sum(l, LEDGER_SINK).dropped);
            }
        }
        fputc('\n', stderr);
    }
    if (tap->past) {
        fprintf(stderr,
                "%s: %" PRIu64 " interfaces that are gone: %" PRIu64 " received, %" PRIu64
                " lost on the link\n",
                tap->name, tap->past->n, ledger_get(&tap->past->rx, LEDGER_RX_OUT),
                ledger_sum(&tap->past->rx, LEDGER_LINK_RX).dropped);
    }
}

static int engine(struct collector *c)
{
    struct error err = {""};
    if (start_engine(c, &err) < 0) {
        say("collector", "%s", err.text);
        return EXIT_FAILURE;
    }
    say("collector", "listening on %s%sport %u, output to %s%s%s", c->conf.bind ? c->conf.bind : "",
        c->conf.bind ? " " : "", c->conf.port, c->conf.device ? c->conf.device : "",
        c->conf.device && c->conf.file ? " and " : "", c->conf.file ? c->conf.file : "");
    int status = loop_run(c->loop);
    listener_stop(c->listener);
    collector_finish_outputs(c);
    listener_each(c->listener, tap_summary, c);
    if (c->conf.json) {
        json_t *doc = document(c);
        document_print(doc, JSON_INDENT(2), stdout);
        json_decref(doc);
        if (fflush(stdout) != 0) {
            say("collector", "cannot write to standard output: %m");
            return EXIT_FAILURE;
        }
    }
    return status != 0 ? EXIT_FAILURE : c->status_code;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(TAKE_FD(*fd));
    }
}

static void collector_done(struct collector *c)
{
    status_socket_free(c->status);
    listener_free(c->listener);
    for (unsigned i = 0; i < c->n_outputs; i++) {
        sink_free(c->output[i]);
    }
    if (c->loop) {
        loop_del_timer(c->loop, c->timer);
        loop_free(c->loop);
    }
    broker_free(c->broker);
    secrets_done(&c->secrets);
    for (unsigned i = 0; i < RECEIVER_THREADS; i++) {
        close_fd(&c->fd[i]);
    }
    close_fd(&c->device.fd);
    owndev_free(TAKE_PTR(c->own));
    close_fd(&c->file_fd);
    close_fd(&c->lock_fd);
    close_fd(&c->control.fd);
    free(c->conf.secret.passphrase);
}

/* The broker knows no secret. */
static void at_start(void *ctx)
{
    secrets_done(&((struct collector *)ctx)->secrets);
}

/* Runs in the broker when the engine has ended. */
static void at_end(void *ctx, int status)
{
    struct collector *c = ctx;
    status_socket_remove(&c->control);
    owndev_remove(c->own);
    if (WIFSIGNALED(status)) {
        say("collector", "the engine was ended by signal %d (%s)", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    }
}

int cmd_collector(int argc, char **argv)
{
    static const int caps[] = {CAP_NET_ADMIN};
    static struct collector c = {
        .device = {.fd = -1}, .file_fd = -1, .lock_fd = -1, .control = {.fd = -1}};
    struct error err = {""};
    int r = collector_parse(&c.conf, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    for (unsigned i = 0; i < RECEIVER_THREADS; i++) {
        c.fd[i] = -1;
    }
    c.one_each = c.conf.device && strstr(c.conf.device, "%t");
    system_words(c.os, sizeof(c.os));
    snprintf(c.name, sizeof(c.name), "collector-%u", c.conf.port);
    r = secrets_load(&c.conf.secret, "collector", true, &c.secrets, &err);
    r = r < 0 ? r : collector_open(&c, &err);
    loop_hold_signals(); /* what is made from here on is taken away in order */
    if (r == 0 && status_socket_listen(&c.control, c.name, &err) < 0) {
        say("collector", "warning: farspan status will not see this collector: %s", err.text);
    }
    const struct broker_conf bc = {.requests = collector_requests,
                                   .n_requests = COLLECTOR_REQUESTS,
                                   .ctx = &c,
                                   .caps = caps,
                                   .n_caps = ARRAY_SIZE(caps),
                                   .user = c.conf.user,
                                   .at_start = at_start,
                                   .at_end = at_end,
                                   .owner = &c};
    r = r < 0 ? r : broker_start(&bc, &c.broker, &err);
    if (r < 0) {
        say("collector", "%s", err.text);
        status_socket_remove(&c.control);
        owndev_remove(c.own);
        collector_done(&c);
        return EXIT_FAILURE;
    }
    owndev_free(TAKE_PTR(c.own)); /* the broker has it */
    int status = engine(&c);
    collector_done(&c);
    return status;
}
