/* SPDX-License-Identifier: Apache-2.0
 *
 * The small modules of base/: cursors (bytes.h), frames with inserted bytes (batch.h), words into
 * values (parse.h), times, the ledger, the queue and the history.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "base/batch.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/history.h"
#include "base/ledger.h"
#include "base/parse.h"
#include "base/queue.h"
#include "base/time.h"

static void reader_is_sticky(void **state)
{
    (void)state;
    const uint8_t in[] = {1, 2, 3, 4, 5};
    struct rd r = rd_make(in, sizeof(in));
    assert_int_equal(rd_u16(&r), 0x0102);
    assert_int_equal(rd_u32(&r), 0);
    assert_false(rd_ok(&r));
    assert_int_equal(rd_u8(&r), 0); /* three bytes are left, but the cursor stays bad */
    assert_int_equal(rd_left(&r), 0);
    r = rd_make(in, sizeof(in));
    struct rd sub = rd_sub(&r, 6);
    assert_false(rd_ok(&sub));
    assert_false(rd_ok(&r));
}

static void writer_is_sticky(void **state)
{
    (void)state;
    uint8_t out[4] = {0};
    struct wr w = wr_make(out, sizeof(out));
    wr_u16(&w, 0x0102);
    wr_u32(&w, 7);
    wr_u8(&w, 9);
    assert_false(wr_ok(&w));
    assert_int_equal(wr_len(&w), 2);
    assert_memory_equal(out, ((uint8_t[]){1, 2, 0, 0}), 4);
}

static void what_is_stored_is_loaded(void **state)
{
    (void)state;
    uint8_t d[9] = {0};
    st_u64(d + 1, 0x0102030405060708);
    assert_memory_equal(d, ((uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8}), sizeof(d));
    assert_int_equal(ld_u16(d + 1), 0x0102);
    assert_int_equal(ld_u32(d + 1), 0x01020304);
    assert_true(ld_u64(d + 1) == 0x0102030405060708);
    st_u32(d + 1, 0xfffefdfc);
    st_u16(d + 5, 0xfbfa);
    assert_int_equal(ld_u32(d + 1), 0xfffefdfc);
    assert_int_equal(ld_u16(d + 5), 0xfbfa);
    assert_true(ld_u64(d + 1) == 0xfffefdfcfbfa0708);
}

static void frame_copy_inserts(void **state)
{
    (void)state;
    uint8_t data[20], whole[24], out[24];
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)i;
    }
    struct frame f = {.data = data, .datalen = 20, .caplen = 24, .ins_len = 4, .ins_off = 12};
    memcpy(f.ins, "\x81\x00\x00\x05", 4);
    memcpy(whole, data, 12);
    memcpy(whole + 12, f.ins, 4);
    memcpy(whole + 16, data + 12, 8);
    for (uint32_t from = 0; from <= 24; from++) {
        for (uint32_t n = 0; from + n <= 24; n++) {
            memset(out, 0xee, sizeof(out));
            frame_copy(&f, from, out, n);
            assert_memory_equal(out, whole + from, n);
        }
    }
}

/* Each error has its words, and a longer sentence is cut where its room ends. */
static void errors_in_words(void **state)
{
    (void)state;
    struct {
        struct error err;
        char behind[sizeof(struct error)];
    } e = {.behind = {'b'}};
    assert_int_equal(error_set(&e.err, EINVAL, "%d is no %s", 7, "port"), -EINVAL);
    assert_string_equal(e.err.text, "7 is no port");
    error_prefix(&e.err, "--port %d", 7);
    assert_string_equal(e.err.text, "--port 7: 7 is no port");
    assert_int_equal(error_sys(&e.err, ENOENT, "cannot open %s", "x"), -ENOENT);
    assert_string_equal(e.err.text, "cannot open x: No such file or directory");

    int most = (int)sizeof(e.err.text) - 1;
    error_set(&e.err, EINVAL, "%*s", most, "end");
    error_prefix(&e.err, "%s", "start");
    assert_int_equal(strlen(e.err.text), most);
    assert_memory_equal(e.err.text, "start:     ", 11);
    error_set(&e.err, EINVAL, "why");
    error_prefix(&e.err, "%*s", most - 3, "long");
    assert_int_equal(strlen(e.err.text), most);
    assert_string_equal(e.err.text + most - 7, "long: w");
    assert_int_equal(e.behind[0], 'b');

    assert_int_equal(error_set(NULL, EINVAL, "nobody reads it"), -EINVAL);
    assert_int_equal(error_sys(NULL, ENOENT, "nobody reads it"), -ENOENT);
    error_prefix(NULL, "nobody reads it");
}

