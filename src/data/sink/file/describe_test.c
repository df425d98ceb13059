/* SPDX-License-Identifier: Apache-2.0
 *
 * The words for people in capture files: what describes an observation point, and a frame's
 * comment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/align.h"
#include "data/sink/file/describe.h"

enum {
    IF_NAME = 2, /* options of an interface description block (pcapng, section 4.2) */
    IF_DESCRIPTION = 3,
};

/* The text of an option of the point's block. */
static void option(const struct point_offer *point, unsigned code, char ret[512])
{
    _cleanup_(freep) uint8_t *block = NULL;
    uint32_t len = 0;
    assert_int_equal(describe_point(point, 65535, 1, &block, &len), 0);
    for (size_t at = 16; at + 4 < len;) {
        uint16_t head[2];
        memcpy(head, block + at, sizeof(head));
        assert_true(head[0] != 0 && head[1] < 512 && at + 4 + head[1] < len);
        if (head[0] == code) {
            memcpy(ret, block + at + 4, head[1]);
            ret[head[1]] = '\0';
            return;
        }
        at += 4 + (head[1] + 3U) / 4 * 4;
    }
    fail_msg("there is no option %u", code);
}

static void points(void **state)
{
    (void)state;
    struct point_offer point = {.tap = "web1", .ifname = "eth0"};
    char text[512], longest[301];
    option(&point, IF_NAME, text);
    assert_string_equal(text, "web1:eth0");
    option(&point, IF_DESCRIPTION, text);
    assert_string_equal(text, "eth0 on tap web1");
    point.snaplen = 1;
    option(&point, IF_DESCRIPTION, text);
    assert_string_equal(text, "eth0 on tap web1, cut to 1 bytes");
    memset(longest, 'x', sizeof(longest) - 1);
    for (size_t n = 200; n < sizeof(longest); n++) { /* up to and beyond the room */
        longest[n] = '\0';
        point.tap = longest;
        option(&point, IF_DESCRIPTION, text);
        const size_t len = strlen("eth0 on tap ") + n + strlen(", cut to 1 bytes");
        assert_int_equal(strlen(text), MIN(len, (size_t)255));
        longest[n] = 'x';
    }
}

static void assert_comment(const struct frame *f, const char *wanted)
{
    char room[DESCRIBE_COMMENT];
    const struct pcapng_text got = describe_frame(f, room);
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.len ? got.p : "", wanted, got.len);
}

/* From the first frame on that there is something to say of. */
static void frames(void **state)
{
    (void)state;
    assert_comment(&(struct frame){0}, "");
    assert_comment(&(struct frame){.more = 1}, "stands for 2 frames");
    assert_comment(&(struct frame){.clock = ALIGN_TELLS},
                   "clock: +0.000000 s against the collector's, taken off, wrong by 0.000000 s at "
                   "most");
    assert_comment(&(struct frame){.more = 2, .clock = ALIGN_TELLS, .clock_offset = 1500000},
                   "stands for 3 frames; clock: +0.001500 s against the collector's, taken off, "
                   "wrong by 0.000000 s at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points),
        cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
