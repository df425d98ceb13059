/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples: keeps one frame in N, or the frames of one flow in N. A frame that is kept stands for N.
 *
 * Of each N frames one is kept, at a random place among them, so that nothing regular in the
 * traffic is missed or kept always. A flow is kept whole, in both directions and on all interfaces:
 * by a hash under a key that is drawn at the start, so that nobody outside can choose not to be
 * seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "data/flow.h"
#include "data/stage.h"

enum {
    SAMPLE_MAX = 1000000, /* N */
};

struct sample_wish {
    uint32_t n;
    bool flow;
    uint8_t key[KEYED_HASH_KEY_LEN];
};

/* A flow's key, before it is hashed. */
struct key {
    size_t len;
    uint8_t bytes[INNER_KEY_MAX];
};

struct sample_stage {
    struct stage stage;
    const struct sample_wish *wish;
    uint32_t at, kept; /* the place in the N frames under way, and of the one that is kept */
    uint64_t random;   /* state of a generator (xorshift64, Marsaglia 2003) */
    struct key keys[BATCH_MAX];
    uint64_t hash[BATCH_MAX];
};

static uint64_t next_random(struct sample_stage *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random;
}

static bool keeps_packet(struct sample_stage *t)
{
    if (t->at == t->wish->n) {
        t->at = 0;
        t->kept = (uint32_t)(next_random(t) % t->wish->n);
    }
    return t->at++ == t->kept;
}

static bool keep_packet(const struct frame *f, void *stage)
{
    (void)f;
    return keeps_packet(stage);
}

static void take_key(const struct frame *f, struct key *ret)
{
    uint8_t room[INNER_SCRATCH];
    struct inner in;
    flow_walk(f, room, &in);
    ret->len = inner_key(&in, ret->bytes);
}

/* The keys of the batch first, and then their hashes: a processor has many of each under way. */
static void sample_flows(struct stage *s, struct batch *b, const struct pass *p)
{
    struct sample_stage *t = (struct sample_stage *)s;
    const uint64_t most = UINT64_MAX / t->wish->n;
    struct stage_tally tally = {0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        take_key(&b->f[i], &t->keys[i]);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        t->hash[i] = keyed_hash(t->wish->key, t->keys[i].bytes, t->keys[i].len);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        if (t->hash[i] > most) {
            stage_tally(&tally, s, p, &b->f[i]);
        } else if (kept++ != i) {
            b->f[kept - 1] = b->f[i];
        }
    }
    b->n = kept;
    stage_tally_end(&tally, s);
}

static void sample_run(struct stage *s, struct batch *b, const struct pass *p)
{
    const struct sample_wish *w = ((const struct sample_stage *)s)->wish;
    const uint32_t n = w->n;
    if (w->flow) {
        sample_flows(s, b, p);
    } else {
        stage_filter(s, b, p, keep_packet);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        frame_multiply(&b->f[i], n);
    }
}

static const struct stage_ops ops = {.run = sample_run, .free = stage_free};

int sample_stage_read(const char *text, void **ret, struct error *err)
{
    uint64_t n = 0;
    const size_t len = strcspn(text, " \t");
    const bool flow = len == 4 && memcmp(text, "flow", len) == 0;
    if (!flow && !(len == 6 && memcmp(text, "packet", len) == 0)) {
        return error_set(err, EINVAL, "a sample is of packet or flow, not \"%.*s\"", (int)len,
                         text);
    }
    text += len;
    text += strspn(text, " \t");
    if (strncmp(text, "1/", 2) != 0) {
        return error_set(err, EINVAL, "the rate is 1/N, such as 1/10, not \"%s\"", text);
    }
    int r = parse_u64(text + 2, "N", 1, SAMPLE_MAX, &n, err);
    if (r < 0) {
        return r;
    }
    struct sample_wish *w = calloc(1, sizeof(*w));
    r = w ? random_bytes(w->key, sizeof(w->key)) : -ENOMEM;
    if (r < 0) {
        free(w);
        return error_sys(err, -r, "sample");
    }
    w->n = (uint32_t)n;
    w->flow = flow;
    *ret = w;
    return 0;
}

int sample_stage_new(const void *wish, struct stage **ret)
{
    struct sample_stage *t = calloc(1, sizeof(*t));
    int r = t ? random_bytes(&t->random, sizeof(t->random)) : -ENOMEM;
    if (r < 0) {
        free(t);
        return r;
    }
    t->random |= 1; /* the generator's state is never 0 */
    t->stage.ops = &ops;
    t->wish = wish;
    t->at = t->wish->n;
    *ret = &t->stage;
    return 0;
}