static void numbers(void **state)
{
    (void)state;
    struct error err = {""};
    uint64_t v = 77;
    assert_int_equal(parse_u64("65535", "port", 1, 65535, &v, &err), 0);
    assert_int_equal(v, 65535);
    const char *bad[] = {"", "-1", "1x", " 1", "0", "65536", "99999999999999999999999", "0x10"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(parse_u64(bad[i], "port", 1, 65535, &v, &err) < 0);
        assert_int_equal(v, 65535);
        assert_non_null(strstr(err.text, "port"));
    }
}

static void sizes_and_times(void **state)
{
    (void)state;
    struct error err = {""};
    uint64_t v = 77;
    uint32_t ms = 88;
    assert_int_equal(parse_size("8M", "room", false, 1, UINT64_C(1) << 40, &v, &err), 0);
    assert_int_equal(v, 8 << 20);
    assert_int_equal(parse_size("0", "room", true, 1, 2, &v, &err), 0);
    assert_int_equal(v, 0);
    const char *bad[] = {"", "M", "8MB", "8m", "-1", "0", "99999999999G", "18446744073709551615G"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(parse_size(bad[i], "room", false, 1, 1 << 30, &v, &err) < 0);
        assert_non_null(strstr(err.text, "room"));
    }
    assert_int_equal(parse_ms("50ms", "window", 1, 60000, &ms, &err), 0);
    assert_int_equal(ms, 50);
    assert_int_equal(parse_ms("0", "window", 0, 60000, &ms, &err), 0);
    assert_int_equal(ms, 0);
    assert_int_equal(parse_ms("60s", "window", 1, 60000, &ms, &err), 0);
    assert_int_equal(ms, 60000);
    const char *odd[] = {"", "50", "ms", "50 ms", "0ms", "61s", "60001ms", "4294967296ms", "5m"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_true(parse_ms(odd[i], "window", 1, 60000, &ms, &err) < 0);
        assert_int_equal(ms, 60000);
        assert_non_null(strstr(err.text, "window"));
    }
}

static void never_is_not_earlier(void **state)
{
    (void)state;
    const struct mono never = {0}, soon = {5}, late = {7};
    assert_int_equal(mono_earlier(never, never).ns, 0);
    assert_int_equal(mono_earlier(never, late).ns, 7);
    assert_int_equal(mono_earlier(late, never).ns, 7);
    assert_int_equal(mono_earlier(soon, late).ns, 5);
    assert_int_equal(mono_earlier(late, soon).ns, 5);
    assert_int_equal(mono_wait_ms(never, late), -1);
    assert_int_equal(mono_wait_ms(soon, late), 1); /* past */
    assert_int_equal(mono_wait_ms(mono_add_ms(soon, 3), soon), 4);
    assert_int_equal(mono_wait_ms((struct mono){3 * NSEC_PER_MSEC - 1}, (struct mono){0}), 3);
}

static void host_ports(void **state)
{
    (void)state;
    struct host_port hp;
    assert_int_equal(parse_host_port("1.2.3.4:1234", &hp, NULL), 0);
    assert_string_equal(hp.host, "1.2.3.4");
    assert_int_equal(hp.port, 1234);
    assert_int_equal(parse_host_port("[fe80::1%eth0]:1", &hp, NULL), 0);
    assert_string_equal(hp.host, "fe80::1%eth0");
    const char *bad[] = {"",      "host",  ":1",     "host:", "host:0",
                         "::1:5", "[::1]", "[::1]5", "[]:5",  "h:1:2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(parse_host_port(bad[i], &hp, NULL) < 0);
    }
    const struct {
        const char *text, *host;
        uint16_t port;
    } or [] = {{"a.b", "a.b", 9},
               {"a.b:1", "a.b", 1},
               {"1.2.3.4", "1.2.3.4", 9},
               {"[::1]", "::1", 9},
               {"[::1]:65535", "::1", 65535}};
    for (size_t i = 0; i < sizeof(or) / sizeof(or [0]); i++) {
        assert_int_equal(parse_host_port_or(or [i].text, 9, &hp, NULL), 0);
        assert_string_equal(hp.host, or [i].host);
        assert_int_equal(hp.port, or [i].port);
    }
    const char *none[] = {"", ":1", "a:", "a:0", "a:65536", "::1", "[::1", "[::1]5", "[]", "a:1:2"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_true(parse_host_port_or(none[i], 9, &hp, NULL) < 0);
    }
}

