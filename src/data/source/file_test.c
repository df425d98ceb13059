/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture files made here, read by the source: cut off at every byte, out of a pipe byte by byte,
 * damaged and hostile, stopped. data/source/file_points_test.c is about their interfaces,
 * data/source/file_judge_test.c about all forms of pcap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "data/source/file_testing.h"
#include "proto/pcap.h"

enum {
    FRAMES = 700, /* more than two batches */
    LEN = 60,
    RECORD = PCAP_RECORD_LEN + LEN,
};

static struct reading r;
static uint8_t file[1 << 20];

/* A file of pcap, each frame of which is full of its number. */
static size_t make_pcap(unsigned frames)
{
    struct wr w = wr_make(file, sizeof(file));
    pcap_put_header(&w, true, PCAP_SNAPLEN_MAX, 1);
    for (unsigned i = 0; i < frames; i++) {
        const struct pcap_record v = {LEN, 1514, i * 1000};
        uint8_t *at = pcap_record_begin(&w, true, &v);
        assert_non_null(at);
        memset(at, (int)(i & 0xff), LEN);
    }
    return wr_len(&w);
}

static void assert_pcap_frames(unsigned frames)
{
    assert_int_equal(r.n, frames);
    for (unsigned i = 0; i < frames; i++) {
        const struct frame *f = &r.frame[i];
        assert_true(f->caplen == LEN && f->datalen == LEN && f->origlen == 1514);
        assert_true(f->ts_ns == i * 1000 && f->point == 0 && f->dir == 0 && f->lost == 0);
        assert_true(r.first[i] == (i & 0xff) && r.last[i] == (i & 0xff));
    }
}

static void frames_are_those_of_the_file(void **state)
{
    (void)state;
    reading_of(&r, file, make_pcap(FRAMES), 0, "");
    assert_pcap_frames(FRAMES);
    assert_int_equal(r.n_points, 1);
    assert_string_equal(r.point[0].name, "if0");
    assert_int_equal(r.point[0].linktype, 1);
    assert_int_equal(r.point[0].snaplen, PCAP_SNAPLEN_MAX);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_BYTES), FRAMES * LEN);
    reading_of(&r, file, make_pcap(0), 0, ""); /* a file without frames is whole */
    assert_pcap_frames(0);
}

/* As the file says that each frame ends with one, of 4 bytes, where it is not cut off before. */
static void check_sequences_are_taken_off(void **state)
{
    (void)state;
    const size_t len = make_pcap(3);
    file[23] = 0x24;
    memcpy(file + 24 + 12, (const uint8_t[]){LEN + 3, 0}, 2);      /* all but its last 3 bytes */
    memcpy(file + 24 + RECORD + 12, (const uint8_t[]){LEN, 0}, 2); /* whole */
    memcpy(file + 24 + 2 * RECORD + 8, (const uint8_t[]){3, 0, 0, 0, 3, 0}, 6);
    reading_of(&r, file, len - (LEN - 3), 0, "");
    assert_int_equal(r.n, 3);
    assert_true(r.frame[0].caplen == LEN - 1 && r.frame[0].origlen == LEN - 1);
    assert_true(r.frame[1].caplen == LEN - 4 && r.frame[1].origlen == LEN - 4);
    assert_true(r.frame[2].caplen == 0 && r.frame[2].origlen == 0);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_BYTES), LEN - 1 + LEN - 4);
}

static void a_pcap_is_cut_at_every_byte(void **state)
{
    (void)state;
    const size_t len = make_pcap(3);
    for (size_t n = 0; n <= len; n++) {
        char want[96] = "";
        const size_t whole = n < 24 ? 0 : (n - 24) / RECORD, end = 24 + whole * RECORD;
        int result = -ENODATA;
        if (n == 0) {
            (void)snprintf(want, sizeof(want), "FILE is empty");
        } else if (n < 24) {
            (void)snprintf(want, sizeof(want),
                           "FILE is cut off: what begins at byte 0 is not whole");
        } else if (n > end) {
            (void)snprintf(want, sizeof(want),
                           "FILE is cut off: what begins at byte %zu is not whole", end);
        } else {
            result = 0;
        }
        reading_of(&r, file, n, result, want);
        assert_pcap_frames((unsigned)whole);
    }
}

static size_t make_pcapng(size_t ends[4])
{
    struct wr w = wr_make(file, sizeof(file));
    reading_put_section(&w);
    reading_put_interface(&w, "eth0", 1);
    ends[0] = wr_len(&w);
    for (unsigned i = 1; i < 4; i++) {
        reading_put_frame(&w, 0, (uint8_t)i);
        ends[i] = wr_len(&w);
    }
    return ends[3];
}

