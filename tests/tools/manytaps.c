/* SPDX-License-Identifier: Apache-2.0
 *
 * Many taps in one process: each is the product's own dialer with a socket, keys, a name and a
 * ledger of its own, and makes real handshakes; only the capture ring and its thread are replaced,
 * by frames that are made here. What a thousand taps cost a collector is measured with it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "data/link/dial/dialer.h"
#include "data/link/world/plain_sender.h"
#include "sys/crypto/keys.h"

enum {
    TICK_MS = 10,
    FRAME_MAX = 1514,
    PERSONAL_SEED = 0x66, /* private keys of these taps: for tests only */
};

struct many;

struct tap {
    struct many *many;
    struct dialer *dialer;
    struct plain_sender sender; /* stands for the tap's data thread, in the loop's own */
    uint64_t made;              /* frames */
    struct history history;
    struct mono since; /* of its first frame */
    char name[LINK_NAME_MAX + 1], ifname[16];
    bool stopped;
};

struct conf {
    struct handshake_conf secret;
    struct udp_addr peer;
    const char *collector, *prefix;
    uint64_t taps, first, frames, rate, len;
    bool allow, verbose;
};

struct many {
    struct conf conf;
    struct loop *loop;
    struct tap *tap;
    struct mono start;
    unsigned n_up, n_stopped;
    bool all_up, all_sent, stopping;
    int64_t up_ms;
    uint8_t frame[FRAME_MAX];
};

static const char usage[] =
    "Usage: manytaps -c ADDRESS:PORT (-k PASSPHRASE | -K | -P KEY) [-n TAPS] [-m FRAMES] [-r "
    "RATE]\n"
    "                [-l BYTES] [-p PREFIX] [-f FIRST] [-v]\n"
    "       manytaps -A [-n TAPS] [-p PREFIX]\n"
    "Connects TAPS taps, named PREFIX0 and so on from FIRST, each of which sends FRAMES frames\n"
    "(0: without end) at RATE a second; tells at each time that all are up and when all have sent\n"
    "theirs; on SIGINT or SIGTERM ends the sessions in order and prints the taps' ledgers, JSON.\n"
    "-P: the collector's public key; -A prints the list of keys for its --allow.\n";

/* ---- the data thread's part ---- */

static void make_frames(struct tap *t, uint64_t n)
{
    static struct batch b;
    struct sink *tx = t->sender.tx;
    struct ledger *l = &t->sender.ledger;
    while (n > 0) {
        b.n = (uint32_t)MIN(n, BATCH_MAX);
        for (unsigned i = 0; i < b.n; i++) {
            b.f[i] = (struct frame){.data = t->many->frame,
                                    .datalen = (uint32_t)t->many->conf.len,
                                    .caplen = (uint32_t)t->many->conf.len,
                                    .origlen = (uint32_t)t->many->conf.len,
                                    .ts_ns = wall_now().ns};
        }
        ledger_add(l, LEDGER_RING_IN, b.n);
        ledger_add(l, LEDGER_RING_OUT, b.n);
        ledger_add(l, LEDGER_SEL_OUT, b.n);
        ledger_add(l, LEDGER_CUT_OUT, b.n);
        t->made += b.n;
        n -= b.n;
        tx->ops->write(tx, &b);
    }
    tx->ops->flush(tx);
}

/* ---- the dialer's surroundings ---- */

static int on_connect(void *user, enum dialer_where where, int *ret_fd, struct error *err)
{
    const struct tap *t = user;
    (void)where; /* there is no name to look up */
    return udp_connect(&t->many->conf.peer, ret_fd, err);
}

static void on_flow(void *user, const struct ether_flow *flow)
{
    (void)user;
    (void)flow;
}

static void on_say(void *user, bool error, const char *text)
{
    const struct tap *t = user;
    if (t->many->conf.verbose && error) {
        fprintf(stderr, "%s: %s\n", t->name, text);
    }
}

static void on_stopped(void *user)
{
    struct tap *t = user;
    t->stopped = true;
    if (++t->many->n_stopped == t->many->conf.taps) {
        loop_stop(t->many->loop, 0);
    }
}

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct many *m = user;
    (void)sig;
    if (m->stopping) {
        loop_stop(l, 1);
        return;
    }
    m->stopping = true;
    for (unsigned i = 0; i < m->conf.taps; i++) {
        dialer_stop(m->tap[i].dialer);
    }
}