static void vlan_lists(void **state)
{
    (void)state;
    struct vlan_set s;
    struct error err;
    assert_int_equal(parse_vlan_list("0,100,200-210,4094", &s, &err), 0);
    for (unsigned id = 0; id < 4096; id++) {
        int want = id == 0 || id == 100 || (id >= 200 && id <= 210) || id == 4094;
        assert_int_equal(vlan_set_has(&s, id), want);
    }
    const char *bad[] = {"",     ",", "1,",  "10-", "20-10", "4095",
                         "4096", "a", "1 2", "-5",  "1--2",  "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse_vlan_list(bad[i], &s, &err), -EINVAL);
    }
}

/* The API's lists rise, and have 4095 in them. */
static void vlan_filters(void **state)
{
    (void)state;
    struct vlan_set s;
    struct error err;
    assert_int_equal(parse_vlan_filter("0,100,200-210,4095", &s, &err), 0);
    for (unsigned id = 0; id < 4096; id++) {
        int want = id == 0 || id == 100 || (id >= 200 && id <= 210) || id == 4095;
        assert_int_equal(vlan_set_has(&s, id), want);
    }
    assert_int_equal(parse_vlan_filter("0-4095", &s, &err), 0);
    assert_true(vlan_set_has(&s, 0) && vlan_set_has(&s, 4095));
    assert_int_equal(parse_vlan_filter("7-7", &s, &err), 0);
    assert_true(vlan_set_has(&s, 7) && !vlan_set_has(&s, 6) && !vlan_set_has(&s, 8));
    static const struct {
        const char *text, *words;
    } bad[] = {{"", "not of the form"},
               {",", "not of the form"},
               {"1,,2", "not of the form"},
               {"1,", "not of the form"},
               {"10-", "not of the form"},
               {"-1", "not of the form"},
               {"1 2", "not of the form"},
               {"0x10", "not of the form"},
               {"20-10", "is empty"},
               {"4096", "between 0 and 4095"},
               {"9999", "between 0 and 4095"},
               {"1-99999999999999999999", "between 0 and 4095"},
               {"2,1", "1 does not rise above 2"},
               {"1,1", "1 does not rise above 1"},
               {"1-5,5", "5 does not rise above 5"},
               {"1-5,3-9", "3 does not rise above 5"}};
    memset(&s, 0x55, sizeof(s));
    const struct vlan_set before = s;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(parse_vlan_filter(bad[i].text, &s, &err), -EINVAL);
        if (!strstr(err.text, bad[i].words)) {
            fail_msg("%s: %s", bad[i].text, err.text);
        }
        assert_memory_equal(&s, &before, sizeof(s));
    }
}

static void ledger_balances(void **state)
{
    (void)state;
    struct ledger l = {0};
    ledger_set(&l, LEDGER_RING_IN, 10);
    ledger_add(&l, LEDGER_RING_FULL, 2);
    ledger_add(&l, LEDGER_RING_OUT, 8);
    ledger_add(&l, LEDGER_SEL_TUNNEL, 1);
    ledger_add(&l, LEDGER_SEL_OUT, 6);
    assert_string_equal(ledger_stage_name(LEDGER_SINK), "sink");
    assert_string_equal(ledger_stage_name(LEDGER_STAGE_COUNT), "?"); /* as a peer might say it */
    assert_string_equal(ledger_stage_words("link_tx"), "link, sent");
    assert_string_equal(ledger_stage_words("later_stage"), "later_stage");
    assert_int_equal(ledger_sum(&l, NULL, LEDGER_RING).in_flight, 0);
    assert_int_equal(ledger_sum(&l, NULL, LEDGER_SELECT).in, 8);
    assert_int_equal(ledger_sum(&l, NULL, LEDGER_SELECT).in_flight, 1);
    ledger_add(&l, LEDGER_SEL_OUT, 2);
    assert_int_equal(ledger_sum(&l, NULL, LEDGER_SELECT).in_flight, -1);
}

