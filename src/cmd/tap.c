/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tap.h"
#include "node/document.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/text.h"
#include "sys/crypto/kdf.h"

enum {
    TICK_MS = 500,
};

static bool down(const struct tap_interface *ti)
{
    return ti->now.index != 0 && !(ti->now.flags & IFF_UP);
}

static json_t *document(void *user)
{
    struct tap *t = user;
    struct report_tap_interface list[TAP_INTERFACES];
    for (unsigned i = 0; i < t->n; i++) {
        const struct tap_interface *ti = t->interface[i];
        list[i] = (struct report_tap_interface){ti->name,
                                                !ti->there ? "gone"
                                                : down(ti) ? "down"
                                                           : "up",
                                                ti->stream, ti->capture};
    }
    return report_tap(t->conf.name, t->dialer, list, t->n, &t->gone, &t->history);
}

/* ---- what the link asks for ---- */

static int on_connect(void *user, enum dialer_where where, int *ret_fd, struct error *err)
{
    struct tap *t = user;
    uint8_t number = (uint8_t)where;
    return broker_call(t->broker, TAP_CONNECT, &number, 1, NULL, NULL, ret_fd, err);
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

static void on_flow(void *user, const struct ether_flow *flow)
{
    tap_links_flow(user, flow);
}

static void on_stream_ended(void *user, uint16_t id)
{
    tap_forgotten(user, id);
}

static const struct dialer_ops dialer_ops = {on_connect, on_flow, on_say, on_stream_ended,
                                             on_stopped};

/* ---- events ---- */

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    (void)l;
    struct tap *t = user;
    if (!sig->ignored) {
        dialer_stop(t->dialer);
    }
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    struct tap *t = user;
    wake_clear(&t->wake);
    for (unsigned i = 0; i < t->n; i++) {
        int e = capture_take_error(t->interface[i]->capture);
        if (e != 0 && e != ENETDOWN) { /* of that one the kernel tells more */
            say("tap", "%s: %s", t->interface[i]->name, strerror(e));
        }
    }
    tap_tell_amplified(t);
    dialer_senders_changed(t->dialer);
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    tap_links_tick(user);
    tap_memory_tick(user, now);
}

/* ---- start and end ---- */

static int start_engine(struct tap *t, struct error *err)
{
    struct sandbox_conf sc;
    int r = loop_new(&t->loop);
    r = r < 0 ? r : wake_init(&t->wake);
    r = r < 0 ? r : loop_add_signals(t->loop, on_signal, t);
    r = r < 0 ? r : loop_add_fd(t->loop, t->wake.fd, EPOLLIN, on_wake, t, &t->wake_event);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    broker_sandbox(t->broker, &sc);
    sc.no_addresses = true;
    if (sandbox_does_without(&sc, err)) {
        say("tap", "%s", err->text);
    }
    r = sandbox_enter(&sc, err);
    struct dialer_conf cc = {.handshake = t->secrets.conf,
                             .name = t->conf.name,
                             .host = t->host,
                             .software = "farspan " FARSPAN_VERSION,
                             .collector = t->conf.collector_text,
                             .mtu = t->conf.mtu,
                             .history = &t->history,
                             .ops = &dialer_ops,
                             .user = t};
    r = r < 0 ? r : dialer_new(t->loop, &cc, &t->dialer, err);
    secure_wipe(&cc.handshake, sizeof(cc.handshake));
    if (r == 0 && t->conf.backlog_bytes > 0) {
        t->backlog = backlog_pool_new(t->conf.backlog_bytes);
        r = t->backlog ? 0 : error_sys(err, ENOMEM, "cannot start");
    }
    if (r == 0 && random_bytes(&t->seed, sizeof(t->seed)) < 0) {
        r = error_set(err, EIO, "cannot start: no random numbers");
    }
    r = r < 0 ? r : tap_links_start(t, err);
    if (r == 0) {
        r = loop_add_timer(t->loop, mono_add_ms(mono_now(), TICK_MS), TICK_MS * NSEC_PER_MSEC,
                           on_timer, t, &t->timer);
        r = r < 0 ? r : status_socket_serve(t->loop, &t->control, document, t, &t->status);
        r = r < 0 ? error_sys(err, -r, "cannot start") : 0;
    }
    return r;
}

