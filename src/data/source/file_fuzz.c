/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a capture file: the source reads it to some end, with every frame's bytes in its
 * memory, a ledger that is balanced, and a buffer no larger than one record may be.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "data/source/file.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct batch batch;
static uint32_t points;
static volatile uint8_t sum;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void push(struct batch_out *o)
{
    for (uint32_t i = 0; i < o->batch->n; i++) {
        const struct frame *f = &o->batch->f[i];
        require(f->point < points && f->caplen <= f->origlen && f->datalen == f->caplen);
        for (uint32_t k = 0; k < f->caplen; k++) {
            sum = (uint8_t)(sum + f->data[k]);
        }
    }
    o->batch->n = 0;
}

static int point(void *user, const struct point_offer *offer)
{
    (void)user;
    require(offer->index == points && strlen(offer->ifname) <= POINT_NAME_MAX);
    points++;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ledger ledger = {0};
    struct source *s = NULL;
    struct batch_out out = {&batch, push};
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    points = 0;
    const struct file_source_conf conf = {.fd = fd, .name = "x", .ledger = &ledger, .point = point};
    require(file_source_new(&conf, &s) == 0);
    for (size_t i = 0; s->ops->run(s, &out, 1, (struct mono){1}) == SOURCE_MORE; i++) {
        require(i < size + 2);
    }
    require(file_source_ended(s));
    require(source_room(s) <= PCAP_SNAPLEN_ABSURD + PCAP_RECORD_LEN_MODIFIED);
    struct error err = {""};
    require((file_source_check(s, &err) == 0) == (err.text[0] == '\0'));
    require(ledger_sum(&ledger, NULL, LEDGER_FILE).in_flight == 0);
    s->ops->free(s);
    return 0;
}
