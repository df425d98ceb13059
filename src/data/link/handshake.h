/* SPDX-License-Identifier: Apache-2.0
 *
 * How a tap and a collector come to keys: docs/protocol.md, "Handshake". Messages in and out, no
 * sockets, no clock; the caller keeps the state of each handshake under way and drops it in time.
 *
 *     tap                                   collector
 *     HELLO   (ephemeral key, offer)  ---->
 *                                     <----  ANSWER  (ephemeral key, choice)
 *     CONFIRM (tag)                   ---->                   } CPace only: who starts proves first
 *                                     <----  ACCEPT  (tag)    } that it knows the passphrase
 *
 * A collector that has much to do answers a HELLO with a COOKIE instead, which the next HELLO
 * brings back (data/link/cookie.h); nothing of the handshake depends on it.
 *
 * With Noise IKpsk2 the ANSWER is authentic by itself and the tap's first record proves the tap. In
 * clear text the first record with the collector's index shows that the address is real.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/time.h"
#include "proto/link.h"
#include "sys/crypto/aead.h"
#include "sys/crypto/cpace.h"
#include "sys/crypto/keys.h"
#include "sys/crypto/noise.h"

/* The settings of an end. Pointers are borrowed for the configuration's life. */
struct handshake_conf {
    enum link_method method;
    const char *passphrase;    /* CPACE */
    uint8_t identity[KEY_LEN]; /* NOISE: own private key */
    uint8_t peer[KEY_LEN];     /* NOISE, tap: the collector's public key */
    bool has_psk;              /* NOISE, tap */
    uint8_t psk[KEY_LEN];
    const struct allow_list *allow; /* NOISE, collector */
    uint16_t aeads;                 /* bit n: enum aead_alg n is offered or accepted */
};

/* The method and the CPU decide: clear text offers no cipher; otherwise both, AES first where the
 * CPU has instructions for it. */
uint16_t handshake_aeads(enum link_method method);

/* Keys of one epoch as one end sees them. */
struct handshake_keys {
    enum aead_alg alg;
    uint32_t local, remote; /* session indices: ours, and the one that records to the peer carry */
    uint8_t send[AEAD_KEY_LEN], recv[AEAD_KEY_LEN];
};
void handshake_keys_wipe(struct handshake_keys *k);

enum {
    HANDSHAKE_MESSAGE_MAX = LINK_HELLO_LEN,
    HANDSHAKE_BOUND = 22,  /* first bytes of HELLO and of ANSWER that the keys depend on */
    HANDSHAKE_ANSWERS = 4, /* to one HELLO, of which nobody knows yet whose is the collector's */
};

/* ---- the tap's end ---- */

/* CPACE: an ANSWER that may be the collector's. */
struct handshake_answer {
    uint32_t remote;
    enum aead_alg alg;
    uint8_t peer_public[CPACE_POINT_LEN], bound[HANDSHAKE_BOUND], isk[CPACE_ISK_LEN];
};

struct handshake_tap {
    const struct handshake_conf *conf;
    uint32_t local;
    struct cpace cpace;
    struct noise noise;
    uint8_t sid[16], own_public[CPACE_POINT_LEN], hello[HANDSHAKE_BOUND];
    struct handshake_answer answer[HANDSHAKE_ANSWERS];
    unsigned answers; /* that there are */
    bool complete;
};

/* Begins anew: fresh ephemeral key, HELLO in `out`. Returns its length or -errno. */
int handshake_tap_hello(struct handshake_tap *h, const struct handshake_conf *conf, uint32_t local,
                        uint8_t out[HANDSHAKE_MESSAGE_MAX]);
/* The same for the next key of a session: `session` is the collector's index of its present one. */
int handshake_tap_again(struct handshake_tap *h, const struct handshake_conf *conf, uint32_t local,
                        uint32_t session, uint8_t out[HANDSHAKE_MESSAGE_MAX]);
/* 0: the handshake is complete, keys are in `ret`. -EINPROGRESS: send what handshake_tap_confirm
 * gives. -EBADMSG: not an answer to our HELLO, or forged: ignore it, the real one may follow. With
 * CPACE one that is forged may look like the real one until the ACCEPT: so the first few are kept.
 */
int handshake_tap_answer(struct handshake_tap *h, const uint8_t *d, size_t len,
                         struct handshake_keys *ret);
/* Is this a COOKIE for our newest HELLO? Then `ret` is what the next one is to bring along. */
bool handshake_tap_cookie(const struct handshake_tap *h, const uint8_t *d, size_t len,
                          uint8_t ret[LINK_COOKIE_LEN]);
/* CONFIRM for ANSWER `i`, any number of times. Returns its length or -errno. -EINVAL: there is no
 * such ANSWER. */
int handshake_tap_confirm(const struct handshake_tap *h, unsigned i,
                          uint8_t out[HANDSHAKE_MESSAGE_MAX]);
/* 0 and the keys, once; else -EBADMSG: ignore it. A CONFIRM that was repeated is accepted again,
 * and whoever took the same keys twice would count nonces from 0 twice. */
int handshake_tap_accept(struct handshake_tap *h, const uint8_t *d, size_t len,
                         struct handshake_keys *ret);
void handshake_tap_done(struct handshake_tap *h);

/* ---- the collector's end: one object for each handshake under way ---- */

struct handshake_collector {
    uint32_t local, remote;
    uint8_t sid[16], tap_public[CPACE_POINT_LEN], own_public[CPACE_POINT_LEN];
    uint8_t hello[HANDSHAKE_BOUND], answer[HANDSHAKE_BOUND];
    uint8_t isk[CPACE_ISK_LEN];
    enum aead_alg alg;
    const struct allow_entry *entry; /* NOISE: who it is */
    bool need_confirm, complete;
};

/* Reads a HELLO that link_hs_decode has taken apart, of which `d` is the datagram, and writes the
 * ANSWER. Returns the answer's length; or -EACCES with the reason to REJECT with in *ret_reason;
 * or -EBADMSG: not worth an answer. `keys` is valid at once unless need_confirm. */
int handshake_collector_hello(struct handshake_collector *h, const struct handshake_conf *conf,
                              const uint8_t *d, const struct link_hs *m, uint32_t local,
                              uint8_t out[HANDSHAKE_MESSAGE_MAX], struct handshake_keys *ret,
                              uint8_t *ret_reason);
/* CPACE, after the ANSWER: the tag of the right CONFIRM. 0 or -errno. */
int handshake_collector_expects(const struct handshake_collector *h, uint8_t ret[CPACE_TAG_LEN]);
/* Reads a CONFIRM; writes the ACCEPT and returns its length, also for a repeated one. -EACCES: the
 * tap's passphrase is wrong. */
int handshake_collector_confirm(struct handshake_collector *h, const struct link_hs *m,
                                uint8_t out[HANDSHAKE_MESSAGE_MAX], struct handshake_keys *ret);
/* Forgets the secrets, and what a repeated CONFIRM would be answered with; `entry` stays. */
void handshake_collector_forget(struct handshake_collector *h);
void handshake_collector_done(struct handshake_collector *h);

/* Writes a COOKIE. Returns its length. */
int handshake_cookie(const uint8_t cookie[LINK_COOKIE_LEN], uint32_t receiver,
                     uint8_t out[HANDSHAKE_MESSAGE_MAX]);
/* Writes a REJECT. Returns its length. */
int handshake_reject(uint8_t reason, uint32_t receiver, uint8_t out[HANDSHAKE_MESSAGE_MAX]);