static void summary_of(const char *of, const struct ledger *l, uint64_t unconfirmed)
{
    char name[TEXT_ESCAPE * 32];
    text_name(name, sizeof(name), of, strlen(of));
    fprintf(stderr,
            "%s: %" PRIu64 " captured\n%s: %" PRIu64 " received by filter\n%s: %" PRIu64
            " dropped by kernel\n",
            name, ledger_get(l, LEDGER_RING_OUT), name, ledger_get(l, LEDGER_RING_IN), name,
            ledger_get(l, LEDGER_RING_FULL) + ledger_get(l, LEDGER_RING_OFFLOAD));
    static const struct {
        enum ledger_id id;
        const char *words;
    } drops[] = {
        {LEDGER_TX_NOSESSION, "dropped without a session"},
        {LEDGER_TX_BACKLOG_FULL, "dropped, oldest in a full backlog"},
        {LEDGER_TX_LEFT, "dropped, left in the backlog when time was up"},
    };
    for (size_t k = 0; k < ARRAY_SIZE(drops); k++) {
        uint64_t lost = ledger_get(l, drops[k].id);
        if (lost > 0) {
            fprintf(stderr, "%s: %" PRIu64 " %s\n", name, lost, drops[k].words);
        }
    }
    if (unconfirmed > 0) {
        fprintf(stderr, "%s: %" PRIu64 " %s\n", name, unconfirmed,
                ledger_info(LEDGER_TX_UNCONFIRMED)->words);
    }
}

/* Returns how many frames no report of the collector has confirmed. */
static uint64_t summary(const struct tap *t)
{
    struct dialer_status st;
    uint64_t unconfirmed = t->gone.said.unconfirmed;
    for (unsigned i = 0; i < t->n; i++) {
        struct dialer_stream_status said;
        dialer_stream_status(t->dialer, t->interface[i]->stream, &said);
        summary_of(t->interface[i]->name, capture_ledger(t->interface[i]->capture),
                   said.unconfirmed);
        unconfirmed += said.unconfirmed;
    }
    if (t->gone.n > 0) {
        summary_of("interfaces that are gone", &t->gone.ledger, t->gone.said.unconfirmed);
    }
    dialer_status(t->dialer, &st);
    if (st.sessions == 0) {
        say("tap", "there never was a session with the collector at %s", t->conf.collector_text);
    }
    return unconfirmed;
}

/* A capture of which nothing can have arrived is a failure, and with --strict one of which
 * something may be missing. */
