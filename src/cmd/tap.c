/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tap.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "proto/bpfsel.h"
#include "sys/crypto/kdf.h"

enum {
    /* The kernel slices frames up to this length, an ordinary one with two tags. What is longer may
     * be a super-packet, is captured whole, cut, and sliced then. */
    SLICE_UP_TO = 1522,
};

struct tap {
    struct tap_conf conf;
    struct secrets secrets;
    struct control control;
    struct broker *broker;
    struct loop *loop;
    struct wake wake;
    struct loop_fd *wake_event;
    struct client *client;
    struct control_server *status;
    struct loop_timer *timer;
    char host[128];
    struct tap_name names[TAP_LINKS]; /* of "any" */
    const char *name_list[TAP_LINKS];
    unsigned n_names;
    struct history history;
    struct sock_filter program[BPFSEL_MAX];
};

static json_t *document(void *user)
{
    struct tap *t = user;
    struct report_tap_interface list[TAP_INTERFACES];
    for (unsigned i = 0; i < t->conf.n; i++) {
        const struct tap_interface *ti = &t->conf.interface[i];
        list[i] = (struct report_tap_interface){ti->name, ti->stream, ti->worker};
    }
    return report_tap(t->conf.name, t->client, list, t->conf.n, &t->history);
}

/* ---- what the link asks for ---- */

static int on_connect(void *user, int *ret_fd, struct error *err)
{
    struct tap *t = user;
    return broker_call(t->broker, TAP_CONNECT, NULL, 0, NULL, NULL, ret_fd, err);
}

static void on_say(void *user, bool error, const char *text)
{
    (void)user;
    (void)error;
    say("tap", "%s", text);
}

static void on_stopped(void *user)
{
    struct tap *t = user;
    loop_stop(t->loop, EXIT_SUCCESS);
}

/* The program of one interface: our own part, then the user's. */
static int set_filter(struct tap *t, struct tap_interface *ti, const struct ether_flow *flow,
                      struct error *err)
{
    struct bpfsel_flow bf = {0};
    if (flow) {
        bf.family = flow->family;
        memcpy(bf.local, flow->addr[0], sizeof(bf.local));
        memcpy(bf.remote, flow->addr[1], sizeof(bf.remote));
        bf.local_port = flow->port[0];
        bf.remote_port = flow->port[1];
    }
    const struct bpfsel_conf bc = {
        .raw_ip = ti->ring.raw_ip,
        .dir = t->conf.dir,
        .vlans = t->conf.has_vlans ? &t->conf.vlans : NULL,
        .flows = &bf,
        .n_flows = flow ? 1 : 0,
        .user = ti->filter.insns,
        .n_user = ti->filter.n,
        .snaplen = t->conf.snaplen,
        .slice_up_to = t->conf.snaplen ? SLICE_UP_TO : 0,
    };
    struct filter_prog prog = {0};
    int r = bpfsel_make(&bc, t->program, &prog.n, err);
    if (r < 0) {
        return r;
    }
    prog.insns = malloc(prog.n * sizeof(*prog.insns));
    if (!prog.insns) {
        return error_sys(err, ENOMEM, "filter");
    }
    memcpy(prog.insns, t->program, prog.n * sizeof(*prog.insns));
    return worker_filter(ti->worker, &prog, flow);
}

static void on_flow(void *user, const struct ether_flow *flow)
{
    struct tap *t = user;
    for (unsigned i = 0; i < t->conf.n; i++) {
        struct error err = {""};
        if (set_filter(t, &t->conf.interface[i], flow, &err) < 0) {
            say("tap", "%s: %s", t->conf.interface[i].name, err.text);
        }
    }
}

static const struct client_ops client_ops = {on_connect, on_flow, on_say, on_stopped};

/* ---- events ---- */

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    (void)l;
    (void)sig;
    struct tap *t = user;
    client_stop(t->client);
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    struct tap *t = user;
    wake_clear(&t->wake);
    for (unsigned i = 0; i < t->conf.n; i++) {
        int e = worker_take_error(t->conf.interface[i].worker);
        if (e == ENETDOWN) {
            say("tap", "%s went down; capture goes on when it comes up again",
                t->conf.interface[i].name);
        } else if (e != 0) {
            say("tap", "%s: %s", t->conf.interface[i].name, strerror(e));
        }
    }
    client_workers_changed(t->client);
}

/* "any" must not tap what a collector on this host puts on its devices: that would never end. */
static void find_own_devices(struct tap *t)
{
    uint8_t data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    int own[RING_OWN_MAX];
    if (broker_call(t->broker, TAP_OWN, NULL, 0, data, &len, NULL, NULL) < 0) {
        return;
    }
    unsigned n = tap_own_decode(data, len, own);
    for (unsigned i = 0; i < t->conf.n; i++) {
        if (t->conf.interface[i].ring.ifindex == 0) {
            (void)worker_own_devices(t->conf.interface[i].worker, own, n);
        }
    }
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    find_own_devices(user);
}

