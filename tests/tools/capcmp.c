/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares two captures, A (what should be there) and B (what is), frame by frame, and says as one
 * JSON document whether each frame of A is in B exactly once, byte for byte, with its original
 * length, in order; and, when asked, whether times and directions are the same.
 *
 * Frames are paired by content: first in step, as long as both files agree, and from the first
 * difference on by hash, each frame of B with the earliest unpaired frame of A that equals it. What
 * finds no partner is missing (in A), or, in B, a duplicate, a frame that was altered (it stands
 * where one is missing) or foreign.
 */
#include "base/bytes.h"
#include "capfile.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EXAMPLES = 8, NONE = -1 };
enum order { ORDER_ALL, ORDER_INTERFACE, ORDER_DIRECTION, ORDER_NONE };

struct side {
    struct capfile file;
    const char *name, *interface; /* interface: only the records whose interface's name matches */
    const struct capfile_record **v;
    int64_t *partner; /* index in the other side, or NONE */
    size_t n;
    uint64_t bytes;
};

struct conf {
    enum order order;
    bool times, times_us, directions, no_lengths, allow_missing, allow_extra;
    int b_direction;
};

struct verdict {
    uint64_t matched, missing, duplicates, altered, foreign, out_of_order, lengths, times,
        directions;
    char examples[MAX_EXAMPLES][200];
    unsigned n_examples;
};

static const char usage[] =
    "Usage: capcmp [options] A B\n"
    "  --order all|interface|direction|none  where the order must be kept (B's interface, "
    "direction)\n"
    "  --times[=us]         times must be equal (us: to the microsecond)\n"
    "  --directions         directions must be equal\n"
    "  --b-direction in|out each frame of B must have it\n"
    "  --no-lengths         do not compare original lengths\n"
    "  --allow missing,extra  do not fail for frames that only A, or only B, has\n"
    "  --a-interface GLOB, --b-interface GLOB   compare only these interfaces' frames\n"
    "Exit status 0 when equal, 1 when not, 2 when that cannot be told.\n";

