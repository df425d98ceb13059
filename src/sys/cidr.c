/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

enum {
    MAPPED_BITS = 96, /* before an IPv4 address */
    TEXT_MAX = 64,
};

/* The first `bits` bits are alike. */
static bool alike(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    const unsigned bytes = bits / 8, rest = bits % 8;
    return memcmp(a, b, bytes) == 0 && (rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

/* Sets the bits behind the first `bits` to 0. */
static void clear_host(uint8_t net[16], unsigned bits)
{
    for (unsigned i = bits; i < 128; i++) {
        net[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    }
}

static bool parse_address(const char *text, uint8_t ret[16], bool *ret_four)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *ret_four = inet_pton(AF_INET, text, ret + 12) == 1;
    if (*ret_four) {
        memcpy(ret, mapped, sizeof(mapped));
        return true;
    }
    return inet_pton(AF_INET6, text, ret) == 1;
}

static int parse_one(char *text, struct cidr *ret, struct error *err)
{
    char *slash = strchr(text, '/');
    uint64_t bits = 0;
    bool four = false;
    if (slash) {
        *slash = '\0';
    }
    if (!parse_address(text, ret->net, &four)) {
        return error_set(err, EINVAL,
                         "\"%s\" is no address: 10.0.0.0/8 or 2001:db8::/32 is a range", text);
    }
    const unsigned most = four ? 32 : 128;
    if (slash && parse_u64(slash + 1, "bits", 0, most, &bits, NULL) < 0) {
        return error_set(err, EINVAL, "the range of %s has 0 to %u bits, not \"%s\"", text, most,
                         slash + 1);
    }
    const unsigned own = slash ? (unsigned)bits : most;
    ret->bits = (uint8_t)(own + (four ? MAPPED_BITS : 0));
    uint8_t net[16];
    char right[INET6_ADDRSTRLEN] = "";
    memcpy(net, ret->net, sizeof(net));
    clear_host(net, ret->bits);
    if (memcmp(net, ret->net, sizeof(net)) != 0) {
        (void)inet_ntop(four ? AF_INET : AF_INET6, four ? net + 12 : net, right, sizeof(right));
        return error_set(err, EINVAL, "%s/%u has bits beyond its length: %s/%u or %s", text, own,
                         right, own, text);
    }
    return 0;
}

int cidr_list_add(struct cidr_list *l, const char *text, struct error *err)
{
    int r = 0;
    for (const char *at = text; r == 0;) {
        char one[TEXT_MAX];
        const size_t len = strcspn(at, ",");
        if (len == 0 || len >= sizeof(one)) {
            return error_set(err, EINVAL, "a range is an address with a length: 10.0.0.0/8");
        }
        if (l->n == CIDR_MAX) {
            return error_set(err, EINVAL, "at most %d ranges", CIDR_MAX);
        }
        snprintf(one, sizeof(one), "%.*s", (int)len, at);
        r = parse_one(one, &l->at[l->n], err);
        l->n += r == 0 ? 1 : 0;
        if (at[len] == '\0') {
            break;
        }
        at += len + 1;
    }
    return r;
}

bool cidr_list_has(const struct cidr_list *l, const uint8_t ip[16])
{
    for (unsigned i = 0; i < l->n; i++) {
        if (alike(l->at[i].net, ip, l->at[i].bits)) {
            return true;
        }
    }
    return false;
}

bool cidr_is_loopback(const uint8_t ip[16])
{
    static const uint8_t v4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127}, v6[16] = {[15] = 1};
    return memcmp(ip, v4, sizeof(v4)) == 0 || memcmp(ip, v6, sizeof(v6)) == 0;
}