/* ---- start and end ---- */

static int start_worker(struct tap *t, struct tap_interface *ti, struct error *err)
{
    struct client_stream cs = {.ifname = ti->name,
                               .filter = t->conf.filter ? t->conf.filter : "",
                               .snaplen = t->conf.snaplen,
                               .speed_bps = ti->speed_bps};
    struct worker_conf wc = {.stream = client_next_stream(t->client),
                             .keep_super = t->conf.keep_super,
                             .snaplen = t->conf.snaplen,
                             .name = ti->name,
                             .control = &t->wake};
    int r = worker_start(TAKE_PTR(ti->opened), &wc, &ti->worker, err);
    if (r < 0) {
        return r;
    }
    cs.worker = ti->worker;
    if (ti->ring.ifindex == 0) {
        uint32_t indexes[TAP_LINKS];
        for (unsigned i = 0; i < t->n_names; i++) {
            indexes[i] = t->names[i].index;
            t->name_list[i] = t->names[i].name;
        }
        (void)worker_ports(ti->worker, indexes, t->n_names);
        cs.ports = t->name_list;
        cs.n_ports = t->n_names;
    }
    r = client_add_stream(t->client, &cs, &ti->stream);
    return r < 0 ? error_sys(err, -r, "%s", ti->name) : 0;
}

static int open_rings(struct tap *t, bool *ret_any, struct error *err)
{
    *ret_any = false;
    for (uint32_t i = 0; i < t->conf.n; i++) {
        struct tap_interface *ti = &t->conf.interface[i];
        uint8_t which[4];
        int fd = -1;
        st_u32(which, i);
        int r = broker_call(t->broker, TAP_OPEN_RING, which, sizeof(which), NULL, NULL, &fd, err);
        if (r == 0) {
            r = ring_attach(fd, &ti->ring, &ti->opened, err);
            if (r < 0) {
                close(fd);
            }
        }
        if (r < 0) {
            return r;
        }
        *ret_any |= ti->ring.ifindex == 0;
    }
    return 0;
}

static int start_engine(struct tap *t, struct error *err)
{
    bool any = false;
    struct sandbox_conf sc;
    uint8_t data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    int r = loop_new(&t->loop);
    r = r < 0 ? r : wake_init(&t->wake);
    r = r < 0 ? r : loop_add_signals(t->loop, on_signal, t);
    r = r < 0 ? r : loop_add_fd(t->loop, t->wake.fd, EPOLLIN, on_wake, t, &t->wake_event);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    r = open_rings(t, &any, err);
    if (r == 0 && any && broker_call(t->broker, TAP_NAMES, NULL, 0, data, &len, NULL, err) == 0) {
        t->n_names = tap_names_decode(data, len, t->names);
    }
    broker_sandbox(t->broker, &sc);
    r = r < 0 ? r : sandbox_enter(&sc, err);
    struct client_conf cc = {.handshake = t->secrets.conf,
                             .name = t->conf.name,
                             .host = t->host,
                             .software = "farspan " FARSPAN_VERSION,
                             .collector = t->conf.collector_text,
                             .history = &t->history,
                             .ops = &client_ops,
                             .user = t};
    r = r < 0 ? r : client_new(t->loop, &cc, &t->client, err);
    secure_wipe(&cc.handshake, sizeof(cc.handshake));
    for (unsigned i = 0; r == 0 && i < t->conf.n; i++) {
        r = start_worker(t, &t->conf.interface[i], err);
    }
    if (r == 0 && any) {
        find_own_devices(t);
        r = loop_add_timer(t->loop, mono_add_ms(mono_now(), 1000), NSEC_PER_SEC, on_timer, t,
                           &t->timer);
    }
    for (unsigned i = 0; r == 0 && i < t->conf.n; i++) {
        r = set_filter(t, &t->conf.interface[i], NULL, err);
    }
    if (r == 0) {
        r = control_serve(t->loop, &t->control, document, t, &t->status);
        r = r < 0 ? error_sys(err, -r, "cannot start") : 0;
    }
    return r;
}

static void summary(const struct tap *t)
{
    for (unsigned i = 0; i < t->conf.n; i++) {
        const struct ledger *l = worker_ledger(t->conf.interface[i].worker);
        const char *name = t->conf.interface[i].name;
        fprintf(stderr,
                "%s: %" PRIu64 " captured\n%s: %" PRIu64 " received by filter\n%s: %" PRIu64
                " dropped by kernel\n",
                name, ledger_get(l, LEDGER_RING_OUT), name, ledger_get(l, LEDGER_RING_IN), name,
                ledger_get(l, LEDGER_RING_FULL));
        uint64_t lost = ledger_get(l, LEDGER_TX_NOSESSION);
        if (lost > 0) {
            fprintf(stderr, "%s: %" PRIu64 " dropped without a session\n", name, lost);
        }
    }
}