static uint64_t hash_bytes(const uint8_t *p, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

static bool same_bytes(const struct capfile_record *a, const struct capfile_record *b)
{
    return a->caplen == b->caplen && memcmp(a->data, b->data, a->caplen) == 0;
}

static int load(struct side *s)
{
    int r = capfile_read(s->name, &s->file);
    if (r < 0) {
        fprintf(stderr, "capcmp: %s: %s\n", s->name, s->file.error);
        return r;
    }
    s->v = calloc(s->file.n + 1, sizeof(const struct capfile_record *));
    s->partner = calloc(s->file.n + 1, sizeof(*s->partner));
    if (!s->v || !s->partner) {
        return -ENOMEM;
    }
    s->n = 0;
    for (size_t i = 0; i < s->file.n; i++) {
        const struct capfile_record *rec = &s->file.v[i];
        if (s->interface && fnmatch(s->interface, s->file.ifaces[rec->iface].name, 0) != 0) {
            continue;
        }
        s->partner[s->n] = NONE;
        s->v[s->n++] = rec;
        s->bytes += rec->caplen;
    }
    return 0;
}

/* Chains of A's unpaired records by hash, each in A's order. */
struct table {
    int64_t *head, *next;
    size_t mask;
};

static int table_make(struct table *t, const struct side *a, size_t from)
{
    size_t size = 1024;
    while (size < a->n * 2) {
        size *= 2;
    }
    t->mask = size - 1;
    t->head = malloc(size * sizeof(*t->head));
    t->next = malloc((a->n + 1) * sizeof(*t->next));
    if (!t->head || !t->next) {
        return -ENOMEM;
    }
    memset(t->head, 0xff, size * sizeof(*t->head));
    for (size_t i = a->n; i-- > from;) {
        size_t slot = hash_bytes(a->v[i]->data, a->v[i]->caplen) & t->mask;
        t->next[i] = t->head[slot];
        t->head[slot] = (int64_t)i;
    }
    return 0;
}

static int64_t table_take(struct table *t, const struct side *a, const struct capfile_record *rec)
{
    int64_t *link = &t->head[hash_bytes(rec->data, rec->caplen) & t->mask];
    for (; *link != NONE; link = &t->next[*link]) {
        int64_t i = *link;
        if (same_bytes(a->v[i], rec)) {
            *link = t->next[i];
            return i;
        }
    }
    return NONE;
}

static int pair_up(struct side *a, struct side *b)
{
    size_t i = 0;
    for (; i < a->n && i < b->n && same_bytes(a->v[i], b->v[i]); i++) {
        a->partner[i] = b->partner[i] = (int64_t)i;
    }
    if (i == a->n && i == b->n) {
        return 0;
    }
    struct table t = {0};
    int r = table_make(&t, a, i);
    for (size_t j = i; r == 0 && j < b->n; j++) {
        int64_t at = table_take(&t, a, b->v[j]);
        b->partner[j] = at;
        if (at != NONE) {
            a->partner[at] = (int64_t)j;
        }
    }
    free(t.head);
    free(t.next);
    return r;
}

__attribute__((format(printf, 3, 4))) static void example(struct verdict *v, uint64_t count,
                                                          const char *format, ...)
{
    /* at most three of a kind, so that one kind does not hide the others */
    if (v->n_examples < MAX_EXAMPLES && count <= 3) {
        va_list args;
        va_start(args, format);
        vsnprintf(v->examples[v->n_examples++], sizeof(v->examples[0]), format, args);
        va_end(args);
    }
}

/*
 * A record of B without a partner, after B's record that was paired with A's `before`. Returns
 * where in A the next one comes after.
 */
static int64_t judge_unpaired(struct verdict *v, const struct side *a, const struct side *b,
                              size_t j, int64_t before)
{
    const struct capfile_record *rec = b->v[j];
    size_t first = (size_t)(before + 1), at = first;
    while (at < a->n && at < first + 64 && a->partner[at] == NONE &&
           a->v[at]->caplen != rec->caplen) {
        at++; /* rather one of the same length */
    }
    if (at >= a->n || at >= first + 64 || a->partner[at] != NONE) {
        at = first;
    }
    if (at < a->n && a->partner[at] == NONE) {
        const struct capfile_record *was = a->v[at];
        size_t n = was->caplen < rec->caplen ? was->caplen : rec->caplen, k = 0;
        while (k < n && was->data[k] == rec->data[k]) {
            k++;
        }
        a->partner[at] = (int64_t)j;
        v->altered++;
        example(v, v->altered,
                "{\"kind\": \"altered\", \"a\": %zu, \"b\": %zu, \"at_byte\": %zu, "
                "\"a_captured\": %u, \"b_captured\": %u}",
                at, j, k, was->caplen, rec->caplen);
        return (int64_t)at;
    }
    v->foreign++;
    example(v, v->foreign, "{\"kind\": \"foreign\", \"b\": %zu, \"captured\": %u}", j, rec->caplen);
    return before;
}

/* Whether a frame equal to B's j-th was already paired: then j is a copy of it. */
static int find_duplicates(struct verdict *v, const struct side *a, struct side *b, bool *ret_dup)
{
    struct table t = {0};
    size_t unpaired = 0;
    for (size_t j = 0; j < b->n; j++) {
        unpaired += b->partner[j] == NONE;
    }
    if (!unpaired) {
        return 0;
    }
    int r = table_make(&t, a, 0);
    for (size_t j = 0; r == 0 && j < b->n; j++) {
        if (b->partner[j] != NONE) {
            continue;
        }
        int64_t i = t.head[hash_bytes(b->v[j]->data, b->v[j]->caplen) & t.mask];
        while (i != NONE && !same_bytes(a->v[i], b->v[j])) {
            i = t.next[i];
        }
        if (i != NONE) {
            ret_dup[j] = true;
            v->duplicates++;
            example(v, v->duplicates,
                    "{\"kind\": \"duplicate\", \"b\": %zu, \"of_b\": %lld, \"captured\": %u}", j,
                    (long long)a->partner[i], b->v[j]->caplen);
        }
    }
    free(t.head);
    free(t.next);
    return r;
}

static void judge_pair(struct verdict *v, const struct conf *conf, const struct capfile_record *a,
                       const struct capfile_record *b, size_t i, size_t j)
{
    uint64_t unit = conf->times_us ? 1000 : 1;
    if (!conf->no_lengths && a->len != b->len) {
        v->lengths++;
        example(v, v->lengths,
                "{\"kind\": \"length\", \"a\": %zu, \"b\": %zu, \"a_length\": %u, "
                "\"b_length\": %u}",
                i, j, a->len, b->len);
    }
    if (conf->times && a->ns / unit != b->ns / unit) {
        v->times++;
        example(v, v->times,
                "{\"kind\": \"time\", \"a\": %zu, \"b\": %zu, \"a_ns\": %llu, \"b_ns\": %llu}", i,
                j, (unsigned long long)a->ns, (unsigned long long)b->ns);
    }
    if (conf->directions && a->direction != b->direction) {
        v->directions++;
        example(v, v->directions,
                "{\"kind\": \"direction\", \"a\": %zu, \"b\": %zu, \"a_is\": %u, \"b_is\": %u}", i,
                j, a->direction, b->direction);
    }
}

static unsigned order_key(const struct conf *conf, const struct capfile_record *rec)
{
    if (conf->order == ORDER_INTERFACE) {
        return rec->iface % CAPFILE_IFACES;
    }
    return conf->order == ORDER_DIRECTION ? rec->direction : 0;
}

static int judge(struct verdict *v, const struct conf *conf, struct side *a, struct side *b)
{
    int64_t last[CAPFILE_IFACES];
    memset(last, 0xff, sizeof(last));
    bool *dup = calloc(b->n + 1, sizeof(*dup));
    if (!dup || find_duplicates(v, a, b, dup) < 0) {
        free(dup);
        return -ENOMEM;
    }
    int64_t before = NONE;
    for (size_t j = 0; j < b->n; j++) {
        const struct capfile_record *rec = b->v[j];
        int64_t i = b->partner[j];
        if (conf->b_direction && rec->direction != conf->b_direction) {
            v->directions++;
            example(v, v->directions, "{\"kind\": \"direction\", \"b\": %zu, \"b_is\": %u}", j,
                    rec->direction);
        }
        if (i == NONE) {
            if (!dup[j]) {
                before = judge_unpaired(v, a, b, j, before);
            }
            continue;
        }
        int64_t *latest = &last[order_key(conf, rec)];
        v->matched++;
        if (i < *latest && conf->order != ORDER_NONE) {
            v->out_of_order++;
            example(v, v->out_of_order,
                    "{\"kind\": \"order\", \"a\": %lld, \"b\": %zu, \"after_a\": %lld}",
                    (long long)i, j, (long long)*latest);
        }
        *latest = i > *latest ? i : *latest;
        before = i;
        judge_pair(v, conf, a->v[i], rec, (size_t)i, j);
    }
    for (size_t i = 0; i < a->n; i++) {
        if (a->partner[i] == NONE) {
            v->missing++;
            example(v, v->missing, "{\"kind\": \"missing\", \"a\": %zu, \"captured\": %u}", i,
                    a->v[i]->caplen);
        }
    }
    free(dup);
    return 0;
}

static void print_side(const char *key, const struct side *s)
{
    printf("\"%s\": {\"frames\": %zu, \"bytes\": %llu, \"interfaces\": [", key, s->n,
           (unsigned long long)s->bytes);
    for (unsigned i = 0; i < s->file.n_ifaces; i++) {
        printf("%s\"", i ? ", " : "");
        for (const char *p = s->file.ifaces[i].name; *p; p++) {
            if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20) {
                printf("\\u%04x", (unsigned char)*p);
            } else {
                putchar(*p);
            }
        }
        printf("\"");
    }
    printf("]}");
}

