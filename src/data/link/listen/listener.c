/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/listen/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "data/link/listen/impl.h"
#include "sys/crypto/kdf.h"

/* ---- handshakes ---- */

/* No secret was guessed, and the sender's address may be forged: so the guard hears nothing of it,
 * and answers and sentences are bounded instead. */
static void refused(struct listener *s, const struct receiver_event *e, uint8_t why,
                    uint32_t sender)
{
    char text[UDP_ADDR_TEXT];
    udp_addr_text(&e->from, text);
    s->counters.wrong_key += why == LINK_REASON_KEY;
    s->counters.wrong_method += why != LINK_REASON_KEY;
    if (s->hints++ < LISTENER_HINTS) {
        listener_reject(s, e, why, sender);
    }
    if (s->words++ >= LISTENER_WORDS) {
        return;
    }
    if (why == LINK_REASON_KEY) {
        listener_say(s, true, "a tap at %s has a key that is not allowed", text);
    } else {
        listener_say(
            s, true,
            s->conf.handshake.method == LINK_PLAIN
                ? "a tap at %s wants encryption, this collector was started with -K"
                : "a tap at %s offers another method (clear text, passphrase or keys) than "
                  "this collector was started with",
            text);
    }
}

static void wrong_secret(struct listener *s, const struct receiver_event *e, uint32_t times)
{
    char text[UDP_ADDR_TEXT];
    udp_addr_text(&e->from, text);
    s->counters.wrong_secret++;
    if (s->words++ < LISTENER_WORDS) {
        listener_say(s, true, "wrong passphrase from %s (%u in a row)", text, times);
    }
}

static void reject(struct listener *s, const struct receiver_event *e, const struct verdict *v,
                   uint32_t sender)
{
    if (v->why != LINK_REASON_SECRET && v->why != LINK_REASON_BUSY) {
        refused(s, e, v->why, sender);
        return;
    }
    if (v->why == LINK_REASON_SECRET) {
        wrong_secret(s, e, v->guesses);
    }
    listener_reject(s, e, v->why, sender);
}

static void carry_out(struct listener *s, const struct receiver_event *e, const struct verdict *v,
                      uint32_t sender)
{
    switch (v->kind) {
    case VERDICT_TAKE:
        listener_answer(s, e, v->real, v->answer, v->len);
        break;
    case VERDICT_COOKIE:
        listener_send_cookie(s, e, sender);
        break;
    case VERDICT_REJECT:
        reject(s, e, v, sender);
        break;
    case VERDICT_DROP:
    default:
        break;
    }
}

static void on_handshake(struct listener *s, const struct receiver_event *e)
{
    struct link_hs m;
    int r = link_hs_decode(e->data, e->len, &m);
    if (r == -EPROTONOSUPPORT) {
        char text[UDP_ADDR_TEXT];
        udp_addr_text(&e->from, text);
        s->counters.wrong_version++;
        if (s->words++ < LISTENER_WORDS) {
            listener_say(s, true,
                         "a tap at %s speaks version %u of the protocol, this collector %u", text,
                         m.version, LINK_VERSION);
        }
        if (e->len == LINK_HELLO_LEN && s->hints++ < LISTENER_HINTS) { /* no answer to less */
            listener_reject(s, e, LINK_REASON_VERSION, m.sender);
        }
    } else if (r == 0) {
        struct verdict v;
        listener_admit(s, e, &m, &v);
        carry_out(s, e, &v, m.sender);
    }
}

/* ---- the loop ---- */

static void on_event(struct listener *s, const struct receiver_event *e)
{
    switch (e->kind) {
    case RECEIVER_HANDSHAKE:
    case RECEIVER_COOKIE:
    case RECEIVER_REKEY:
    case RECEIVER_CONFIRM:
        on_handshake(s, e);
        break;
    case RECEIVER_CONTROL:
        listener_control(s, e);
        break;
    case RECEIVER_UNKNOWN:
        /* It may be a session of ours before a restart: the tap would wait for its timeout. What
         * it learns has no proof, so it only hastens a handshake; it is no larger than the record.
         */
        if (s->hints++ < LISTENER_HINTS) {
            listener_reject(s, e, LINK_REASON_SESSION, e->index);
        }
        break;
    case RECEIVER_CLOSED:
        listener_session_closed(s, e->session);
        break;
    case RECEIVER_ENDED:
        listener_stream_ended(s, e->session, (uint16_t)e->index);
        break;
    case RECEIVER_STAGE:
        listener_event(s, (enum history_kind)e->index, "stages", (const char *)e->data);
        listener_say(s, false, "%s", (const char *)e->data);
        break;
    case RECEIVER_FAILED:
        listener_say(s, true, "%s", (const char *)e->data);
        s->conf.ops->failed(s->conf.user);
        break;
    case RECEIVER_EVENT_KINDS: /* is none */
    default:
        break;
    }
}

