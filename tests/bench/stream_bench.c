/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the cost of a frame in the link alone, in ns of one core, with no system call: packed into
 * records and sealed (the tap's share), then opened and cut into frames (the collector's share).
 * Records go from one end to the other in memory, few enough at a time to stay in the cache, as
 * they do between two system calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "data/link/receive/reasm.h"
#include "data/link/replay.h"
#include "data/link/send/packer.h"
#include "proto/link.h"
#include "sys/crypto/kdf.h"

enum {
    ROUNDS = 501,
    BATCHES = 2, /* in a round */
    DATAGRAM = 1472,
    SENT_MAX = 2 * BATCHES * BATCH_MAX, /* datagrams of a round, at most */
    WIRE_BYTES = 1 << 20,
};

struct bench {
    struct packer *timed; /* what it sends goes nowhere */
    struct packer *packer;
    struct reasm *reasm;
    struct reasm_room room, all;
    struct replay replay;
    struct aead *seal, *open;
    struct ledger ledger;
    struct batch in, out;
    struct batch_out taken;
    uint64_t frames_out, bytes_out;
    uint8_t *wire; /* what a round sent, datagram after datagram */
    size_t used;
    uint32_t *len;
    uint32_t n;
    uint8_t frame[1514];
};

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static unsigned keep(void *user, const uint8_t *data, size_t len, uint32_t datagram)
{
    struct bench *b = user;
    if (b->used + len > WIRE_BYTES) {
        return (unsigned)((len + datagram - 1) / datagram);
    }
    memcpy(b->wire + b->used, data, len);
    b->used += len;
    for (size_t at = 0; at < len && b->n < SENT_MAX; at += datagram) {
        b->len[b->n++] = (uint32_t)MIN(datagram, len - at);
    }
    return 0;
}

static unsigned forget(void *user, const uint8_t *data, size_t len, uint32_t datagram)
{
    (void)user, (void)data, (void)len, (void)datagram;
    return 0;
}

static void take(struct batch_out *o)
{
    struct bench *b = CONTAINER_OF(o, struct bench, taken);
    for (uint32_t i = 0; i < b->out.n; i++) {
        b->bytes_out += b->out.f[i].caplen;
    }
    b->frames_out += b->out.n;
    b->out.n = 0;
}

static void fill(struct bench *b, uint32_t size)
{
    static const uint32_t mix[12] = {64, 570, 64, 64, 570, 64, 1514, 64, 570, 64, 570, 64};
    b->in.n = BATCH_MAX;
    for (uint32_t i = 0; i < BATCH_MAX; i++) {
        uint32_t len = size ? size : mix[i % 12];
        b->in.f[i] = (struct frame){.data = b->frame,
                                    .datalen = len,
                                    .caplen = len,
                                    .origlen = len,
                                    .ts_ns = 1700000000000000000 + (int64_t)i * 3000,
                                    .dir = FRAME_DIR_IN};
    }
}

static void send_round(struct bench *b, struct packer *p)
{
    for (unsigned i = 0; i < BATCHES; i++) {
        for (uint32_t k = 0; k < b->in.n; k++) {
            packer_frame(p, &b->in.f[k]);
        }
    }
    packer_flush(p);
}

static int receive_round(struct bench *b)
{
    b->taken = (struct batch_out){&b->out, take};
    size_t tag = aead_tag_len(b->open);
    uint8_t *d = b->wire;
    for (uint32_t i = 0; i < b->n; d += b->len[i++]) {
        struct link_record rec;
        uint8_t nonce[AEAD_NONCE_LEN];
        size_t len = b->len[i] - LINK_RECORD_HEADER - tag;
        if (link_record_decode(d, b->len[i], &rec) < 0) {
            return -1;
        }
        link_record_nonce(&rec, nonce);
        if (aead_open(b->open, nonce, d, LINK_RECORD_HEADER, d + LINK_RECORD_HEADER, len,
                      d + LINK_RECORD_HEADER + len) < 0 ||
            !replay_accept(&b->replay, rec.counter)) {
            return -1;
        }
        reasm_segment(b->reasm, rec.counter, d + LINK_RECORD_HEADER, len, (struct mono){1},
                      &b->taken);
    }
    take(&b->taken);
    reasm_delivered(b->reasm);
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static double median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof(v[0]), compare);
    return v[ROUNDS / 2];
}

/* One size: the medians of the rounds. */
static int run(struct bench *b, const char *name, uint32_t size)
{
    const double n = BATCHES * BATCH_MAX;
    double tx[ROUNDS], rx[ROUNDS];
    fill(b, size);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t t = cpu_ns(), before = b->frames_out;
        send_round(b, b->timed);
        tx[round] = (double)(cpu_ns() - t) / n;
        b->used = b->n = 0;
        send_round(b, b->packer);
        t = cpu_ns();
        if (receive_round(b) < 0) {
            return -1;
        }
        rx[round] = (double)(cpu_ns() - t) / n;
        if (b->frames_out - before != BATCHES * BATCH_MAX) {
            return -1; /* a figure of frames that did not arrive is none */
        }
    }
    printf("%6s  %10.1f  %10.1f  %12.2f\n", name, median(tx), median(rx), n / b->n);
    return 0;
}

static int set_up(struct bench *b)
{
    static const uint8_t key[AEAD_KEY_LEN] = {1, 2, 3};
    b->wire = malloc(WIRE_BYTES);
    b->len = calloc(SENT_MAX, sizeof(*b->len));
    b->room = (struct reasm_room){.max = 16 << 20, .all = &b->all};
    b->all.max = 128 << 20;
    b->reasm = reasm_new(1, &b->ledger, &b->room, mono_now());
    b->packer = packer_new(1, &(struct packer_out){keep, b});
    b->timed = packer_new(1, &(struct packer_out){forget, b});
    if (crypto_init(NULL) < 0 || !b->wire || !b->len || !b->reasm || !b->packer || !b->timed ||
        aead_new(AEAD_AES256GCM, key, &b->seal, NULL) < 0 ||
        aead_new(AEAD_AES256GCM, key, &b->open, NULL) < 0) {
        return -1;
    }
    memset(b->wire, 1, WIRE_BYTES); /* the kernel gives the pages now and not while we measure */
    struct packer *both[] = {b->packer, b->timed};
    for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
        packer_reset(both[i], &(struct packer_key){b->seal, 1});
        packer_set_size(both[i], DATAGRAM);
    }
    return 0;
}

int main(void)
{
    struct bench *b = calloc(1, sizeof(*b));
    int r = b ? set_up(b) : -1;
    printf("ns a frame, records of %d bytes\n frame   pack+seal  open+parse  frames/record\n",
           DATAGRAM);
    if (r == 0) {
        r = run(b, "64", 64);
    }
    if (r == 0) {
        r = run(b, "imix", 0);
    }
    if (r == 0) {
        r = run(b, "1514", 1514);
    }
    if (r < 0) {
        fprintf(stderr, "stream_bench: failed\n");
    }
    if (b) {
        packer_free(b->packer);
        packer_free(b->timed);
        reasm_free(b->reasm);
        aead_free(b->seal);
        aead_free(b->open);
        free(b->wire);
        free(b->len);
        free(b);
    }
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
