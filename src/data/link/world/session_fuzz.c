/* SPDX-License-Identifier: Apache-2.0
 *
 * A session between a real tap and a real collector, fed with what the input says: control records
 * that either end takes for the other's, segments of its streams, handshakes that were changed on
 * their way and datagrams of any kind, while frames flow, keys change and time goes by. In
 * simulated time (sim.h) and without encryption, so that what is made up gets past the door,
 * as what a tap that was taken over would send.
 *
 * Nothing of it ends either end; the collector's books balance, and its frames are some that
 * somebody sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "data/link/fuzz_random.h"
#include "data/link/world/sim.h"
#include "data/link/world/world.h"
#include "data/sink/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS = 64, LIMIT_MS = 3000 };

/* The change to the next handshake message on its way. */
static struct {
    uint16_t at;
    uint8_t change;
    uint8_t copies;
} changes;

static unsigned fate(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                     size_t len)
{
    (void)w;
    if (changes.change == 0 || link_peek(d, len) == LINK_RECORD || len == 0) {
        return 1;
    }
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, d, len);
    copy[changes.at % len] ^= changes.change;
    for (unsigned i = 0; i < changes.copies; i++) {
        world_inject(r, to_collector, copy, len);
    }
    free(copy);
    changes.change = 0;
    return 1;
}

/* A record that an end takes for its peer's: `stream` 0 for what is said, another for frames. */
static void record(struct world *w, bool to_collector, uint16_t stream, uint64_t counter,
                   const uint8_t *text, size_t len)
{
    struct epoch *e = &w->tap[0].dialer->current;
    uint8_t d[LINK_RECORD_HEADER + 2048];
    uint32_t index = to_collector ? e->keys.remote : e->keys.local;
    struct key *k = listener_find_key(w->listener, e->keys.remote);
    if (stream == 0) {
        counter = to_collector ? e->counter++ : k ? k->counter++ : counter;
    }
    len = MIN(len, sizeof(d) - LINK_RECORD_HEADER);
    link_record_encode(&(struct link_record){stream, index, counter}, d);
    memcpy(d + LINK_RECORD_HEADER, text, len);
    world_inject(&w->tap[0].relay, to_collector, d, LINK_RECORD_HEADER + len);
}

static void step(struct world *w, struct rd *in)
{
    uint8_t op = rd_u8(in);
    uint16_t number = rd_u16(in);
    size_t len = op % 8 < 5 ? rd_u16(in) % 1300 : 0;
    len = MIN(len, rd_left(in));
    const uint8_t *text = len ? rd_take(in, len) : (const uint8_t *)"";
    bool to_collector = !(op & 128);
    switch (op % 8) {
    case 0:
    case 1:
        record(w, to_collector, 0, number, text, len);
        break;
    case 2:
        record(w, true, (uint16_t)(op / 8 % 4), number, text, len);
        break;
    case 3:
        world_inject(&w->tap[0].relay, to_collector, text, len);
        break;
    case 4: /* a handshake of somebody else's */
        record(w, to_collector, number, number, text, len);
        break;
    case 5:
        changes.at = number;
        changes.change = op | 1;
        changes.copies = 1 + op / 64;
        w->tap[0].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
        break;
    case 6:
        world_frames(&w->tap[0], number % 200);
        break;
    default:
        world_run(w, never, number % LIMIT_MS + 1);
        return;
    }
    world_run(w, never, 2);
}

static void judge(struct world *w)
{
    uint64_t out = 0;
    for (unsigned i = 0; i < w->listener->n_peers; i++) {
        for (unsigned k = 0; k < w->listener->peer[i]->n_points; k++) {
            const struct ledger *l = &w->listener->peer[i]->point[k]->ledger;
            assert_int_equal(ledger_sum(l, NULL, LEDGER_LINK_RX).in_flight, 0);
            out += ledger_get(l, LEDGER_RX_OUT);
        }
    }
    size_t n = 0;
    (void)fake_sink_frames(w->out, &n);
    assert_int_equal(n, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_make(data, size);
    fuzz_drawn = 0;
    memset(&changes, 0, sizeof(changes));
    sim_begin(1, NULL, NULL);
    struct world *w = world_new(LINK_PLAIN);
    w->look_ms = 10;
    w->fate = fate;
    world_start(w);
    for (unsigned i = 0; i < OPS && rd_left(&in) > 3; i++) {
        step(w, &in);
    }
    world_run(w, never, 50);
    world_stop_collector(w);
    judge(w);
    world_forget_collector(w);
    world_free(w);
    sim_end();
    return 0;
}
