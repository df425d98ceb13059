/* SPDX-License-Identifier: Apache-2.0
 *
 * portcost INTERFACE LENGTH FRAMES: gives so many frames to a port on the interface, in full
 * batches, and prints the processor time of a frame in ns. tests/bench/ports runs it beside a peer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "data/output_list.h"

static double cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static int make(const char *name, struct sink **ret, struct error *err)
{
    static struct output_list list;
    int r = output_list_add(&list, name, err);
    if (r == 0) {
        struct output_wish w = {
            .kind = list.spec[0].kind, .name = list.spec[0].text, .own = list.spec[0].own};
        r = output_list_open(&list.spec[0], NULL, &w.fd, err);
        r = r < 0 ? r : port_output(&w, ret, err);
    }
    return r;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[BATCH_MAX][2048];
    static struct batch b = {.n = BATCH_MAX};
    struct error err = {""};
    struct sink *s = NULL;
    const struct point_offer point = {.index = 1, .tap = "bench", .ifname = "eth0"};
    const uint32_t len = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    const unsigned long frames = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (len < 14 || len > sizeof(bytes[0]) || frames < BATCH_MAX) {
        fprintf(stderr, "usage: portcost INTERFACE LENGTH FRAMES\n");
        return 2;
    }
    if (make(argv[1], &s, &err) < 0 || !s || s->ops->point_add(s, &point, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        memcpy(bytes[i], "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
        b.f[i] = (struct frame){
            .data = bytes[i], .datalen = len, .caplen = len, .origlen = len, .point = 1};
    }
    double before = cpu_ns();
    for (unsigned long n = 0; n < frames; n += BATCH_MAX) {
        s->ops->write(s, &b);
    }
    double ns = cpu_ns() - before;
    uint64_t out = ledger_get(sink_ledger(s, 1), LEDGER_SINK_OUT);
    if (out < frames) {
        fprintf(stderr, "only %llu of %lu frames left\n", (unsigned long long)out, frames);
        return EXIT_FAILURE;
    }
    printf("%.1f\n", ns / (double)out);
    s->ops->free(s);
    return EXIT_SUCCESS;
}
