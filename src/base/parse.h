/* SPDX-License-Identifier: Apache-2.0
 *
 * Words from a command line or a file into values. Each refuses what does not fit entirely, with a
 * sentence that names the word.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A decimal number without sign or blanks in [min, max]. `what` names it in the sentence. */
int parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
              struct error *err);

/* A number of bytes: a whole number, with K, M or G for 2^10, 2^20 or 2^30 of them; in [min, max],
 * or 0 where `zero` allows that. -EINVAL, -ERANGE with a sentence. */
int parse_size(const char *text, const char *what, bool zero, uint64_t min, uint64_t max,
               uint64_t *ret, struct error *err);

/* Words as "in|out|both": the one at that place, from 0, and its length; NULL: there is none, or
 * `words` is NULL. */
const char *words_at(const char *words, unsigned place, size_t *ret_len);
/* The place of the text among them, or -ENOENT. */
int words_find(const char *words, const char *text);
/* The same; -EINVAL: it is none of them, and the sentence lists them. */
int parse_word(const char *text, const char *what, const char *words, struct error *err);

/* The size as parse_size reads it, with the largest unit that does. */
void parse_size_words(uint64_t v, char ret[24]);

/* A time in milliseconds: a whole number with "ms" or "s" after it, or 0, in [min, max] ms.
 * -EINVAL, -ERANGE with a sentence. */
int parse_ms(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
             struct error *err);

/* A rate in bits a second: a whole number, or one with "kbit", "mbit" or "gbit" (10^3, 10^6, 10^9)
 * after it, which may have a decimal fraction then ("4.8mbit"); in [min, max]. -EINVAL, -ERANGE
 * with a sentence. */
int parse_rate(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
               struct error *err);

/* The rate as parse_rate reads it, with the largest unit that does. */
void parse_rate_words(uint64_t v, char ret[32]);

struct host_port {
    char host[256]; /* name or address, without brackets */
    uint16_t port;
};

/* "host:port", "1.2.3.4:port" or "[v6]:port". -EINVAL with a sentence. */
int parse_host_port(const char *text, struct host_port *ret, struct error *err);
/* The same where ":port" may be missing, and is then that one; 0: it may not. */
int parse_host_port_or(const char *text, uint16_t port, struct host_port *ret, struct error *err);

enum {
    VLAN_IDS = 4096,
};

struct vlan_set {
    uint64_t bits[VLAN_IDS / 64]; /* bit n: VLAN id n is in the set */
};

/* "100,200-210": ids 0 to 4094, ranges not empty. -EINVAL with a sentence. */
int parse_vlan_list(const char *text, struct vlan_set *ret, struct error *err);
/* The same for ids that rise from the first to the last, 0 to 4095. */
int parse_vlan_filter(const char *text, struct vlan_set *ret, struct error *err);

static inline int vlan_set_has(const struct vlan_set *s, unsigned id)
{
    return id < VLAN_IDS && (s->bits[id / 64] >> (id % 64) & 1);
}
