/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/tx.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/link/packer.h"
#include "proto/link.h"
#include "sys/udp.h"

enum {
    TX_WAIT_MS = 200, /* for a full socket, once: then datagrams count as lost until it takes some.
                       * Else a path that stands still would keep commands waiting for minutes. */
    TX_NARROW = 1232, /* where the device has become too narrow: what nearly all carry */
};

struct link_tx {
    struct sink sink;
    struct packer *packer;
    struct ledger *ledger;
    struct link_tx_key key; /* aead NULL: no session */
    bool stuck;             /* the socket was full for TX_WAIT_MS */
    struct packer_stats counted;
    struct udp_io io;
};

static struct link_tx *of(struct sink *s)
{
    return (struct link_tx *)s;
}

static unsigned tx_send(void *user, const uint8_t *data, size_t len, uint32_t datagram)
{
    struct link_tx *t = user;
    size_t sent = 0;
    int r = udp_send_segments(&t->io, NULL, NULL, data, len, datagram, t->stuck ? 0 : TX_WAIT_MS,
                              &sent);
    t->stuck = r == -EAGAIN;
    if (r ==
        -EMSGSIZE) { /* the device has become narrower; the control thread finds out how much */
        t->key.datagram = t->key.datagram > TX_NARROW ? TX_NARROW : LINK_DATAGRAM_MIN;
    }
    return (unsigned)((len - sent + datagram - 1) / datagram);
}

/* Brings the ledger up to what the packer has done. */
static void count(struct link_tx *t)
{
    struct packer_stats now = packer_stats(t->packer);
    ledger_set(t->ledger, LEDGER_TX_WIRE_BYTES, now.wire_bytes);
    ledger_set(t->ledger, LEDGER_TX_UNSENT, now.unsent);
    ledger_add(t->ledger, LEDGER_TX_DATAGRAMS, now.datagrams - t->counted.datagrams);
    t->counted = now;
}

static void tx_write(struct sink *s, const struct batch *b)
{
    struct link_tx *t = of(s);
    if (!t->key.aead) {
        ledger_add(t->ledger, LEDGER_TX_NOSESSION, b->n);
        return;
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        packer_frame(t->packer, &b->f[i]);
        bytes += b->f[i].caplen;
    }
    ledger_add(t->ledger, LEDGER_TX_OUT, b->n);
    ledger_add(t->ledger, LEDGER_TX_BYTES, bytes);
}

static void tx_flush(struct sink *s)
{
    struct link_tx *t = of(s);
    if (!t->key.aead) {
        return;
    }
    uint32_t size = t->key.datagram;
    packer_flush(t->packer);
    if (t->key.datagram != size) {
        packer_set_size(t->packer, t->key.datagram);
    }
    count(t);
}

void link_tx_key_done(struct link_tx_key *key)
{
    aead_free(key->aead);
    closep(&key->fd);
    *key = (struct link_tx_key){.fd = -1};
}

void link_tx_down(struct sink *s)
{
    struct link_tx *t = of(s);
    tx_flush(s);
    link_tx_key_done(&t->key);
}

void link_tx_session(struct sink *s, const struct link_tx_key *key)
{
    struct link_tx *t = of(s);
    link_tx_down(s);
    t->key = *key;
    t->io = (struct udp_io){.fd = key->fd};
    t->stuck = false;
    packer_reset(t->packer, &(struct packer_key){key->aead, key->receiver});
    t->counted = packer_stats(t->packer);
    packer_set_size(t->packer, key->datagram);
}

void link_tx_rekey(struct sink *s, const struct link_tx_key *key)
{
    struct link_tx *t = of(s);
    if (!t->key.aead) {
        link_tx_session(s, key);
        return;
    }
    tx_flush(s);
    struct link_tx_key old = t->key;
    t->key = *key;
    t->io = (struct udp_io){.fd = key->fd};
    packer_rekey(t->packer, &(struct packer_key){key->aead, key->receiver});
    packer_set_size(t->packer, key->datagram);
    link_tx_key_done(&old);
}

void link_tx_size(struct sink *s, uint32_t datagram)
{
    struct link_tx *t = of(s);
    if (t->key.aead && t->key.datagram != datagram) {
        tx_flush(s);
        t->key.datagram = datagram;
        packer_set_size(t->packer, datagram);
    }
}

struct link_tx_progress link_tx_progress(const struct sink *s)
{
    struct packer_stats st = packer_stats(((const struct link_tx *)s)->packer);
    return (struct link_tx_progress){st.frames, st.datagrams};
}

static int tx_check(struct sink *s, struct error *err)
{
    (void)s;
    (void)err;
    return 0;
}

static int tx_finish(struct sink *s, struct error *err)
{
    (void)err;
    tx_flush(s);
    return 0;
}

static void tx_free(struct sink *s)
{
    struct link_tx *t = of(s);
    link_tx_key_done(&t->key);
    packer_free(t->packer);
    sink_done(s);
    free(t);
}

static const struct sink_ops ops = {
    .kind = "link",
    .write = tx_write,
    .flush = tx_flush,
    .check = tx_check,
    .finish = tx_finish,
    .free = tx_free,
};

int link_tx_new(uint16_t stream, struct ledger *ledger, struct sink **ret)
{
    struct link_tx *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->ledger = ledger;
    t->key.fd = -1;
    t->packer = packer_new(stream, &(struct packer_out){tx_send, t});
    if (!t->packer || sink_init(&t->sink, &ops, "link") < 0) {
        packer_free(t->packer);
        free(t);
        return -ENOMEM;
    }
    *ret = &t->sink;
    return 0;
}
