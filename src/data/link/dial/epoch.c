/* SPDX-License-Identifier: Apache-2.0
 *
 * An epoch's keys, ready for use by the control thread.
 */
#include "data/link/dial/impl.h"
#include "sys/crypto/kdf.h"

int epoch_open(struct epoch *e, const struct handshake_keys *keys)
{
    epoch_close(e);
    int r = aead_new(keys->alg, keys->send, &e->tx, NULL);
    if (r == 0) {
        r = aead_new(keys->alg, keys->recv, &e->rx, NULL);
    }
    if (r < 0) {
        epoch_close(e);
        return r;
    }
    e->keys = *keys;
    e->valid = true;
    return 0;
}

void epoch_close(struct epoch *e)
{
    aead_free(e->tx);
    aead_free(e->rx);
    secure_wipe(e, sizeof(*e));
}