static void a_pcapng_is_cut_at_every_byte(void **state)
{
    (void)state;
    size_t ends[4];
    const size_t len = make_pcapng(ends);
    for (size_t n = ends[0]; n <= len; n++) {
        char want[96];
        unsigned whole = 0;
        while (whole < 3 && n >= ends[whole + 1]) {
            whole++;
        }
        (void)snprintf(want, sizeof(want), "FILE is cut off: what begins at byte %zu is not whole",
                       ends[whole]);
        const bool cut = n > ends[whole];
        reading_of(&r, file, n, cut ? -ENODATA : 0, cut ? want : "");
        assert_int_equal(r.n, whole);
        for (unsigned i = 0; i < whole; i++) {
            assert_true(r.first[i] == i + 1 && r.last[i] == i + 1);
        }
    }
    for (size_t n = 4; n < 28; n++) {
        reading_of(&r, file, n, -ENODATA, "FILE is cut off: what begins at byte 0 is not whole");
    }
}

/* Bytes of a pipe come when they come; who has none of it does not wait. */
static void a_pipe_byte_by_byte(void **state)
{
    (void)state;
    int fds[2];
    struct error err = {""};
    size_t ends[4];
    for (unsigned ng = 0; ng < 2; ng++) {
        const size_t len = ng ? make_pcapng(ends) : make_pcap(3);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        reading_begin(&r, fds[0]);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(reading_run(&r), SOURCE_DRY);
            assert_false(file_source_ended(r.s));
            assert_int_equal(r.s->ops->fd(r.s), fds[0]);
            assert_int_equal(write(fds[1], file + i, 1), 1);
        }
        assert_int_equal(reading_run(&r), SOURCE_DRY);
        assert_int_equal(r.n, 3);
        assert_false(file_source_ended(r.s)); /* more might come */
        assert_int_equal(close(fds[1]), 0);
        assert_int_equal(reading_run(&r), SOURCE_DRY);
        assert_true(file_source_ended(r.s));
        assert_int_equal(r.s->ops->fd(r.s), -1);
        assert_int_equal(file_source_check(r.s, &err), 0);
        reading_end(&r);
        assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* it is the source's */
    }
}

/* Nothing is taken any more, and it is no fault of the file that it has not ended. */
static void a_source_is_stopped(void **state)
{
    (void)state;
    int fds[2];
    struct error err = {""};
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    reading_begin(&r, fds[0]);
    (void)make_pcap(3);
    assert_int_equal(write(fds[1], file, 24 + RECORD + 1), 24 + RECORD + 1);
    assert_int_equal(reading_run(&r), SOURCE_DRY);
    assert_int_equal(r.n, 1);
    assert_false(source_drained(r.s));
    source_stop(r.s);
    assert_int_equal(write(fds[1], file + 24 + RECORD + 1, RECORD), RECORD);
    assert_int_equal(reading_run(&r), SOURCE_DRY);
    assert_int_equal(r.n, 1);
    assert_true(source_drained(r.s) && file_source_ended(r.s));
    assert_int_equal(file_source_check(r.s, &err), 0);
    reading_end(&r);
    close(fds[1]);
}

/* One run takes about as many batches as it may. */
static void a_run_has_an_end(void **state)
{
    (void)state;
    const size_t len = make_pcap(FRAMES);
    reading_begin(&r, reading_memory(file, len));
    assert_int_equal(r.s->ops->run(r.s, &r.out, 2, (struct mono){1}), SOURCE_MORE);
    assert_in_range(r.n, 1, 2 * BATCH_MAX);
    assert_false(file_source_ended(r.s));
    reading_end(&r);
}

static void damage_is_named(void **state)
{
    (void)state;
    size_t ends[4];
    size_t len = make_pcap(3);
    file[24 + RECORD + 11] = 0x7f; /* the second record's length */
    reading_of(&r, file, len, -EPROTO,
               "FILE is damaged at byte 100: a record says that it is longer than any may be");
    assert_pcap_frames(1);
    len = make_pcapng(ends);
    file[ends[2] - 1] ^= 1; /* the second frame's other length */
    char want[80];
    (void)snprintf(want, sizeof(want), "FILE is damaged at byte %zu: this is no block of pcapng",
                   ends[1]);
    reading_of(&r, file, len, -EPROTO, want);
    assert_int_equal(r.n, 1);
}

