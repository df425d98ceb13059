/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan capture`: what the words of its line become, and a whole capture at a service of the
 * test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>

#include "base/cleanup.h"
#include "cmd/capture_line.h"
#include "cmd/cmd.h"
#include "sys/test_http_script.h"

#define SEC INT64_C(1000000000)
#define ID "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a55"

static const char ports_text[] =
    "[{\"id\":\"p-1\",\"name\":\"eth0\",\"alias\":\"west\",\"there\":true},"
    "{\"id\":\"p-2\",\"name\":\"eth1\",\"alias\":null,\"there\":true},"
    "{\"id\":\"p-3\",\"name\":\"eth0\",\"agent\":\"web1\",\"there\":false},"
    "{\"id\":\"p-4\",\"name\":\"tcp\",\"there\":true}]";

/* The wish that these words make, as JSON that the caller frees; NULL: refused with a sentence. */
static char *wish_of(struct capture_line l, char *const *word, int points, struct error *err)
{
    json_t *ports = json_loads(ports_text, 0, NULL), *wish = NULL;
    struct capture_words w = {.word = word, .points = points};
    while (word[w.n]) {
        w.n++;
    }
    assert_non_null(ports);
    l.type = "packet";
    l.direction = l.direction ? l.direction : "both";
    const int r = capture_line_wish(&l, ports, &w, 1000 * SEC, &wish, err);
    assert_true(r == 0 || r == -EINVAL);
    assert_int_equal(r == 0, wish != NULL);
    char *text = wish ? json_dumps(wish, JSON_COMPACT) : NULL;
    json_decref(wish);
    json_decref(ports);
    return text;
}

static void assert_wish(struct capture_line l, const char *const *word, int points,
                        const char *want)
{
    struct error err = {""};
    char *text = wish_of(l, (char *const *)(uintptr_t)word, points, &err);
    if (!text) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(text, want);
    free(text);
}

static void assert_refused(struct capture_line l, const char *const *word, int points,
                           const char *want)
{
    struct error err = {""};
    assert_null(wish_of(l, (char *const *)(uintptr_t)word, points, &err));
    assert_string_equal(err.text, want);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_WORDS ((const char *const[]){NULL})

static const struct capture_line one_frame = {.frames = 1};

static void ports_come_before_the_filter(void **state)
{
    (void)state;
    assert_wish(one_frame, WORDS("eth0"), -1,
                "{\"points\":[\"eth0\"],\"type\":\"packet\",\"limit_frames\":1}");
    assert_wish(one_frame, WORDS("west", "web1:eth0", "p-2", "udp port 53"), -1,
                "{\"points\":[\"west\",\"web1:eth0\",\"p-2\"],\"filter\":\"udp port 53\","
                "\"type\":\"packet\",\"limit_frames\":1}");
    assert_wish(one_frame, WORDS("eth1", "udp", "or", "eth0"), -1,
                "{\"points\":[\"eth1\"],\"filter\":\"udp or eth0\",\"type\":\"packet\","
                "\"limit_frames\":1}");
}

static void two_dashes_end_the_ports(void **state)
{
    (void)state;
    assert_wish(one_frame, WORDS("eth0", "tcp"), 1,
                "{\"points\":[\"eth0\"],\"filter\":\"tcp\",\"type\":\"packet\","
                "\"limit_frames\":1}");
    assert_wish(one_frame, WORDS("arp"), 0,
                "{\"filter\":\"arp\",\"type\":\"packet\",\"limit_frames\":1}");
    /* The service knows best what such a port is. */
    assert_wish(one_frame, WORDS("eth9", "arp"), 1,
                "{\"points\":[\"eth9\"],\"filter\":\"arp\",\"type\":\"packet\","
                "\"limit_frames\":1}");
    assert_wish(one_frame, NO_WORDS, -1, "{\"type\":\"packet\",\"limit_frames\":1}");
}

static void a_wrong_line_is_refused(void **state)
{
    (void)state;
    assert_refused(one_frame, WORDS("eth9"), -1,
                   "the service has no port \"eth9\"; there are eth0 eth1 tcp");
    assert_refused((struct capture_line){.frames = 1, .filter_option = "arp"}, WORDS("eth0", "udp"),
                   -1, "the filter is given twice: by -f, and as \"udp\"");
    assert_refused((struct capture_line){.type = NULL}, WORDS("eth0"), -1,
                   "it would never end: --for, --stop, --frames or --bytes");
    assert_refused((struct capture_line){.for_ns = SEC, .stop = "+1s"}, WORDS("eth0"), -1,
                   "--for and --stop both say when it ends");
    assert_refused((struct capture_line){.stop = "tomorrow"}, WORDS("eth0"), -1,
                   "--stop is a time such as 2026-11-20T14:03:10Z, or +30s from now, not "
                   "\"tomorrow\"");
    assert_refused((struct capture_line){.for_ns = INT64_MAX}, WORDS("eth0"), -1,
                   "--for is too long");
}

static void options_go_along(void **state)
{
    (void)state;
    assert_wish((struct capture_line){.for_ns = 10 * SEC,
                                      .start = "+30s",
                                      .direction = "in",
                                      .vlans = "100,200-210",
                                      .filter_option = "arp",
                                      .snaplen = 96,
                                      .period = 100,
                                      .bytes = 1000000},
                WORDS("eth0"), -1,
                "{\"points\":[\"eth0\"],\"filter\":\"arp\",\"start\":\"1970-01-01T00:17:10Z\","
                "\"stop\":\"1970-01-01T00:17:20Z\",\"type\":\"packet\",\"direction\":\"in\","
                "\"vlans\":\"100,200-210\",\"snaplen\":96,\"period\":100,\"limit_bytes\":1000000}");
    assert_wish((struct capture_line){.stop = "1970-01-01T01:00:00Z"}, WORDS("eth0"), -1,
                "{\"points\":[\"eth0\"],\"stop\":\"1970-01-01T01:00:00Z\",\"type\":\"packet\"}");
}

/* ---- a whole one ---- */

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"
#define CAPTURE(state, rest)                                                                       \
    "{\"id\":\"" ID "\",\"type\":\"packet\",\"points\":[\"eth0\"],\"state\":\"" state "\"" rest "}"
#define PORTS HEAD("200 OK") "{\"ports\":[{\"id\":\"p-1\",\"name\":\"eth0\",\"there\":true}]}"

enum {
    ERRORS = 1024,
};

/* The command's exit status with these words, "--server" before them, and what it said. */
static int capture(struct script *s, const char *const *answers, const char *const *word,
                   char ret[ERRORS])
{
    char name[] = "capture", server[] = "--server";
    char *argv[16] = {name, server, s->server};
    int argc = 3;
    FILE *said = tmpfile();
    assert_non_null(said);
    script_begin(s, answers, true);
    for (; *word; word++) {
        argv[argc++] = (char *)(uintptr_t)*word;
    }
    const int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(fileno(said), STDERR_FILENO) == STDERR_FILENO);
    const int status = cmd_capture(argc, argv);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    rewind(said);
    ret[fread(ret, 1, ERRORS - 1, said)] = '\0';
    fclose(said);
    script_end(s);
    return status;
}

static char folder[] = "/tmp/farspan-capture-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? snprintf(path, sizeof(path), "%s/out", folder) < 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* The file's bytes; -1: it is not there. */
static ssize_t read_out(char ret[64])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, ret, 63);
    if (fd >= 0) {
        close(fd);
    }
    ret[MAX(n, (ssize_t)0)] = '\0';
    return n;
}

static void data_is_written_as_it_comes(void **state)
{
    (void)state;
    /* It is scheduled, then runs without a file yet, then has one. */
    static const char *const answers[] = {
        PORTS,
        HEAD("201 Created") CAPTURE("scheduled", ""),
        HEAD("200 OK") CAPTURE("running", ""),
        HEAD("404 Not Found") "{\"detail\":\"no data\"}",
        HEAD("200 OK") CAPTURE("running", ""),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "4\r\nfour\r\n5\r\n five\r\n0\r\n\r\n",
        HEAD("200 OK") CAPTURE("done", ",\"frames\":2,\"dropped\":0"),
        NULL};
    char said[ERRORS], want[ERRORS], out[64];
    struct script s;
    assert_int_equal(
        capture(&s, answers, WORDS("eth0", "--frames", "2", "-w", path, "--", "eth0"), said), 0);
    (void)snprintf(want, sizeof(want), "done: 2 frames, 0 dropped, written to %s\n", path);
    assert_string_equal(said, want);
    assert_int_equal(read_out(out), 9);
    assert_string_equal(out, "four five");
    assert_non_null(strstr(s.asked[1], "\r\n\r\n{\"points\":[\"eth0\"],\"filter\":\"eth0\","
                                       "\"type\":\"packet\",\"limit_frames\":2}"));
    assert_int_equal(strncmp(s.asked[5], "GET /v1/captures/" ID "/data ", 59), 0);

    static const char *const only_ports[] = {PORTS, NULL};
    assert_int_equal(capture(&s, only_ports, WORDS("eth0", "--frames", "2", "-w", path), said), 1);
    assert_non_null(strstr(said, "is there already"));
    assert_int_equal(unlink(path), 0);
}

static void a_failure_leaves_no_empty_file(void **state)
{
    (void)state;
    static const char *const refused[] = {
        PORTS, HEAD("422 X") "{\"errors\":[{\"pointer\":\"/filter\",\"detail\":\"syntax error\"}]}",
        NULL};
    static const char *const failed[] = {
        PORTS,
        HEAD("201 Created") CAPTURE("running", ""),
        HEAD("200 OK") CAPTURE("failed", ",\"frames\":0,\"reason\":\"eth0 is gone\""),
        HEAD("404 Not Found") "{\"detail\":\"no data\"}",
        HEAD("200 OK") CAPTURE("failed", ",\"frames\":0,\"reason\":\"eth0 is gone\""),
        NULL};
    char said[ERRORS], out[64];
    struct script s;
    assert_int_equal(capture(&s, refused, WORDS("eth0", "--frames", "2", "-w", path), said), 1);
    assert_string_equal(said, "farspan capture: filter: syntax error\n");
    assert_int_equal(read_out(out), -1);
    assert_int_equal(capture(&s, failed, WORDS("eth0", "--frames", "2", "-w", path), said), 1);
    assert_string_equal(said, "failed: 0 frames, 0 dropped: eth0 is gone\n");
    assert_int_equal(read_out(out), -1);
}

/* Data that came before the cut stays, but is not called whole; the capture goes on. */
static void cut_data_is_no_success(void **state)
{
    (void)state;
    static const char *const cut[] = {PORTS, HEAD("201 Created") CAPTURE("running", ""),
                                      HEAD("200 OK") CAPTURE("running", ""),
                                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      "4\r\nfour\r\n",
                                      NULL};
    char said[ERRORS], out[64];
    struct script s;
    assert_int_equal(capture(&s, cut, WORDS("eth0", "--frames", "2", "-w", path), said), 1);
    assert_non_null(strstr(said, "the capture goes on; farspan captures cancel " ID));
    assert_int_equal(read_out(out), 4);
    assert_int_equal(unlink(path), 0);
}

static void wrong_usage_asks_nobody(void **state)
{
    (void)state;
    static const char *const none[] = {NULL}, *const only_ports[] = {PORTS, NULL};
    char said[ERRORS];
    struct script s;
    assert_int_equal(capture(&s, none, WORDS("eth0", "--detach", "-w", path), said), 2);
    assert_int_equal(capture(&s, none, WORDS("eth0", "--json", "-w", "-"), said), 2);
    assert_int_equal(capture(&s, none, WORDS("eth0", "--for", "1"), said), 2);
    assert_int_equal(capture(&s, only_ports, WORDS("eth0"), said), 2);
    assert_int_equal(capture(&s, only_ports, WORDS("eth9", "--for", "1s"), said), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_come_before_the_filter),
        cmocka_unit_test(two_dashes_end_the_ports),
        cmocka_unit_test(a_wrong_line_is_refused),
        cmocka_unit_test(options_go_along),
        cmocka_unit_test(data_is_written_as_it_comes),
        cmocka_unit_test(a_failure_leaves_no_empty_file),
        cmocka_unit_test(cut_data_is_no_success),
        cmocka_unit_test(wrong_usage_asks_nobody),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
