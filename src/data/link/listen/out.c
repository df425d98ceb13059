/* SPDX-License-Identifier: Apache-2.0
 *
 * All that the collector sends: answers to handshake messages, and control records to sessions.
 */
#include "base/cleanup.h"
#include "data/link/clock.h"
#include "data/link/listen/impl.h"

static void send_to(struct listener *s, const struct udp_addr *to, const struct udp_addr *from,
                    const uint8_t *d, size_t len)
{
    size_t sent = 0;
    (void)udp_send_segments(&s->io, to, from->len ? from : NULL, d, len, len, 0, &sent);
}

/* ---- handshakes ---- */

/* Datagrams to a forged address may stay in our send buffer: a neighbour that is not there is asked
 * for during seconds. Half of the buffer is for sessions; once an eighth is taken, each address
 * that may be forged gets an answer now and then. */
void listener_answer(struct listener *s, const struct receiver_event *e, bool real,
                     const uint8_t *d, int len)
{
    uint8_t addr[16];
    int stuck = udp_unsent(s->io.fd);
    udp_addr_ip(&e->from, addr);
    if (len <= 0) {
        return;
    }
    if (stuck > s->send_buffer / 2 || (!real && stuck > s->send_buffer / 8 &&
                                       !admission_answer(&s->admission, addr, mono_now()))) {
        s->counters.unanswered++;
        return;
    }
    send_to(s, &e->from, &e->local, d, (size_t)len);
}

void listener_reject(struct listener *s, const struct receiver_event *e, uint8_t why,
                     uint32_t receiver)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    listener_answer(s, e, false, d, handshake_reject(why, receiver, d));
}

void listener_send_cookie(struct listener *s, const struct receiver_event *e, uint32_t receiver)
{
    uint8_t d[HANDSHAKE_MESSAGE_MAX], cookie[LINK_COOKIE_LEN], addr[16];
    udp_addr_ip(&e->from, addr);
    cookie_make(&s->cookies, addr, udp_addr_port(&e->from), cookie);
    listener_answer(s, e, false, d, handshake_cookie(cookie, receiver, d));
    s->counters.cookies++;
}

/* ---- records ---- */

void listener_send_control(struct listener *s, struct key *k, const struct link_control *ctl)
{
    uint8_t d[LINK_RECORD_HEADER + LINK_CONTROL_MAX + AEAD_TAG_MAX], nonce[AEAD_NONCE_LEN];
    int n = link_control_encode(ctl, d + LINK_RECORD_HEADER, LINK_CONTROL_MAX);
    if (n < 0 || !k->tx) {
        return;
    }
    size_t len = LINK_RECORD_HEADER + (size_t)n + aead_tag_len(k->tx);
    if (!link_proof_allows(&k->proof, udp_addr_headers(&k->from) + len)) {
        return; /* nobody is sent more than came from there */
    }
    struct link_record rec = {0, k->remote, k->counter++};
    link_record_encode(&rec, d);
    link_record_nonce(&rec, nonce);
    if (aead_seal(k->tx, nonce, d, LINK_RECORD_HEADER, d + LINK_RECORD_HEADER, (size_t)n,
                  d + LINK_RECORD_HEADER + n) == 0) {
        send_to(s, &k->from, &k->local, d, len);
    }
}

void listener_send_report(struct listener *s, struct session *ss)
{
    struct link_control ctl = {.type = LINK_REPORT};
    const struct time_pair t = time_pair();
    const struct mono now = t.mono;
    ctl.report = (struct link_report){.now = t.wall.ns, .echo = ss->last_now};
    ctl.report.echo_age = ss->last_now ? (uint64_t)mono_diff(now, ss->last_at) : 0;
    ctl.report.steady = t.apart <= TIME_PAIR_NS ? now.ns : 0;
    link_clock_sent(&ss->clock, ctl.report.now, now);
    link_proof_told(&ss->key->proof, ctl.report.now);
    for (unsigned i = 0; i < ss->n_streams; i++) {
        struct link_report_stream *rs = &ctl.report.stream[ctl.report.count++];
        *rs = (struct link_report_stream){.stream = ss->stream_id[i]};
        rs->frames = atomic_load_explicit(&ss->stream[i]->accounted, memory_order_acquire);
        rs->lost = atomic_load_explicit(&ss->stream[i]->lost, memory_order_relaxed);
        if (ctl.report.count == LINK_REPORT_STREAMS || i + 1 == ss->n_streams) {
            listener_send_control(s, ss->key, &ctl);
            ctl.report.count = 0;
        }
    }
    if (ss->n_streams == 0) {
        listener_send_control(s, ss->key, &ctl);
    }
}

void listener_send_close(struct listener *s, struct session *ss, enum link_close why)
{
    listener_send_report(s, ss);
    listener_send_control(s, ss->key,
                          &(struct link_control){.type = LINK_CLOSE, .reason = (uint8_t)why});
}
