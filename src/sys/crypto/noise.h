/* SPDX-License-Identifier: Apache-2.0
 *
 * A handshake of the Noise Protocol Framework, revision 34 (noiseprotocol.org), in the two patterns
 * that a tap and its collector use:
 *
 *     IK:      <- s  ...  -> e, es, s, ss   <- e, ee, se
 *     IKpsk2:  the same, with psk at the end of the second message
 *
 * The initiator knows the responder's static key beforehand and sends its own, encrypted, in the
 * first message; so the responder learns who asks before it answers. This file does no I/O and
 * keeps no time: the link moves the messages, and uses the two keys of `noise_split` with aead.h.
 *
 * A `struct noise` is plain memory: it may be copied with `=`. An initiator that must survive
 * forged answers reads each into a copy and takes the copy over when it was good. Every copy is to
 * be wiped with noise_done.
 *
 * The names in noise.c's comments are those of the Noise specification, whose sections its parts
 * follow: functions of the hash (4.3), the symmetric state (5.2), the tokens and messages (5.3, 7,
 * 9).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NOISE_KEY_LEN = 32,
    NOISE_HASH_LEN = 32,
    NOISE_MESSAGE_MAX = 65535, /* section 3 */
    /* what the two messages cost beyond their payloads */
    NOISE_FIRST_OVERHEAD = 32 + 48 + 16,
    NOISE_SECOND_OVERHEAD = 32 + 16,
};

enum noise_cipher {
    NOISE_CHACHAPOLY = 0,
    NOISE_AESGCM = 1,
};

enum noise_digest {
    NOISE_SHA256 = 0,
    NOISE_BLAKE2S = 1,
};

struct noise_conf {
    bool initiator;
    bool psk; /* IKpsk2, else IK */
    enum noise_cipher cipher;
    enum noise_digest digest;
    const void *prologue; /* what both ends must have in common, such as a version */
    size_t prologue_len;
    const uint8_t *s_priv;       /* 32, one's own static private key */
    const uint8_t *rs_pub;       /* 32, the responder's static key: initiator only */
    const uint8_t *psk_key;      /* 32; may be NULL until noise_set_psk, before message 2 */
    const uint8_t *fixed_e_priv; /* 32, for published vectors only; NULL draws a random one */
};

enum noise_state {
    NOISE_DEAD = 0, /* zeroed, refused or done: every call is -EINVAL */
    NOISE_FIRST,    /* the initiator writes, the responder reads */
    NOISE_SECOND,   /* the other way round */
    NOISE_SPLIT,    /* both messages went; noise_split is next */
    NOISE_FINISHED, /* keys are handed out; hash and remote static remain */
};

/* For noise.c alone, open only so that it can be embedded. */
struct noise {
    enum noise_state state;
    bool initiator, psk, has_psk, has_key;
    enum noise_cipher cipher;
    enum noise_digest digest;
    uint64_t n; /* the nonce of the next encryption under `k` */
    uint8_t k[NOISE_KEY_LEN], ck[NOISE_HASH_LEN], h[NOISE_HASH_LEN];
    uint8_t s[NOISE_KEY_LEN], e[NOISE_KEY_LEN]; /* private */
    uint8_t s_pub[NOISE_KEY_LEN], e_pub[NOISE_KEY_LEN];
    uint8_t rs[NOISE_KEY_LEN], re[NOISE_KEY_LEN]; /* public */
    uint8_t psk_key[NOISE_KEY_LEN];
};

/* Copies what it needs from `conf`. -EINVAL when a key is missing, -EIO or getrandom's errno; the
 * state is then dead. */
int noise_init(struct noise *ns, const struct noise_conf *conf);

/* The responder's pre-shared key, once the first message told whose to take. -EINVAL when the
 * pattern has none or the second message went already. */
int noise_set_psk(struct noise *ns, const uint8_t psk[NOISE_KEY_LEN]);

/* Writes the next message. Nothing changes on -EINVAL (not one's turn), -EMSGSIZE (message above
 * NOISE_MESSAGE_MAX), -ENOBUFS (`cap` below payload + overhead) and -ENOKEY (psk not set). After
 * -EKEYREJECTED (the peer's key is a point of low order) and -EIO the state is dead. `out` does not
 * overlap `payload`. */
int noise_write(struct noise *ns, const void *payload, size_t len, uint8_t *out, size_t cap,
                size_t *ret_len);

/* Reads the next message and gives its payload. Nothing changes on -EINVAL (not one's turn).
 * -EBADMSG when the message is too short or too long, was made with other keys or another
 * prologue, or carries a point of low order; -ENOBUFS when the payload does not fit in `cap`;
 * -ENOKEY when an initiator has no psk; -EIO.
 * The state is then dead, wiped, and no byte of the payload is released. */
int noise_read(struct noise *ns, const void *msg, size_t len, uint8_t *ret_payload, size_t cap,
               size_t *ret_len);

/* The peer's static public key, 32 bytes, valid while `ns` is; a responder's is NULL until it has
 * read the first message, and proven only once the peer has used the keys of noise_split. */
const uint8_t *noise_remote_static(const struct noise *ns);

/* The handshake hash, 32 bytes: the same at both ends, different for each handshake (section 11.2).
 * NULL before both messages went. */
const uint8_t *noise_hash(const struct noise *ns);

/* The keys of both directions, once. -EINVAL before the end of the handshake. */
int noise_split(struct noise *ns, uint8_t ret_i2r[NOISE_KEY_LEN], uint8_t ret_r2i[NOISE_KEY_LEN]);

/* Wipes. Takes NULL and a dead or zeroed state. */
void noise_done(struct noise *ns);

/* The 12-byte nonce of a cipher for counter `n` (section 12), for transport messages too. */
void noise_nonce(enum noise_cipher cipher, uint64_t n, uint8_t ret[12]);
