/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a handshake message, to both ends. The keys are fixed, so that the corpus can hold
 * messages that pass. The first byte chooses: bit 0 who reads, bit 1 psk, bit 2 the cipher.
 */
#include <stdlib.h>

#include "sys/crypto/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t i_priv[32] = {0x11}, r_priv[32] = {0x22}, i_e[32] = {0x33}, r_e[32] = {0x44};
static const uint8_t psk[32] = {0x55};

/* The public key of r_priv: taken from a responder itself, which needs none to be known. */
static const uint8_t *responder_pub(struct noise *r)
{
    return r->s_pub;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct noise i, r;
    uint8_t out[256], payload[1024], a[32], b[32];
    size_t len, n = 0;
    struct noise_conf conf = {.psk = data[0] & 2,
                              .cipher = data[0] & 4 ? NOISE_AESGCM : NOISE_CHACHAPOLY,
                              .s_priv = r_priv,
                              .fixed_e_priv = r_e,
                              .psk_key = psk};
    if (noise_init(&r, &conf) < 0) {
        abort();
    }
    conf.initiator = true;
    conf.s_priv = i_priv;
    conf.fixed_e_priv = i_e;
    conf.rs_pub = responder_pub(&r);
    if (noise_init(&i, &conf) < 0 || noise_write(&i, "", 0, out, sizeof(out), &len) < 0) {
        abort();
    }
    struct noise *reader = data[0] & 1 ? &i : &r;
    int result = noise_read(reader, data + 1, size - 1, payload, sizeof(payload), &n);
    if (result == 0 && n > sizeof(payload)) {
        abort();
    }
    if ((result == 0) != (reader->state != NOISE_DEAD)) {
        abort();
    }
    if (result == 0 && reader == &i && noise_split(&i, a, b) < 0) {
        abort();
    }
    if (result == 0 && reader == &r && noise_write(&r, "x", 1, out, sizeof(out), &len) < 0) {
        abort();
    }
    noise_done(&i);
    noise_done(&r);
    return 0;
}