static bool print_verdict(const struct verdict *v, const struct conf *conf, const struct side *a,
                          const struct side *b)
{
    bool equal = v->altered + v->out_of_order + v->lengths + v->times + v->directions == 0;
    equal = equal && (conf->allow_missing || v->missing == 0);
    equal = equal && (conf->allow_extra || v->duplicates + v->foreign == 0);
    printf("{\"equal\": %s, ", equal ? "true" : "false");
    print_side("a", a);
    printf(", ");
    print_side("b", b);
    printf(", \"matched\": %llu, \"missing\": %llu, \"duplicates\": %llu, \"altered\": %llu, "
           "\"foreign\": %llu, \"out_of_order\": %llu, \"lengths\": %llu, \"times\": %llu, "
           "\"directions\": %llu, \"first\": [",
           (unsigned long long)v->matched, (unsigned long long)v->missing,
           (unsigned long long)v->duplicates, (unsigned long long)v->altered,
           (unsigned long long)v->foreign, (unsigned long long)v->out_of_order,
           (unsigned long long)v->lengths, (unsigned long long)v->times,
           (unsigned long long)v->directions);
    for (unsigned i = 0; i < v->n_examples; i++) {
        printf("%s%s", i ? ", " : "", v->examples[i]);
    }
    printf("]}\n");
    return equal;
}