static int engine(struct tap *t)
{
    struct error err = {""};
    if (start_engine(t, &err) < 0) {
        say("tap", "%s", err.text);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < t->conf.n; i++) {
        say("tap", "listening on %s, sending to %s", t->conf.interface[i].name,
            t->conf.collector_text);
    }
    client_start(t->client);
    int status = loop_run(t->loop);
    summary(t);
    if (t->conf.json) {
        json_t *doc = document(t);
        json_dumpf(doc, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(doc);
        if (fflush(stdout) != 0) {
            say("tap", "cannot write to standard output: %m");
            return EXIT_FAILURE;
        }
    }
    return status;
}

static void tap_done(struct tap *t)
{
    control_free(t->status);
    client_free(t->client);
    for (unsigned i = 0; i < t->conf.n; i++) {
        worker_free(t->conf.interface[i].worker);
        ring_free(t->conf.interface[i].opened);
        filter_done(&t->conf.interface[i].filter);
    }
    if (t->loop) {
        loop_del_timer(t->loop, t->timer);
        loop_del_fd(t->loop, t->wake_event);
        loop_free(t->loop);
    }
    wake_done(&t->wake);
    broker_free(t->broker);
    secrets_done(&t->secrets);
    if (t->control.fd >= 0) {
        close(t->control.fd);
    }
    history_done(&t->history);
    free(t->conf.filter);
    free(t->conf.secret.passphrase);
}

/* The broker knows no secret. */
static void at_start(void *ctx)
{
    secrets_done(&((struct tap *)ctx)->secrets);
}

/* Runs in the broker when the engine has ended. */
static void at_end(void *ctx, int status)
{
    struct tap *t = (struct tap *)ctx;
    control_remove(&t->control);
    if (WIFSIGNALED(status)) {
        say("tap", "the engine was ended by signal %d (%s)", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    }
}

/* Looks up what the command line names, as long as privileges are there. */
static int prepare(struct tap *t, struct error *err)
{
    int may = ring_may_capture(err);
    if (may < 0) {
        return may;
    }
    for (unsigned i = 0; i < t->conf.n; i++) {
        struct tap_interface *ti = &t->conf.interface[i];
        enum netlink_framing framing = NETLINK_ETHERNET;
        struct netlink_link link = {0};
        if (strcmp(ti->name, "any") != 0) {
            int r = netlink_find(ti->name, &link, err);
            if (r < 0) {
                return r;
            }
            framing = netlink_framing(link.arphrd);
        }
        if (framing == NETLINK_OTHER) {
            return error_set(err, EOPNOTSUPP, "%s: its kind of link (ARPHRD %u) cannot be carried",
                             ti->name, link.arphrd);
        }
        if (framing == NETLINK_RAW_IP && t->conf.has_vlans) {
            return error_set(err, EINVAL, "%s has no VLANs: leave --vlan out", ti->name);
        }
        ti->ring = (struct ring_conf){.ifindex = link.index,
                                      .raw_ip = framing == NETLINK_RAW_IP,
                                      .promiscuous = t->conf.promiscuous,
                                      .ignore_outgoing = t->conf.dir == FRAME_DIR_IN,
                                      .bytes = t->conf.ring_bytes};
        int r = t->conf.filter
                    ? filter_compile(t->conf.filter, ti->name, framing, 0, &ti->filter, err)
                    : 0;
        if (r < 0) {
            return r;
        }
    }
    return secrets_load(&t->conf.secret, "tap", false, &t->secrets, err);
}

int cmd_tap(int argc, char **argv)
{
    static const int caps[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_SETUID, CAP_SETGID, CAP_IPC_LOCK};
    static struct tap t = {.wake = {-1}, .control = {.fd = -1}};
    struct error err = {""};
    int r = tap_parse(&t.conf, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    history_init(&t.history, HISTORY_MAX);
    system_words(t.host, sizeof(t.host));
    r = prepare(&t, &err);
    loop_hold_signals(); /* what is made from here on is taken away in order */
    if (r == 0 && control_listen(&t.control, t.conf.name, &err) < 0) {
        say("tap", "warning: farspan status will not see this tap: %s", err.text);
    }
    const struct broker_conf bc = {.requests = tap_requests,
                                   .n_requests = TAP_REQUESTS,
                                   .ctx = &t.conf,
                                   .caps = caps,
                                   .n_caps = ARRAY_SIZE(caps),
                                   .user = t.conf.user,
                                   .at_start = at_start,
                                   .at_end = at_end};
    r = r < 0 ? r : broker_start(&bc, &t.broker, &err);
    if (r < 0) {
        say("tap", "%s", err.text);
        control_remove(&t.control);
        tap_done(&t);
        return EXIT_FAILURE;
    }
    int status = engine(&t);
    tap_done(&t);
    return status;
}
