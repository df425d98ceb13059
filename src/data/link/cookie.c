/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/cookie.h"

#include "sys/crypto/kdf.h"

static void make(const uint8_t secret[32], const uint8_t addr[16], uint16_t port,
                 uint8_t ret[LINK_COOKIE_LEN])
{
    uint8_t text[18], mac[KDF_HASH_LEN];
    memcpy(text, addr, 16);
    st_u16(text + 16, port);
    hmac_sha256(secret, 32, text, sizeof(text), mac);
    memcpy(ret, mac, LINK_COOKIE_LEN);
}

int cookie_init(struct cookie_jar *j, struct mono now)
{
    j->made = now;
    return random_bytes(j->secret, sizeof(j->secret));
}

int cookie_turn(struct cookie_jar *j, struct mono now)
{
    uint8_t fresh[32];
    if (!mono_due(now, mono_add_ms(j->made, COOKIE_ROTATE_MS))) {
        return 0;
    }
    int r = random_bytes(fresh, sizeof(fresh));
    if (r == 0) {
        memcpy(j->secret[1], j->secret[0], sizeof(fresh));
        memcpy(j->secret[0], fresh, sizeof(fresh));
        j->made = now;
        secure_wipe(fresh, sizeof(fresh));
    }
    return r;
}

void cookie_make(const struct cookie_jar *j, const uint8_t addr[16], uint16_t port,
                 uint8_t ret[LINK_COOKIE_LEN])
{
    make(j->secret[0], addr, port, ret);
}

bool cookie_holds(const struct cookie_jar *j, const uint8_t addr[16], uint16_t port,
                  const uint8_t cookie[LINK_COOKIE_LEN])
{
    uint8_t want[LINK_COOKIE_LEN];
    bool same = false;
    for (unsigned i = 0; cookie && i < 2; i++) {
        make(j->secret[i], addr, port, want);
        same |= secure_equal(want, cookie, sizeof(want));
    }
    return same;
}

void cookie_done(struct cookie_jar *j)
{
    secure_wipe(j, sizeof(*j));
}
