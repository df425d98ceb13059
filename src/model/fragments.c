/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fragments.h"

#include <string.h>

static uint32_t place(uint64_t hash)
{
    return (uint32_t)hash & (FRAGMENTS - 1);
}

void fragments_first(struct fragments *f, const struct fragments_key *key, uint64_t hash,
                     const uint16_t port[2], int64_t ts_ns)
{
    f->entry[place(hash)] = (struct fragments_entry){
        .key = *key, .port = {port[0], port[1]}, .used = true, .seen_ns = ts_ns};
}

bool fragments_later(const struct fragments *f, const struct fragments_key *key, uint64_t hash,
                     int64_t ts_ns, uint16_t ret_port[2])
{
    const struct fragments_entry *e = &f->entry[place(hash)];
    if (!e->used || ts_ns - e->seen_ns > FRAGMENTS_NS || memcmp(&e->key, key, sizeof(*key)) != 0) {
        return false;
    }
    memcpy(ret_port, e->port, sizeof(e->port));
    return true;
}
