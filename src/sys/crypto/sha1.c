/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crypto/sha1.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdint.h>

enum {
    SHA1_LEN = 20,
};

int sha1_base64(const void *data, size_t len, char ret[SHA1_BASE64_LEN + 1])
{
    uint8_t hash[SHA1_LEN];
    unsigned n = 0;
    if (EVP_Digest(data, len, hash, &n, EVP_sha1(), NULL) != 1 || n != SHA1_LEN) {
        return -EIO;
    }
    (void)sodium_bin2base64(ret, SHA1_BASE64_LEN + 1, hash, sizeof(hash),
                            sodium_base64_VARIANT_ORIGINAL);
    return 0;
}