/* A part of what is there, from each data thread in turn: handshakes are dear, and timers want
 * theirs. */
static void drain(struct listener *s)
{
    bool any = true;
    for (unsigned i = 0; any && i < LISTENER_EVENTS; i++) {
        any = false;
        for (unsigned t = 0; t < s->conf.n_threads; t++) {
            _cleanup_(freep) struct receiver_event *e = receiver_event(s->receiver[t]);
            if (e) {
                on_event(s, e);
                any = true;
            }
        }
    }
    if (any) {
        wake_signal(&s->wake);
    }
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    struct listener *s = user;
    wake_clear(&s->wake);
    drain(s);
}

static void tick_keys(struct listener *s, struct mono now)
{
    for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
        struct key *k = s->key[i];
        if (!k) {
            continue;
        }
        if (k->info) {
            listener_info_waits(s, k);
        }
        bool current = k->session && k->session->key == k;
        if (mono_due(now, k->expires) && !current) {
            listener_drop_key(s, k);
        } else if (current && mono_due(now, mono_add_ms(k->made, LISTENER_KEY_MS))) {
            listener_tell(s, k->session->peer, true, ": its key is too old, its session is closed");
            listener_session_end(s, k->session);
        }
    }
}

/* Secrets that change reach the data threads, at a later tick where one has not kept up. */
static void turn_cookies(struct listener *s, struct mono now)
{
    struct mono made = s->cookies.made;
    (void)cookie_turn(&s->cookies, now);
    for (unsigned t = 0; t < s->conf.n_threads; t++) {
        s->cookies_told[t] = s->cookies_told[t] && s->cookies.made.ns == made.ns;
        s->cookies_told[t] =
            s->cookies_told[t] || receiver_cookies(s->receiver[t], &s->cookies) == 0;
    }
}

static void on_tick(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct listener *s = user;
    if (mono_due(now, s->next_words)) {
        s->next_words = mono_add_ms(now, 1000);
        s->words = 0;
    }
    s->hints = 0;
    listener_tell_tick(s, now);
    listener_clock_tick(s);
    turn_cookies(s, now);
    tick_keys(s, now);
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        if (s->session[i]) {
            listener_session_tick(s, s->session[i], now);
        }
    }
}

static int start_receiver(struct listener *s, unsigned t, struct error *err)
{
    struct receiver_conf rc = {.fd = s->conf.fd[t],
                               .thread = t,
                               .n_threads = s->conf.n_threads,
                               .stages = s->conf.stages,
                               .restage = s->conf.restage,
                               .align = s->conf.align,
                               .control = &s->wake,
                               .record = s->conf.record,
                               .user = s->conf.user};
    int r = fan_new(s->conf.outputs + (size_t)t * s->conf.n_outputs, s->conf.n_outputs, &rc.sink);
    return r < 0 ? error_sys(err, -r, "cannot start receiving")
                 : receiver_start(&rc, &s->receiver[t], err);
}