static void other_files(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        int result;
        const char *words;
    } files[] = {
        {"", 0, -ENODATA, "FILE is empty"},
        {"a", 1, -ENODATA, "FILE is cut off: what begins at byte 0 is not whole"},
        {"no capture", 10, -EPROTO, "FILE is no capture file, neither pcap nor pcapng"},
        {"\x1f\x8b\x08\0\0", 5, -EPROTO, "FILE is compressed: give what gzip -dc makes of it"},
        {"\x28\xb5\x2f\xfd", 4, -EPROTO, "FILE is compressed: give what zstd -dc makes of it"},
        {"\xd4\xc3\xb2\xa1\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", 24, -EPROTO,
         "FILE is pcap of a version that is not known"},
        {"\x0a\x0d\x0d\x0a\x1c\0\0\0\1\2\3\4", 12, -EPROTO,
         "FILE is damaged at byte 0: this is no block of pcapng"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        reading_of(&r, files[i].bytes, files[i].len, files[i].result, files[i].words);
        assert_int_equal(r.n + r.n_points, 0);
    }
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    const int fds[] = {open("/", O_RDONLY | O_CLOEXEC), open("/dev/null", O_WRONLY | O_CLOEXEC)};
    static const struct {
        int result;
        const char *words;
    } want[] = {{-EISDIR, "FILE is a directory, not a capture file"},
                {-EBADF, "cannot read FILE: Bad file descriptor"}};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct error err = {""};
        assert_true(fds[i] >= 0);
        reading_begin(&r, fds[i]);
        assert_int_equal(reading_run(&r), SOURCE_DRY);
        assert_true(file_source_ended(r.s));
        assert_int_equal(file_source_check(r.s, &err), want[i].result);
        assert_string_equal(err.text, want[i].words);
        reading_end(&r);
    }
}

/* The memory that lengths in a file can ask for. */
static void memory_is_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t block; /* in the second block's head */
        uint64_t room;
    } blocks[] = {{PCAPNG_BLOCK_MAX, PCAPNG_BLOCK_MAX},
                  {PCAPNG_BLOCK_MAX + 4, 1 << 20},
                  {UINT32_MAX & ~3U, 1 << 20}};
    size_t ends[4];
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        const size_t len = make_pcapng(ends);
        memcpy(file + ends[0] + 4, &blocks[i].block, 4);
        reading_begin(&r, reading_memory(file, len));
        while (reading_run(&r) == SOURCE_MORE) {
        }
        assert_in_range(source_room(r.s), 1, blocks[i].room);
        assert_int_equal(file_source_check(r.s, NULL), i == 0 ? -ENODATA : -EPROTO);
        reading_end(&r);
    }
    size_t len = make_pcap(1);
    memset(file + 16, 0xff, 4);                              /* a snaplen that is absurd, … */
    memcpy(file + 24 + 8, (const uint8_t[]){0, 0, 0, 1}, 4); /* … and 16 MiB in a record */
    reading_of(&r, file, len, -EPROTO,
               "FILE is damaged at byte 24: a record says that it is longer than any may be");
}

/* A block that is longer than all that is read at once, with more than any frame here may have. */
static void a_long_frame(void **state)
{
    (void)state;
    enum { LONG = 3 << 20 };
    _cleanup_(freep) uint8_t *bytes = malloc(LONG + 1024);
    struct wr w = wr_make(bytes, LONG + 1024);
    reading_put_section(&w);
    reading_put_interface(&w, "eth0", 1);
    uint8_t *at = pcapng_epb_begin(&w, &(struct pcapng_epb){.caplen = LONG, .origlen = LONG});
    assert_non_null(at);
    memset(at, 3, LONG);
    reading_put_frame(&w, 0, 8);
    assert_true(wr_ok(&w));
    reading_of(&r, bytes, wr_len(&w), 0, "");
    assert_int_equal(r.n, 2);
    assert_true(r.frame[0].caplen == FRAME_LEN_MAX && r.frame[0].origlen == LONG);
    assert_true(r.first[0] == 3 && r.last[0] == 3 && r.first[1] == 8 && r.last[1] == 8);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_BYTES), FRAME_LEN_MAX + r.frame[1].caplen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_those_of_the_file),
        cmocka_unit_test(check_sequences_are_taken_off),
        cmocka_unit_test(a_pcap_is_cut_at_every_byte),
        cmocka_unit_test(a_pcapng_is_cut_at_every_byte),
        cmocka_unit_test(a_pipe_byte_by_byte),
        cmocka_unit_test(a_source_is_stopped),
        cmocka_unit_test(a_run_has_an_end),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(other_files),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(a_long_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
