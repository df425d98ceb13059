/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the cost of a frame in a port that so many captures share, in ns of one core, in memory:
 * 64 B frames, of which no capture wants any, by a filter of libpcap's. The least of all rounds
 * counts: others use the machine too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/sink/spread.h"
#include "sys/filter.h"

enum {
    ROUNDS = 501,
    LEN = 64,
    MOST = 200,
};

/* Ethernet, IPv4, UDP. */
static const uint8_t head[] = {2,    0, 0,  0,  0, 2, 2,  0, 0,  0,  0, 1,  8,  0,
                               0x45, 0, 0,  50, 0, 0, 0,  0, 64, 17, 0, 0,  10, 0,
                               0,    1, 10, 0,  0, 2, 16, 0, 0,  53, 0, 30, 0,  0};

static uint8_t bytes[BATCH_MAX][LEN];
static struct batch batch;
static struct ledger ledger;
static struct spread_counts counts[MOST];

static void write_none(struct sink *s, const struct batch *b)
{
    (void)s;
    (void)b;
    abort(); /* nobody wants any */
}

static const struct sink_ops ops = {.write = write_none};
static struct sink none = {.ops = &ops};

/* The clock of time and not of the processor's, which is a system call. */
static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static double measure(struct sink *spread)
{
    uint64_t least = UINT64_MAX;
    for (unsigned r = 0; r < ROUNDS; r++) {
        const uint64_t began = now_ns();
        spread->ops->write(spread, &batch);
        const uint64_t ns = now_ns() - began;
        least = ns < least ? ns : least;
    }
    return (double)least / BATCH_MAX;
}

int main(void)
{
    struct filter_prog prog = {0};
    struct error err = {""};
    struct sink *spread = NULL;
    double before = 0;
    unsigned n = 0;
    if (filter_compile_plain("tcp port 443", &prog, &err) < 0 || spread_new(&ledger, &spread) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    batch.n = BATCH_MAX;
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        memcpy(bytes[i], head, sizeof(head));
        batch.f[i] =
            (struct frame){.data = bytes[i], .datalen = LEN, .caplen = LEN, .origlen = LEN};
    }
    for (unsigned to = 0; to <= MOST; to = to == 0    ? 1
                                           : to == 1  ? 10
                                           : to == 10 ? MOST
                                                      : MOST + 1) {
        const unsigned first = n;
        for (; n < to; n++) {
            spread_set(
                spread, n,
                &(struct spread_want){
                    .sink = &none, .filter = &prog, .stop_ns = INT64_MAX, .counts = &counts[n]});
        }
        const double ns = measure(spread);
        printf("%3u captures %8.1f ns a frame", n, ns);
        printf(n > first ? ", %.1f for each more\n" : "\n",
               n > first ? (ns - before) / (n - first) : 0);
        before = ns;
    }
    sink_free(spread);
    filter_done(&prog);
    return EXIT_SUCCESS;
}