static int start(struct listener *s, struct error *err)
{
    uint64_t seed = 0;
    int r = wake_init(&s->wake);
    if (r == 0) {
        r = random_bytes(&seed, sizeof(seed));
    }
    if (r == 0) {
        r = listener_index_init(s, seed);
    }
    if (r == 0) {
        r = cookie_init(&s->cookies, mono_now());
    }
    if (r == 0) {
        r = loop_add_fd(s->loop, s->wake.fd, EPOLLIN, on_wake, s, &s->wake_event);
    }
    if (r == 0) {
        r = loop_add_timer(s->loop, mono_add_ms(mono_now(), LISTENER_TICK_MS),
                           LISTENER_TICK_MS * NSEC_PER_MSEC, on_tick, s, &s->tick);
    }
    if (r < 0) {
        return error_sys(err, -r, "cannot start the link");
    }
    guard_init(&s->guard, seed, mono_now());
    admission_init(&s->admission, seed, mono_now());
    bucket_init(&s->devices, LISTENER_DEVICES_BURST, mono_now());
    s->send_buffer = udp_send_buffer(s->conf.fd[0]);
    if (s->send_buffer < 0) {
        return error_sys(err, -s->send_buffer, "cannot start the link");
    }
    s->next_words = mono_add_ms(mono_now(), 1000);
    for (unsigned t = 0; r == 0 && t < s->conf.n_threads; t++) {
        r = start_receiver(s, t, err);
    }
    for (unsigned t = 0; r == 0 && t < s->conf.n_threads; t++) {
        s->cookies_told[t] = receiver_cookies(s->receiver[t], &s->cookies) == 0;
    }
    return r;
}

int listener_output(struct listener *s, unsigned thread, unsigned place, struct sink *output,
                    _Atomic unsigned *done)
{
    return receiver_output(s->receiver[thread], place, output, done);
}

int listener_stages(struct listener *s, const struct stage_list *stages)
{
    int r = 0;
    for (unsigned t = 0; t < s->conf.n_threads; t++) {
        int e = receiver_stages(s->receiver[t], stages);
        r = e < 0 ? e : r;
    }
    return r;
}

int listener_new(struct loop *loop, const struct listener_conf *conf, struct listener **ret,
                 struct error *err)
{
    struct listener *s = conf->n_outputs <= FAN_SINKS ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        return error_sys(err, conf->n_outputs > FAN_SINKS ? EINVAL : ENOMEM,
                         "cannot start the link");
    }
    history_init(&s->history, HISTORY_MAX);
    s->history.share = HISTORY_SHARE;
    s->loop = loop;
    s->conf = *conf;
    for (unsigned i = 0; i < conf->n_outputs; i++) {
        s->output[i] = conf->outputs[i];
    }
    s->wake.fd = -1;
    s->io = (struct udp_io){.fd = conf->fd[0]};
    int r = start(s, err);
    if (r < 0) {
        listener_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

static void sum_figures(const struct listener *s, struct listener_counters *ret)
{
    ret->receiver = (struct receiver_figures){0};
    ret->n_threads = s->conf.n_threads;
    for (unsigned t = 0; t < s->conf.n_threads; t++) {
        uint64_t before = ret->receiver.datagrams;
        receiver_figures(s->receiver[t], &ret->receiver);
        ret->datagrams_of[t] = ret->receiver.datagrams - before;
    }
}

void listener_stop(struct listener *s)
{
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        struct session *ss = s->session[i];
        if (ss && !ss->closing && ss->key) {
            listener_send_close(s, ss, LINK_CLOSE_END);
        }
    }
    for (unsigned i = 0; i < s->n_peers; i++) {
        listener_tell_rest(s, s->peer[i]);
    }
    sum_figures(s, &s->counters);
    for (unsigned t = 0; t < s->conf.n_threads; t++) {
        receiver_free(TAKE_PTR(s->receiver[t]));
    }
}

void listener_free(struct listener *s)
{
    if (!s) {
        return;
    }
    for (unsigned t = 0; t < s->conf.n_threads; t++) {
        receiver_free(s->receiver[t]);
    }
    listener_index_done(s);
    loop_del_fd(s->loop, s->wake_event);
    loop_del_timer(s->loop, s->tick);
    wake_done(&s->wake);
    for (unsigned i = 0; i < RECEIVER_SLOTS; i++) {
        if (s->key[i]) {
            listener_key_free(s->key[i]);
        }
    }
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        free(s->session[i]);
    }
    for (unsigned i = 0; i < s->n_peers; i++) {
        listener_peer_free(s->peer[i]);
    }
    history_done(&s->history);
    allow_done(&s->allow);
    cookie_done(&s->cookies);
    secure_wipe(&s->conf.handshake, sizeof(s->conf.handshake)); /* the identity */
    free(s);
}

void listener_counters(const struct listener *s, struct listener_counters *ret)
{
    *ret = s->counters;
    if (s->receiver[0]) {
        sum_figures(s, ret);
    }
}
