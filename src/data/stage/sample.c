/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples: keeps one frame in N, or the frames of one flow in N. A frame that is kept stands for N.
 *
 * Of each N frames one is kept, at a random place among them, so that nothing regular in the
 * traffic is missed or kept always. A flow is kept whole, in both directions and on all interfaces:
 * by a hash under a key that is drawn at the start, so that nobody outside can choose not to be
 * seen. With a seed the choice is the same wherever the same number was given.
 *
 * A flow is that of the innermost IP header that a quick walk reaches (proto/inner.h); or of the
 * outermost packet, or the innermost, as a meter tells flows apart (proto/packet.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/conf.h"
#include "base/parse.h"
#include "data/flow.h"
#include "data/stage.h"
#include "proto/ether.h"
#include "proto/packet.h"
#include "proto/sampling.h"

/* The packet by which flows are told apart. */
enum which { WHICH_REACHED, WHICH_OUTER, WHICH_INNER };

struct sample_wish {
    uint32_t n;
    bool flow;
    enum which which;
    bool seeded; /* the key is of a number that was given */
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

/* The ends of a meter's packet, as those of a walk. */
static void ends_of(const struct packet *p, struct inner *ret)
{
    *ret = (struct inner){.family = p->version == 4 ? AF_INET : AF_INET6,
                          .proto = p->proto,
                          .fragment = p->fragment,
                          .addr = {p->addr[0], p->addr[1]}};
    if (!p->fragment && ether_has_ports(p->proto)) {
        ret->port[0] = p->port[0];
        ret->port[1] = p->port[1];
    }
}

/* The packet that a meter counts, of a frame of any link type. */
static void read_packet(const struct frame *f, uint16_t linktype, enum which which,
                        uint8_t room[INNER_SCRATCH], struct inner *ret)
{
    struct packet p;
    struct packet_tunnel t;
    size_t len = 0;
    const uint8_t *bytes = inner_bytes(f, room, &len);
    const int r = which == WHICH_INNER
                      ? packet_read_inner(linktype, bytes, len, f->origlen, PACKET_TUNNELS, &p, &t)
                      : packet_read(linktype, bytes, len, f->origlen, &p);
    *ret = (struct inner){0};
    if (r == 0) {
        ends_of(&p, ret);
    } else if (linktype == PACKET_ETHERNET) {
        inner_walk(bytes, len, ret);
    }
}

static void take_key(const struct sample_wish *w, const struct frame *f, const struct pass *p,
                     struct key *ret)
{
    const uint16_t linktype = p->linktype ? p->linktype[f->point] : PACKET_ETHERNET;
    uint8_t room[INNER_SCRATCH];
    struct inner in;
    if (w->which == WHICH_REACHED && linktype == PACKET_ETHERNET) {
        flow_walk(f, room, &in);
    } else {
        read_packet(f, linktype, w->which, room, &in);
    }
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
        take_key(t->wish, &b->f[i], p, &t->keys[i]);
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

/* The word at the cursor, which goes on to the next. */
static size_t next_word(const char **text, char ret[CONF_WORD])
{
    const size_t len = strcspn(*text, " \t");
    snprintf(ret, CONF_WORD, "%.*s", (int)MIN(len, (size_t)CONF_WORD), *text);
    *text += len;
    *text += strspn(*text, " \t");
    return len;
}

/* A key that is the same wherever the number is. */
static void take_seed(struct sample_wish *w, uint64_t seed)
{
    w->seeded = true;
    memset(w->key, 0, sizeof(w->key));
    st_u64(w->key, seed);
}

static bool take_which(struct sample_wish *w, const char *word)
{
    const bool outer = strcmp(word, "outer") == 0;
    if (outer || strcmp(word, "inner") == 0) {
        w->which = outer ? WHICH_OUTER : WHICH_INNER;
        return true;
    }
    return false;
}

static int read_rest(const char *text, struct sample_wish *w, struct error *err)
{
    char word[CONF_WORD];
    while (next_word(&text, word) > 0) {
        uint64_t seed = 0;
        if (w->flow && take_which(w, word)) {
            continue;
        }
        if (strcmp(word, "seed") != 0) {
            return error_set(err, EINVAL, "behind the rate stands %sseed S, not \"%s\"",
                             w->flow ? "outer, inner or " : "", word);
        }
        (void)next_word(&text, word);
        const int r = parse_u64(word, "S", 0, UINT64_MAX, &seed, err);
        if (r < 0) {
            return r;
        }
        take_seed(w, seed);
    }
    return 0;
}

static int read_words(const char *text, struct sample_wish *w, struct error *err)
{
    char word[CONF_WORD];
    uint64_t n = 0;
    (void)next_word(&text, word);
    w->flow = strcmp(word, "flow") == 0;
    if (!w->flow && strcmp(word, "packet") != 0) {
        return error_set(err, EINVAL, "a sample is of packet or flow, not \"%s\"", word);
    }
    (void)next_word(&text, word);
    if (strncmp(word, "1/", 2) != 0) {
        return error_set(err, EINVAL, "the rate is 1/N, such as 1/10, not \"%s\"", word);
    }
    const int r = parse_u64(word + 2, "N", 1, SAMPLING_MAX, &n, err);
    w->n = (uint32_t)n;
    return r < 0 ? r : read_rest(text, w, err);
}

int sample_stage_read(const char *text, void **ret, struct error *err)
{
    struct sample_wish wish = {0};
    int r = read_words(text, &wish, err);
    if (r < 0) {
        return r;
    }
    struct sample_wish *w = calloc(1, sizeof(*w));
    r = !w ? -ENOMEM : wish.seeded ? 0 : random_bytes(wish.key, sizeof(wish.key));
    if (r < 0) {
        free(w);
        return error_sys(err, -r, "sample");
    }
    *w = wish;
    *ret = w;
    return 0;
}

static int first_random(const struct sample_wish *w, uint64_t *ret)
{
    static const char what[] = "places of packets";
    if (w->seeded) {
        *ret = keyed_hash(w->key, what, sizeof(what));
        return 0;
    }
    return random_bytes(ret, sizeof(*ret));
}

int sample_stage_new(const void *wish, struct stage **ret)
{
    struct sample_stage *t = calloc(1, sizeof(*t));
    int r = t ? first_random(wish, &t->random) : -ENOMEM;
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