/* No figure of a peer's makes a sum wrap. */
static void sums_end(void **state)
{
    (void)state;
    struct ledger to = {0}, from = {0};
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(&to, (enum ledger_id)i, i);
        ledger_set(&from, (enum ledger_id)i, i % 2 ? 7 : LEDGER_MOST - 9);
    }
    ledger_add_up(&to, &from);
    assert_int_equal(ledger_get(&to, (enum ledger_id)1), 8);
    assert_true(ledger_get(&to, (enum ledger_id)8) == LEDGER_MOST - 1);
    assert_true(ledger_get(&to, (enum ledger_id)10) == LEDGER_MOST);
    ledger_set(&from, LEDGER_RING_IN, UINT64_MAX);
    ledger_set(&to, LEDGER_RING_FULL, UINT64_MAX);
    ledger_add_up(&to, &from);
    assert_true(ledger_get(&to, LEDGER_RING_IN) == LEDGER_MOST);
    assert_true(ledger_get(&to, LEDGER_RING_FULL) == LEDGER_MOST);
    unsigned drops[LEDGER_STAGE_COUNT] = {0};
    for (unsigned i = 0; i < LEDGER_COUNT; i++) { /* nor do all drops of a stage together */
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        drops[info->stage] += info->kind == LEDGER_DROP;
        assert_true(drops[info->stage] <= UINT64_MAX / LEDGER_MOST);
    }
}

enum {
    PASSED = 200000,
};

