/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the cost of a frame in a stage, in ns of one core, in memory: 64 B frames of many flows in
 * batches, which are made anew before each run, out of the measured time. The least of all rounds
 * counts: others use the machine too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/stage_list.h"

enum {
    ROUNDS = 2001,
    LEN = 64,
    OUTER = 50, /* of VXLAN */
};

/* Ethernet, IPv4, UDP to the port 4789, VXLAN (RFC 7348). */
static const uint8_t outer[OUTER] = {4,   0,    0, 0, 0,   2,  4, 0, 0,    0,  0,    1,    8,
                                     0,   0x45, 0, 0, 100, 0,  0, 0, 0,    64, 17,   0,    0,
                                     172, 16,   0, 1, 172, 16, 0, 2, 0xc0, 0,  0x12, 0xb5, 0,
                                     80,  0,    0, 8, 0,   0,  0, 0, 0,    7,  0};
/* Ethernet, IPv4, UDP. */
static const uint8_t inner[] = {2,    0, 0,  0,  0, 2, 2,  0, 0,  0,  0, 1,  8,  0,
                                0x45, 0, 0,  50, 0, 0, 0,  0, 64, 17, 0, 0,  10, 0,
                                0,    1, 10, 0,  0, 2, 16, 0, 0,  53, 0, 30, 0,  0};

static uint8_t bytes[BATCH_MAX][OUTER + LEN];
static struct batch batch;
static struct ledger ledger;

/* The clock of time and not of the processor's, which is a system call: on some machines a batch
 * takes less than that. The least of all rounds is one in which nobody else had the processor. */
static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void make(bool tunnel)
{
    const uint32_t at = tunnel ? 0 : OUTER, len = OUTER + LEN - at;
    batch.n = BATCH_MAX;
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        batch.f[i] =
            (struct frame){.data = bytes[i] + at, .datalen = len, .caplen = len, .origlen = len};
    }
}

/* The words make one stage. */
static int measure(const char *words, bool tunnel)
{
    struct stage_list list = {0};
    struct error err = {""};
    struct stage *s = NULL;
    uint64_t least = UINT64_MAX;
    if (stage_list_add(&list, words, &err) < 0 || stage_list_make(&list.spec[0], &s) < 0) {
        fprintf(stderr, "%s: %s\n", words, err.text);
        return EXIT_FAILURE;
    }
    for (unsigned r = 0; r < ROUNDS; r++) {
        make(tunnel);
        uint64_t began = now_ns();
        s->ops->run(s, &batch, &(struct pass){.common = &ledger});
        uint64_t ns = now_ns() - began;
        least = ns < least ? ns : least;
    }
    printf("%-20s %6.1f ns a frame\n", words, (double)least / BATCH_MAX);
    s->ops->free(s);
    stage_list_done(&list);
    return EXIT_SUCCESS;
}

int main(void)
{
    int bad = 0;
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        memcpy(bytes[i], outer, sizeof(outer));
        memcpy(bytes[i] + OUTER, inner, sizeof(inner));
        bytes[i][OUTER + 35] = (uint8_t)i;
    }
    bad |= measure("slice 42", false);
    bad |= measure("slice headers", false);
    bad |= measure("sample packet 1/10", false);
    bad |= measure("sample flow 1/10", false);
    bad |= measure("vlan 1-4000", false);
    bad |= measure("filter udp port 53", false);
    bad |= measure("strip vxlan", true);
    return bad;
}