static int verdict(const struct tap *t, uint64_t unconfirmed)
{
    struct dialer_status st;
    dialer_status(t->dialer, &st);
    return st.sessions == 0 || (t->conf.strict && unconfirmed > 0) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int engine(struct tap *t)
{
    struct error err = {""};
    if (start_engine(t, &err) < 0) {
        say("tap", "%s", err.text);
        return EXIT_FAILURE;
    }
    dialer_start(t->dialer);
    int status = loop_run(t->loop);
    uint64_t unconfirmed = summary(t);
    if (t->conf.json) {
        json_t *doc = document(t);
        document_print(doc, JSON_INDENT(2), stdout);
        json_decref(doc);
        if (fflush(stdout) != 0) {
            say("tap", "cannot write to standard output: %m");
            return EXIT_FAILURE;
        }
    }
    return status == EXIT_SUCCESS ? verdict(t, unconfirmed) : status;
}

static void tap_done(struct tap *t)
{
    status_socket_free(t->status);
    dialer_free(t->dialer);
    for (unsigned i = 0; i < t->n; i++) {
        capture_free(t->interface[i]->capture);
        free(t->interface[i]);
    }
    backlog_pool_free(t->backlog);
    for (unsigned i = 0; i < ARRAY_SIZE(t->conf.program); i++) {
        filter_done(&t->conf.program[i]);
    }
    netns_free(t->conf.netns);
    if (t->loop) {
        tap_links_stop(t);
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
    status_socket_remove(&t->control);
    if (WIFSIGNALED(status)) {
        say("tap", "the engine was ended by signal %d (%s)", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    }
}

/* The user's filter for both kinds of frames, as it may be needed later for another than now. */
static int compile(struct tap_conf *c, struct error *err)
{
    static const enum netif_framing kinds[] = {NETIF_ETHERNET, NETIF_RAW_IP};
    int r[ARRAY_SIZE(kinds)] = {0};
    for (size_t i = 0; c->filter && i < ARRAY_SIZE(kinds); i++) {
        r[i] = filter_compile(c->filter, NULL, kinds[i], 0, &c->program[kinds[i]],
                              &c->program_error[kinds[i]]);
    }
    if (r[0] < 0 && r[1] < 0) {
        *err = c->program_error[NETIF_ETHERNET];
        return r[0];
    }
    return 0;
}

/* Interfaces that the command line names have to be there at the start: later they may come and go.
 */
static int find_interfaces(const struct tap_conf *c, struct error *err)
{
    for (unsigned i = 0; i < c->n_words; i++) {
        struct netif link = {0};
        const struct tap_word *w = &c->word[i];
        if (w->pattern) {
            continue;
        }
        int r = netif_find(w->text, &link, err);
        r = r < 0 ? r : tap_may_carry(c, &link, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Looks up what the command line names, as long as privileges are there. */
static int prepare(struct tap *t, struct error *err)
{
    struct tap_conf *c = &t->conf;
    int r = ring_may_capture(err);
    r = r < 0 ? r : compile(c, err);
    if (r == 0 && c->netns_text) {
        r = netns_open(c->netns_text, &c->netns, err);
        r = r < 0 ? r : netns_enter(c->netns, err);
    }
    if (r == 0) {
        r = find_interfaces(c, err);
        if (c->netns) {
            netns_leave(c->netns);
        }
    }
    return r < 0 ? r : secrets_load(&c->secret, "tap", false, &t->secrets, err);
}

int cmd_tap(int argc, char **argv)
{
    /* The last one is for --netns only: to enter another namespace. */
    static const int caps[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_SETUID,
                               CAP_SETGID,  CAP_IPC_LOCK,  CAP_SYS_ADMIN};
    static struct tap t = {
        .conf.backlog_bytes = 64 << 20, .wake = {-1}, .control = {.fd = -1}, .watch = -1};
    struct error err = {""};
    int r = tap_parse(&t.conf, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    history_init(&t.history, HISTORY_MAX);
    system_words(t.host, sizeof(t.host));
    r = prepare(&t, &err);
    loop_hold_signals(); /* what is made from here on is taken away in order */
    if (r == 0 && status_socket_listen(&t.control, t.conf.name, &err) < 0) {
        say("tap", "warning: farspan status will not see this tap: %s", err.text);
    }
    const struct broker_conf bc = {.requests = tap_requests,
                                   .n_requests = TAP_REQUESTS,
                                   .ctx = &t.conf,
                                   .caps = caps,
                                   .n_caps = ARRAY_SIZE(caps) - (t.conf.netns ? 0 : 1),
                                   .user = t.conf.user,
                                   .at_start = at_start,
                                   .at_end = at_end};
    r = r < 0 ? r : broker_start(&bc, &t.broker, &err);
    if (r < 0) {
        say("tap", "%s", err.text);
        status_socket_remove(&t.control);
        tap_done(&t);
        return EXIT_FAILURE;
    }
    netns_free(TAKE_PTR(t.conf.netns)); /* the broker's copy is the one that is used */
    int status = engine(&t);
    tap_done(&t);
    return status;
}