static void *producer(void *arg)
{
    struct queue *q = arg;
    for (uintptr_t i = 1; i <= PASSED;) {
        if (queue_push(q, (void *)i)) {
            i++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void queue_keeps_order(void **state)
{
    (void)state;
    struct queue *q = queue_new(100);
    pthread_t t;
    assert_non_null(q);
    assert_null(queue_pop(q));
    assert_int_equal(pthread_create(&t, NULL, producer, q), 0);
    for (uintptr_t want = 1; want <= PASSED;) {
        void *got = queue_pop(q);
        if (got) {
            assert_int_equal((uintptr_t)got, want);
            want++;
        } else {
            sched_yield();
        }
    }
    pthread_join(t, NULL);
    assert_int_equal(queue_len(q), 0);
    queue_free(q);
}

static void queue_is_bounded(void **state)
{
    (void)state;
    struct queue *q = queue_new(4);
    int x;
    for (int i = 0; i < 4; i++) {
        assert_true(queue_push(q, &x));
    }
    assert_false(queue_push(q, &x));
    assert_ptr_equal(queue_pop(q), &x);
    assert_true(queue_push(q, &x));
    queue_free(q);
    q = queue_new(SIZE_MAX); /* a wish without bounds has one, too */
    assert_non_null(q);
    for (unsigned i = 0; i < 1u << 20; i++) {
        assert_true(queue_push(q, &x));
    }
    assert_false(queue_push(q, &x));
    queue_free(q);
    queue_free(NULL);
}

static void rates(void **state)
{
    (void)state;
    struct error err = {""};
    const uint64_t min = 64000, max = UINT64_C(100000000000);
    static const struct {
        const char *text;
        uint64_t bits;
        const char *words;
    } good[] = {{"64000", 64000, "64kbit"},
                {"64001", 64001, "64001"},
                {"500kbit", 500000, "500kbit"},
                {"4.8mbit", 4800000, "4800kbit"},
                {"10mbit", 10000000, "10mbit"},
                {"0.064mbit", 64000, "64kbit"},
                {"1.0000000009gbit", 1000000000, "1gbit"},
                {"1.23456789gbit", 1234567890, "1234567890"},
                {"100gbit", max, "100gbit"}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        uint64_t v = 0;
        char words[32];
        assert_int_equal(parse_rate(good[i].text, "--rate", min, max, &v, &err), 0);
        assert_int_equal(v, good[i].bits);
        parse_rate_words(v, words);
        assert_string_equal(words, good[i].words);
    }
    uint64_t v = 7;
    static const char *const far[] = {"0",       "63999",           "0.06mbit",
                                      "101gbit", "100.1gbit",       "18446744073709551616",
                                      "0mbit",   "18446744074gbit", "18446744073709551615gbit"};
    for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
        assert_int_equal(parse_rate(far[i], "--rate", min, max, &v, &err), -ERANGE);
    }
    assert_string_equal(err.text,
                        "--rate: 18446744073709551615gbit is not between 64kbit and 100gbit");
    static const char *const bad[] = {"",       "kbit",      "-1mbit", "1.5",     "1.mbit",
                                      ".5mbit", "1e6",       "10Mbit", "10 mbit", "10mbps",
                                      "10m",    "1.2.3mbit", "10mbitx"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(parse_rate(bad[i], "--rate", min, max, &v, &err), -EINVAL);
    }
    assert_string_equal(err.text, "--rate: \"10mbitx\" is not a rate in bits a second such as "
                                  "500kbit, 4.8mbit or 64000");
    assert_int_equal(v, 7);
}

static void words(void **state)
{
    (void)state;
    struct error err = {""};
    assert_int_equal(parse_word("in", "--it", "in|out|both", &err), 0);
    assert_int_equal(parse_word("both", "--it", "in|out|both", &err), 2);
    assert_string_equal(err.text, "");
    static const char *const wrong[] = {"", "i", "inn", "in|out", "bot", "IN"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char want[64];
        (void)snprintf(want, sizeof(want), "--it is in, out or both, not \"%s\"", wrong[i]);
        assert_int_equal(parse_word(wrong[i], "--it", "in|out|both", &err), -EINVAL);
        assert_string_equal(err.text, want);
    }
    size_t len = 0;
    assert_string_equal(words_at("in|out", 1, &len), "out");
    assert_int_equal(len, 3);
    assert_null(words_at("in|out", 2, &len));
    assert_null(words_at(NULL, 0, &len));
    assert_int_equal(words_find("in|out", "out"), 1);
    assert_int_equal(words_find("in|out", "in|out"), -ENOENT);
    assert_int_equal(words_find(NULL, ""), -ENOENT);
    assert_int_equal(parse_word("b", "--it", "a", &err), -EINVAL);
    assert_string_equal(err.text, "--it is a, not \"b\"");
}

static void sizes(void **state)
{
    (void)state;
    struct error err = {""};
    uint64_t v = 7;
    assert_int_equal(parse_size("64M", "--it", true, 1 << 20, 1 << 30, &v, NULL), 0);
    assert_int_equal(v, 64 << 20);
    assert_int_equal(parse_size("1048576", "--it", true, 1 << 20, 1 << 30, &v, NULL), 0);
    assert_int_equal(v, 1 << 20);
    assert_int_equal(parse_size("1G", "--it", true, 1 << 20, 1 << 30, &v, NULL), 0);
    assert_int_equal(parse_size("1024K", "--it", true, 1 << 20, 1 << 30, &v, NULL), 0);
    assert_int_equal(v, 1 << 20);
    assert_int_equal(parse_size("0", "--it", true, 1 << 20, 1 << 30, &v, NULL), 0);
    assert_int_equal(v, 0);
    assert_int_equal(parse_size("0", "--it", false, 1 << 20, 1 << 30, &v, &err), -ERANGE);
    assert_string_equal(err.text, "--it: 0 is not between 1M and 1G");
    static const char *const far[] = {
        "1023K", "2G", "1048575", "18446744073709551615G", "18446744073709551616", "17179869184G"};
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_equal(parse_size(far[i], "--it", true, 1 << 20, 1 << 30, &v, &err), -ERANGE);
    }
    assert_string_equal(err.text, "--it: 17179869184G is not between 1M and 1G, nor 0");
    static const char *const bad[] = {"", "M", "-1M", " 1M", "1MB", "1m", "1.5G", "1 M", "64T"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse_size(bad[i], "--it", true, 1 << 20, 1 << 30, &v, &err), -EINVAL);
    }
    assert_string_equal(err.text, "--it: \"64T\" is not a size such as 512K, 64M or 2G");
    assert_int_equal(v, 0);
}

