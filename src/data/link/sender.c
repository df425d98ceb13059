/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/sender.h"

#include "base/cleanup.h"

void link_sender_key_done(struct link_sender_key *key)
{
    aead_free(key->aead);
    udp_shared_unref(key->shared);
    closep(&key->fd);
    *key = (struct link_sender_key){.fd = -1};
}
