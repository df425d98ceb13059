/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments as an authenticated but hostile tap might send them: lengths and counters from the
 * input. Whatever comes, frames lie inside their buffers and the books balance.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "data/link/receive/reasm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    struct batch batch;
    struct batch_out out;
    uint64_t sum;
};

static void on_deliver(struct batch_out *o)
{
    struct fuzz *f = CONTAINER_OF(o, struct fuzz, out);
    for (uint32_t i = 0; i < f->batch.n; i++) { /* the sanitiser sees a read outside */
        f->sum += f->batch.f[i].data[0] + f->batch.f[i].data[f->batch.f[i].caplen - 1];
    }
    f->batch.n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz f;
    struct ledger ledger = {0};
    struct reasm_room all = {.max = 64 << 10}, room = {.max = 16 << 10, .all = &all};
    struct reasm *r = reasm_new(1, &ledger, &room, (struct mono){0});
    struct rd in = rd_make(data, size);
    f.out = (struct batch_out){&f.batch, on_deliver};
    uint64_t counter = 0;
    struct mono now = {1};
    if (!r) {
        return 0;
    }
    while (rd_left(&in) > 4) {
        counter += rd_u8(&in) % 4;
        uint16_t len = rd_u16(&in) & 0x0fff;
        len = (uint16_t)(len < rd_left(&in) ? len : rd_left(&in));
        const uint8_t *p = rd_take(&in, len);
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, p, len);
        reasm_segment(r, counter++, exact, len, now, &f.out);
        on_deliver(&f.out);
        reasm_delivered(r);
        free(exact);
        now = mono_add_ms(now, 3);
        reasm_tick(r, now, &f.out);
        on_deliver(&f.out);
        reasm_delivered(r);
    }
    reasm_finish(r, &f.out);
    on_deliver(&f.out);
    if (ledger_sum(&ledger, NULL, LEDGER_LINK_RX).in_flight != 0) {
        abort();
    }
    reasm_free(r);
    if (room.used != 0 || all.used != 0) {
        abort();
    }
    return 0;
}