static void history_keeps_the_newest(void **state)
{
    (void)state;
    struct history h;
    history_init(&h, 100);
    for (int i = 1; i <= 250; i++) {
        history_add(&h, (struct wall){i}, HISTORY_IF_DOWN, "eth0", "number %d", i);
        assert_int_equal(h.n, MIN(i, 100));
        assert_int_equal(history_at(&h, h.n - 1)->number, i);
        assert_int_equal(history_at(&h, 0)->number, MAX(1, i - 99));
    }
    for (unsigned i = 0; i < h.n; i++) {
        char want[32];
        snprintf(want, sizeof(want), "number %u", 151 + i);
        assert_string_equal(history_at(&h, i)->words, want);
        assert_true(history_at(&h, i)->at.ns == 151 + i);
    }
    history_done(&h);
    assert_int_equal(h.n, 0);
    history_done(&h);
}

/* A loud subject has its share of the list, and costs the quiet ones nothing. */
static void history_has_shares(void **state)
{
    (void)state;
    struct history h;
    history_init(&h, 40);
    h.share = 10;
    for (int i = 1; i <= 500; i++) {
        const char *who = i % 100 == 0 ? "quiet" : i % 2 ? "loud" : "noisy";
        history_add(&h, (struct wall){i}, HISTORY_SESSION_UP, who, "%d", i);
    }
    assert_int_equal(h.n, 5 + 10 + 10);
    for (unsigned i = 0; i < 4; i++) { /* the fifth is the last of all */
        assert_string_equal(history_at(&h, i)->subject, "quiet");
        assert_int_equal(history_at(&h, i)->number, 100 * (i + 1));
    }
    for (unsigned i = 1; i < h.n; i++) {
        assert_true(history_at(&h, i)->number > history_at(&h, i - 1)->number);
    }
    assert_int_equal(history_at(&h, h.n - 1)->number, 500);
    assert_int_equal(h.last, 500);
    history_done(&h);
}

/* Events that a tap tells of itself: gaps are counted, repeats refused, texts cleaned and cut. */
static void history_of_others(void **state)
{
    (void)state;
    struct history h;
    char longer[HISTORY_WORDS + 50], buf[16];
    memset(longer, 'x', sizeof(longer));
    history_init(&h, 4);
    struct history_event e = {.number = 3, .at = {7}, .kind = HISTORY_IF_GONE};
    assert_true(history_take(&h, &e, "e\x1b[0m", 5, longer, sizeof(longer)));
    assert_int_equal(h.missed, 2);
    assert_string_equal(history_at(&h, 0)->subject, "e\\x1b[0m");
    assert_int_equal(strlen(history_at(&h, 0)->words), HISTORY_WORDS);
    assert_false(history_take(&h, &e, "e", 1, "", 0));
    e.number = 2;
    assert_false(history_take(&h, &e, "e", 1, "", 0));
    history_restart(&h);
    e.number = 1;
    e.kind = 200;
    assert_true(history_take(&h, &e, "e", 1, "w", 1));
    assert_int_equal(h.n, 2);
    assert_int_equal(h.missed, 2);
    assert_string_equal(history_key(history_at(&h, 1)->kind, buf), "event-200");
    assert_string_equal(history_key(HISTORY_IF_GONE, buf), "interface-gone");
    history_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_end),
        cmocka_unit_test(reader_is_sticky),
        cmocka_unit_test(writer_is_sticky),
        cmocka_unit_test(what_is_stored_is_loaded),
        cmocka_unit_test(frame_copy_inserts),
        cmocka_unit_test(errors_in_words),
        cmocka_unit_test(numbers),
        cmocka_unit_test(rates),
        cmocka_unit_test(words),
        cmocka_unit_test(sizes),
        cmocka_unit_test(sizes_and_times),
        cmocka_unit_test(never_is_not_earlier),
        cmocka_unit_test(host_ports),
        cmocka_unit_test(vlan_lists),
        cmocka_unit_test(vlan_filters),
        cmocka_unit_test(ledger_balances),
        cmocka_unit_test(queue_keeps_order),
        cmocka_unit_test(queue_is_bounded),
        cmocka_unit_test(history_keeps_the_newest),
        cmocka_unit_test(history_has_shares),
        cmocka_unit_test(history_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
