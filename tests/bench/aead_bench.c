/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the cost of a record with each back end of aead.h, in ns, sealed in place with 8 bytes of
 * associated data, and opened. The back ends take turns on each size, several rounds, and the best
 * round of each counts: so they are compared under the same load of the machine.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sys/crypto/aead.h"
#include "sys/crypto/kdf.h"

enum {
    ROUNDS = 7,
    ROUND_BYTES = 4 << 20, /* about so much goes through in a round */
    ROUND_RECORDS = 20000, /* at most */
    AAD_LEN = 8,
};

struct runner {
    const char *backend;
    enum aead_alg alg;
    struct aead *a;
    double seal, open, setup; /* ns a record, the best so far; ns to make the object */
};

static const size_t sizes[] = {64, 256, 1450, 9000, 65000};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void keep_best(double *best, double value)
{
    if (*best == 0 || value < *best) {
        *best = value;
    }
}

/* Opening in place destroys what is opened, so a sealed record is copied back each time; the time
 * of the copies alone is measured next to it and taken off. */
static int run_round(struct runner *r, uint8_t *buf, uint8_t *sealed, size_t len)
{
    uint8_t nonce[AEAD_NONCE_LEN] = {0}, aad[AAD_LEN] = {0}, tag[AEAD_TAG_MAX] = {0};
    size_t n = MIN((size_t)ROUND_RECORDS, ROUND_BYTES / len);
    double t = now_ns();
    for (size_t i = 0; i < n; i++) {
        memcpy(nonce, &i, sizeof(i));
        if (aead_seal(r->a, nonce, aad, sizeof(aad), buf, len, tag) < 0) {
            return -1;
        }
    }
    keep_best(&r->seal, (now_ns() - t) / (double)n);

    if (aead_seal(r->a, nonce, aad, sizeof(aad), buf, len, tag) < 0) {
        return -1;
    }
    memcpy(sealed, buf, len);
    double spent = 0;
    const size_t rounds = n / 64 + 1; /* the clock is read once for 64 records at most */
    for (size_t i = 0; i < rounds; i++) {
        t = now_ns();
        for (size_t j = 0; j < 64; j++) {
            memcpy(buf, sealed, len);
            __asm__ volatile("" : : "r"(buf) : "memory"); /* or only the last copy is made */
        }
        double copies = now_ns() - t;
        t = now_ns();
        for (size_t j = 0; j < 64; j++) {
            memcpy(buf, sealed, len);
            if (aead_open(r->a, nonce, aad, sizeof(aad), buf, len, tag) < 0) {
                return -1;
            }
        }
        spent += now_ns() - t - copies;
    }
    keep_best(&r->open, spent / (double)(64 * rounds));
    return 0;
}

static void make_all(struct runner *runners, size_t n)
{
    static const uint8_t key[AEAD_KEY_LEN] = {1, 2, 3};
    for (size_t i = 0; i < n; i++) {
        for (unsigned j = 0; j < 20; j++) {
            aead_free(runners[i].a);
            runners[i].a = NULL;
            double t = now_ns();
            if (aead_new_backend(runners[i].backend, runners[i].alg, key, &runners[i].a, NULL) <
                0) {
                break; /* not here */
            }
            keep_best(&runners[i].setup, now_ns() - t);
        }
    }
}

static int run_size(struct runner *runners, size_t n, size_t len)
{
    _cleanup_(freep) uint8_t *buf = calloc(2, len);
    if (!buf) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        runners[i].seal = runners[i].open = 0;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            if (runners[i].a && run_round(&runners[i], buf, buf + len, len) < 0) {
                return -1;
            }
        }
    }
    printf("%6zu", len);
    for (size_t i = 0; i < n; i++) {
        if (runners[i].a) {
            printf("  %13.0f / %-13.0f", runners[i].seal, runners[i].open);
        }
    }
    printf("\n");
    return 0;
}

int main(void)
{
    struct runner runners[] = {
        {.backend = "ipsec-mb", .alg = AEAD_AES256GCM},
        {.backend = "openssl", .alg = AEAD_AES256GCM},
        {.backend = "openssl", .alg = AEAD_CHACHA20POLY1305},
    };
    if (crypto_init(NULL) < 0) {
        return EXIT_FAILURE;
    }
    make_all(runners, ARRAY_SIZE(runners));
    printf("ns a record, seal / open\n bytes");
    for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
        if (runners[i].a) {
            printf("  %8s %-20s", runners[i].backend, aead_alg_name(runners[i].alg));
        }
    }
    printf("\n");
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        if (run_size(runners, ARRAY_SIZE(runners), sizes[i]) < 0) {
            return EXIT_FAILURE;
        }
    }
    printf("   new");
    for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
        if (runners[i].a) {
            printf("  %13.0f   %-13s", runners[i].setup, "");
        }
        aead_free(runners[i].a);
    }
    printf("\n");
    return EXIT_SUCCESS;
}