/* The place of `word` in the list, or -EINVAL. */
static int one_of(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++) {
        if (strcmp(word, list[i]) == 0) {
            return i;
        }
    }
    return -EINVAL;
}

static int parse_options(int argc, char **argv, struct conf *conf, struct side *a, struct side *b)
{
    static const struct option options[] = {
        {"order", 1, NULL, 'o'},       {"times", 2, NULL, 't'},       {"directions", 0, NULL, 'd'},
        {"b-direction", 1, NULL, 'D'}, {"no-lengths", 0, NULL, 'l'},  {"allow", 1, NULL, 'w'},
        {"a-interface", 1, NULL, 'a'}, {"b-interface", 1, NULL, 'b'}, {0}};
    static const char *const orders[] = {"all", "interface", "direction", "none", NULL};
    static const char *const directions[] = {"in", "out", NULL};
    int c, r = 0;
    while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char *arg = optarg ? optarg : "";
        if (c == 'o') {
            r = one_of(arg, orders);
            conf->order = (enum order)(r < 0 ? 0 : r);
        } else if (c == 't') {
            conf->times = true;
            conf->times_us = strcmp(arg, "us") == 0;
        } else if (c == 'd') {
            conf->directions = true;
        } else if (c == 'D') {
            r = one_of(arg, directions);
            conf->b_direction = r + 1;
        } else if (c == 'l') {
            conf->no_lengths = true;
        } else if (c == 'w') {
            conf->allow_missing = strstr(arg, "missing") != NULL;
            conf->allow_extra = strstr(arg, "extra") != NULL;
        } else if (c == 'a') {
            a->interface = arg;
        } else if (c == 'b') {
            b->interface = arg;
        } else {
            r = -EINVAL;
        }
    }
    if (r < 0 || argc - optind != 2) {
        return -EINVAL;
    }
    a->name = argv[optind];
    b->name = argv[optind + 1];
    return 0;
}

static void side_done(struct side *s)
{
    capfile_done(&s->file);
    free(s->v);
    free(s->partner);
    free(s);
}

int main(int argc, char **argv)
{
    struct conf conf = {0};
    struct verdict verdict = {0};
    struct side *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    int status = 2;
    if (!a || !b || parse_options(argc, argv, &conf, a, b) < 0) {
        fputs(usage, stderr);
        free(a);
        free(b);
        return 2;
    }
    if (load(a) == 0 && load(b) == 0 && pair_up(a, b) == 0 && judge(&verdict, &conf, a, b) == 0) {
        status = print_verdict(&verdict, &conf, a, b) ? 0 : 1;
    }
    side_done(a);
    side_done(b);
    return status;
}