static void give_frames(struct tap *t, struct mono now)
{
    const struct conf *c = &t->many->conf;
    uint64_t due = (uint64_t)(mono_diff(now, t->since) / NSEC_PER_MSEC) * c->rate / 1000;
    due = c->frames > 0 ? MIN(due, c->frames) : due;
    if (due > t->made) {
        make_frames(t, due - t->made);
    }
}

static void on_tick(struct loop *l, struct mono now, void *user)
{
    struct many *m = user;
    unsigned up = 0, sent = 0;
    (void)l;
    if (m->stopping) {
        return;
    }
    for (unsigned i = 0; i < m->conf.taps; i++) {
        struct tap *t = &m->tap[i];
        if (t->sender.serial != 0) {
            up++;
            t->since = t->since.ns ? t->since : now;
        }
        if (t->since.ns) {
            give_frames(t, now);
            sent += m->conf.frames > 0 && t->made == m->conf.frames;
        }
    }
    if (up == m->conf.taps && !m->all_up) {
        int64_t ms = mono_diff(now, m->start) / NSEC_PER_MSEC;
        m->up_ms = m->up_ms ? m->up_ms : ms;
        fprintf(stderr, "all %u taps are up after %" PRId64 " ms\n", up, ms);
    }
    if (sent == m->conf.taps && !m->all_sent) {
        m->all_sent = true;
        fprintf(stderr, "all %u taps have sent their frames\n", sent);
    }
    m->all_up = up == m->conf.taps;
    m->n_up = up;
}

static void personal_key(const struct conf *c, uint64_t i, uint8_t ret[KEY_LEN])
{
    memset(ret, PERSONAL_SEED, KEY_LEN);
    st_u64(ret + 8, c->first + i);
}

static int start_tap(struct many *m, unsigned i, struct error *err)
{
    static const struct dialer_ops ops = {
        .connect = on_connect, .flow = on_flow, .say = on_say, .stopped = on_stopped};
    struct tap *t = &m->tap[i];
    uint16_t id = 0;
    t->many = m;
    snprintf(t->name, sizeof(t->name), "%.20s%" PRIu64, m->conf.prefix, m->conf.first + i);
    snprintf(t->ifname, sizeof(t->ifname), "eth0");
    history_init(&t->history, 1);
    struct dialer_conf cc = {.handshake = m->conf.secret,
                             .history = &t->history,
                             .name = t->name,
                             .host = "manytaps",
                             .software = "manytaps",
                             .collector = m->conf.collector,
                             .ops = &ops,
                             .user = t};
    personal_key(&m->conf, i, cc.handshake.identity);
    int r = plain_sender_init(&t->sender, 1, NULL);
    if (r < 0) {
        return error_sys(err, -r, "a tap's link");
    }
    r = dialer_new(m->loop, &cc, &t->dialer, err);
    const struct dialer_stream cs = {.ifname = t->ifname, .filter = "", .sender = &t->sender.head};
    r = r < 0 ? r : dialer_add_stream(t->dialer, &cs, &id);
    if (r == 0) {
        dialer_start(t->dialer);
    }
    return r;
}

/* ---- the end ---- */

static void print_tap(const struct tap *t, bool last)
{
    const struct ledger *l = &t->sender.ledger;
    struct dialer_status st;
    struct dialer_stream_status ss;
    dialer_status(t->dialer, &st);
    dialer_stream_status(t->dialer, 1, &ss);
    printf(" {\"name\": \"%s\", \"made\": %" PRIu64 ", \"sent\": %" PRIu64
           ", \"no_session\": %" PRIu64 ", \"unsent_datagrams\": %" PRIu64
           ", \"confirmed\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"sessions\": %u, \"rekeys\": %u}%s\n",
           t->name, t->made, ledger_get(l, LEDGER_TX_OUT), ledger_get(l, LEDGER_TX_NOSESSION),
           ledger_get(l, LEDGER_TX_UNSENT), ss.confirmed, ss.reported_lost, st.sessions, st.rekeys,
           last ? "" : ",");
}

static void print_all(const struct many *m)
{
    printf("{\"taps\": %" PRIu64 ", \"up_ms\": %" PRId64 ", \"list\": [\n", m->conf.taps, m->up_ms);
    for (unsigned i = 0; i < m->conf.taps; i++) {
        print_tap(&m->tap[i], i + 1 == m->conf.taps);
    }
    printf("]}\n");
}

static int print_allow(const struct conf *c)
{
    for (uint64_t i = 0; i < c->taps; i++) {
        uint8_t private[KEY_LEN], public[KEY_LEN];
        char text[KEY_TEXT_LEN + 1];
        personal_key(c, i, private);
        key_public(private, public);
        key_format(public, text);
        printf("%s %s%" PRIu64 "\n", text, c->prefix, c->first + i);
    }
    return 0;
}

