/* SPDX-License-Identifier: Apache-2.0
 *
 * CPace (draft-irtf-cfrg-cpace), suite CPACE-RISTR255-SHA512, in the initiator-responder setting:
 * two ends that share a passphrase come to a strong key. Who records the exchange can test no guess
 * against it, and who takes part in it can test one guess an exchange.
 *
 * The link sends the two public messages and the two confirmation tags, and derives its keys from
 * the ISK together with what else it wants to bind (kdf.h). The passphrase itself is `prs`, not
 * stretched by anything slow: there is nothing recorded against which a guess could be tested, and
 * the collector slows down guesses that are tested by exchanges.
 *
 * Names in cpace.c follow the draft: lv_cat, the generator string, transcript_ir. Nothing is joined
 * in a buffer; the strings go straight into the hash, each with its length before it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CPACE_POINT_LEN = 32,
    CPACE_ISK_LEN = 64,
    CPACE_TAG_LEN = 32,
    CPACE_SID_MAX = 64,     /* bytes of session id */
    CPACE_INPUT_MAX = 1024, /* bytes of prs, ci and ad each; more is -EMSGSIZE */
};

/* For cpace.c alone, open only so that it can be embedded. */
struct cpace {
    bool ready;
    uint8_t scalar[32];
    uint8_t own[CPACE_POINT_LEN];
    uint8_t sid[CPACE_SID_MAX];
    size_t sid_len;
};

/* Draws a scalar and gives one's own public message. `prs` is the shared secret, `ci` names the
 * channel (both ends' identities, the version), `sid` is unique to this exchange and known to both;
 * all three must be equal at both ends. `fixed_scalar` (32 bytes, little-endian, below the group's
 * order) is for published vectors only, else NULL. -EMSGSIZE, -EINVAL (a fixed scalar of zero),
 * getrandom's errno; `c` is then wiped. */
int cpace_init(struct cpace *c, const void *prs, size_t prs_len, const void *ci, size_t ci_len,
               const uint8_t *sid, size_t sid_len, const uint8_t *fixed_scalar,
               uint8_t ret_public[CPACE_POINT_LEN]);

/* Takes the peer's public message and both sides' associated data, and gives the intermediate
 * session key. It is secret only; that the peer has the same is known after cpace_confirm's tags
 * were exchanged. -EBADMSG when the message is no canonical encoding, is the identity, or is one's
 * own message sent back; -EMSGSIZE; -EINVAL without cpace_init. `c` is used up in every case. */
int cpace_finish(struct cpace *c, bool initiator, const void *own_ad, size_t own_ad_len,
                 const uint8_t peer_public[CPACE_POINT_LEN], const void *peer_ad,
                 size_t peer_ad_len, uint8_t ret_isk[CPACE_ISK_LEN]);

/* The tag by which the sender of `public_msg` and `ad` shows that it holds the ISK (the draft's
 * explicit key confirmation): HMAC-SHA512 keyed by SHA512("CPaceMac" || sid || ISK), over both with
 * their lengths, of which the first 32 bytes are taken. Each end sends the tag over its own message
 * and compares, with secure_equal, what it gets with the tag over the peer's. -EMSGSIZE. */
int cpace_confirm(const uint8_t isk[CPACE_ISK_LEN], const uint8_t *sid, size_t sid_len,
                  const uint8_t public_msg[CPACE_POINT_LEN], const void *ad, size_t ad_len,
                  uint8_t ret_tag[CPACE_TAG_LEN]);

/* A name for the session that may be shown and logged, from the transcript: the draft's sid_output
 * in the initiator-responder setting. -EMSGSIZE. */
int cpace_session_id(const uint8_t ya[CPACE_POINT_LEN], const void *ada, size_t ada_len,
                     const uint8_t yb[CPACE_POINT_LEN], const void *adb, size_t adb_len,
                     uint8_t ret[64]);

/* The generator that belongs to these inputs, and the group's checked multiplication (the draft's
 * G.scalar_mult_vfy; -EBADMSG for the identity and invalid encodings). Parts of the above, open so
 * that each can be compared with its published vector. */
int cpace_generator(const void *prs, size_t prs_len, const void *ci, size_t ci_len,
                    const uint8_t *sid, size_t sid_len, uint8_t ret[CPACE_POINT_LEN]);
int cpace_scalar_mult_vfy(const uint8_t scalar[32], const uint8_t point[CPACE_POINT_LEN],
                          uint8_t ret[CPACE_POINT_LEN]);

/* Wipes. Takes NULL and a zeroed structure. */
void cpace_done(struct cpace *c);