/* ---- the command line ---- */

static int set_peer(struct conf *c, const char *arg, struct error *err)
{
    struct host_port hp;
    int r = parse_host_port(arg, &hp, err);
    c->collector = arg;
    if (r == 0 && inet_pton(AF_INET, hp.host, &c->peer.v4.sin_addr) == 1) {
        c->peer.v4.sin_family = AF_INET;
        c->peer.len = sizeof(c->peer.v4);
    } else if (r == 0 && inet_pton(AF_INET6, hp.host, &c->peer.v6.sin6_addr) == 1) {
        c->peer.v6.sin6_family = AF_INET6;
        c->peer.len = sizeof(c->peer.v6);
    } else if (r == 0) {
        return error_set(err, EINVAL, "-c %s: an address is needed, not a name", arg);
    }
    c->peer.v4.sin_port = htons(hp.port); /* at the same place in both families */
    return r;
}

static int set_option(struct conf *c, int opt, const char *arg, struct error *err)
{
    switch (opt) {
    case 'c':
        return set_peer(c, arg, err);
    case 'k':
        c->secret.method = LINK_CPACE;
        c->secret.passphrase = arg;
        return 0;
    case 'K':
        c->secret.method = LINK_PLAIN;
        return 0;
    case 'P':
        c->secret.method = LINK_NOISE;
        return key_parse(arg, strlen(arg), c->secret.peer);
    case 'A':
        c->allow = true;
        return 0;
    case 'n':
        return parse_u64(arg, "-n", 1, 100000, &c->taps, err);
    case 'f':
        return parse_u64(arg, "-f", 0, UINT32_MAX, &c->first, err);
    case 'm':
        return parse_u64(arg, "-m", 0, UINT32_MAX, &c->frames, err);
    case 'r':
        return parse_u64(arg, "-r", 0, 1000000, &c->rate, err);
    case 'l':
        return parse_u64(arg, "-l", 14, FRAME_MAX, &c->len, err);
    case 'p':
        c->prefix = arg;
        return 0;
    case 'v':
        c->verbose = true;
        return 0;
    default:
        return error_set(err, EINVAL, "%s", usage);
    }
}

static int parse(struct conf *c, int argc, char **argv, struct error *err)
{
    *c = (struct conf){.prefix = "tap", .taps = 100, .rate = 10, .len = 200};
    for (int opt; (opt = getopt(argc, argv, "c:k:KP:An:f:m:r:l:p:v")) != -1;) {
        int r = set_option(c, opt, optarg, err);
        if (r < 0) {
            return err->text[0] ? r : error_set(err, EINVAL, "-%c %s: not a key", opt, optarg);
        }
    }
    c->secret.aeads = handshake_aeads(c->secret.method);
    return c->allow || c->peer.len ? 0 : error_set(err, EINVAL, "%s", usage);
}

static int start(struct many *m, struct error *err)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* two descriptors a tap */
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    m->tap = calloc(m->conf.taps, sizeof(*m->tap));
    int r = m->tap ? loop_new(&m->loop) : -ENOMEM;
    r = r < 0 ? r : loop_add_signals(m->loop, on_signal, m);
    m->start = mono_now();
    r = r < 0 ? r
              : loop_add_timer(m->loop, mono_add_ms(m->start, TICK_MS), TICK_MS * NSEC_PER_MSEC,
                               on_tick, m, NULL);
    for (unsigned i = 0; r == 0 && i < m->conf.taps; i++) {
        r = start_tap(m, i, err);
    }
    return r < 0 && !err->text[0] ? error_sys(err, -r, "cannot start") : r;
}

int main(int argc, char **argv)
{
    static struct many m;
    struct error err = {""};
    int r = parse(&m.conf, argc, argv, &err);
    if (r == 0 && m.conf.allow) {
        return print_allow(&m.conf);
    }
    r = r < 0 ? r : start(&m, &err);
    if (r < 0) {
        fprintf(stderr, "manytaps: %s\n", err.text);
        return 2;
    }
    int status = loop_run(m.loop);
    print_all(&m);
    for (unsigned i = 0; i < m.conf.taps; i++) {
        dialer_free(m.tap[i].dialer);
        history_done(&m.tap[i].history);
        plain_sender_done(&m.tap[i].sender);
    }
    loop_free(m.loop);
    free(m.tap);
    return status;
}
