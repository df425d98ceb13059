/* SPDX-License-Identifier: Apache-2.0
 *
 * The common part of the commands that ask a service: words, tables and objects as people read
 * them, and answers, also of a service that means no good.
 */
#include "cmd/client.h"

#include <errno.h>

#include "base/cleanup.h"
#include "cmd/captures_print.h"
#include "sys/test_http_script.h"

#define SEC INT64_C(1000000000)
#define ID "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a5"

/* ---- words ---- */

static void words_of_sizes_and_spans(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *size, *span;
    } cases[] = {
        {0, "0 B", "0 s"},
        {999, "999 B", "0 s"},
        {1500, "1.5 kB", "0 s"},
        {999499, "999 kB", "0 s"},
        {1100000, "1.1 MB", "0 s"},
        {SEC / 2, "500 MB", "0.5 s"},
        {SEC - 5 * SEC / 100000, "1.0 GB", "1 s"},
        {10 * SEC, "10 GB", "10 s"},
        {119 * SEC, "119 GB", "119 s"},
        {300 * SEC, "300 GB", "5 min"},
        {301 * SEC, "301 GB", "5 min 1 s"},
        {7200 * SEC, "7.2 TB", "2 h"},
        {7260 * SEC, "7.3 TB", "2 h 1 min"},
        {INT64_MAX, "9.2 EB", "2562047 h 47 min"},
    };
    char text[64];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        client_span_words(cases[i].value, text, sizeof(text));
        assert_string_equal(text, cases[i].span);
        client_size_words(cases[i].value, text, sizeof(text));
        assert_string_equal(text, cases[i].size);
    }
}

static void durations_are_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "10",
                                        "s",
                                        "-1s",
                                        "+1s",
                                        " 1s",
                                        "1 s",
                                        "1.5s",
                                        "0ms",
                                        "1s1s",
                                        "1m",
                                        "1e3s",
                                        "99999999999999999999s",
                                        "200000d"};
    int64_t ns = 7;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(client_duration(wrong[i], &ns), -EINVAL);
        assert_int_equal(ns, 7);
    }
    assert_int_equal(client_duration("500ms", &ns), 0);
    assert_int_equal(ns, SEC / 2);
    assert_int_equal(client_duration("5min", &ns), 0);
    assert_int_equal(ns, 300 * SEC);
    assert_int_equal(client_duration("90d", &ns), 0);
    assert_int_equal(ns, 90 * 86400 * SEC);
}

static void words_are_escaped(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(client_escape("a-B_9.z", text, sizeof(text)), 0);
    assert_string_equal(text, "a-B_9.z");
    assert_int_equal(client_escape("a/&%\xff", text, sizeof(text)), 0);
    assert_string_equal(text, "a%2F%26%25%FF");
    assert_int_equal(client_escape("//////", text, sizeof(text)), -EMSGSIZE);
}

/* ---- tables and objects ---- */

static void assert_text(const json_t *doc, void (*print)(const json_t *doc, FILE *to),
                        const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    print(doc, to);
    fclose(to);
    assert_string_equal(text, want);
    free(text);
}

static void print_two_columns(const json_t *array, FILE *to)
{
    static const struct client_column columns[] = {{"NAME", false, "name", NULL},
                                                   {"N", true, "n", NULL}};
    client_table(array, columns, ARRAY_SIZE(columns), to);
}

static void a_table_is_as_wide_as_it_has_to_be(void **state)
{
    (void)state;
    json_t *array = json_pack("[{s:s,s:i},{s:s},{s:[],s:i}]", "name", "a\033[2J", "n", 12345,
                              "name", "much longer", "name", "n", 1);
    assert_text(array, print_two_columns,
                "NAME             N\n"
                "a\\x1b[2J     12345\n"
                "much longer      -\n"
                "-                1\n");
    json_decref(array);
}

static void an_object_is_a_field_a_line(void **state)
{
    (void)state;
    json_t *o = json_loads("{\"id\":\"x\",\"none\":null,\"points\":[\"a\",\"b\"],\"empty\":[],"
                           "\"n\":5,\"up\":true,\"gaps\":[{\"point\":\"a\",\"why\":\"w\\u001b\"},"
                           "{\"point\":\"b\"}],\"deep\":[[[[[1]]]]]}",
                           0, NULL);
    assert_non_null(o);
    assert_text(o, client_whole,
                "id           x\n"
                "points       a b\n"
                "empty        -\n"
                "n            5\n"
                "up           true\n"
                "gaps         point a, why w\\x1b; point b\n"
                "deep         [[1]]\n");
    json_decref(o);
}

/* ---- captures ---- */

static void ids_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    json_t *all = json_pack("[{s:s},{s:s},{s:s}]", "id", ID "1", "id", "0199c1d3-00", "id", "1");
    assert_int_equal(captures_id_len(all), 8);
    (void)json_array_append_new(all, json_pack("{s:s}", "id", ID "2"));
    assert_int_equal(captures_id_len(all), 36);
    (void)json_array_append_new(all, json_pack("{s:s}", "id", ID "2"));
    assert_int_equal(captures_id_len(all), 36);
    json_decref(all);
}

static json_t *capture_of(const char *state, int64_t frames, const char *rest)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "{\"id\":\"" ID "5\",\"type\":\"packet\",\"points\":[\"eth0\"],\"state\":\"%s\","
                   "\"created\":\"1970-01-01T00:16:40Z\",\"start\":\"1970-01-01T00:16:40Z\","
                   "\"stop\":\"1970-01-01T00:16:50Z\",\"began\":\"1970-01-01T00:16:40Z\","
                   "\"frames\":%lld,\"bytes\":1100000,\"dropped\":0,\"owner\":\"local:root\"%s}",
                   state, (long long)frames, rest);
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    return o;
}

static void print_captures(const json_t *all, FILE *to)
{
    captures_table(all, captures_id_len(all), to);
}

static void captures_are_listed(void **state)
{
    (void)state;
    json_t *all = json_array();
    (void)json_array_append_new(all, capture_of("done", 1204, ""));
    json_t *later = capture_of("scheduled", 0, "");
    (void)json_object_del(later, "began");
    (void)json_object_set_new(later, "id", json_string("0199c1d9-7c1e"));
    (void)json_array_append_new(all, later);
    assert_text(
        all, print_captures,
        "ID        TYPE    POINTS  STATE      START                 LENGTH  FRAMES    SIZE  OWNER\n"
        "0199c1d2  packet  eth0    done       1970-01-01T00:16:40Z    10 s    1204  1.1 MB  "
        "local:root\n"
        "0199c1d9  packet  eth0    scheduled  1970-01-01T00:16:40Z    10 s       -       -  "
        "local:root\n");
    json_decref(all);
}

static void assert_end(json_t *capture, const char *path, const char *want)
{
    char text[512];
    captures_end_words(capture, path, text, sizeof(text));
    assert_string_equal(text, want);
    json_decref(capture);
}

static void an_end_is_told(void **state)
{
    (void)state;
    assert_end(capture_of("done", 1204, ",\"reason\":\"its stop has come\""), "web.pcapng",
               "done: 1204 frames, 0 dropped, written to web.pcapng");
    assert_end(capture_of("done", 0, ",\"reason\":\"its stop has come; 3 frames passed by\""), NULL,
               "done: 0 frames, 0 dropped: its stop has come; 3 frames passed by");
    assert_end(capture_of("failed", 1, ",\"reason\":\"no room\\r\""), NULL,
               "failed: 1 frame, 0 dropped: no room\\x0d");
    /* The first moment is no gap to be told; a later one is, as is a long one. */
    assert_end(capture_of("done", 2,
                          ",\"gaps\":[{\"point\":\"eth0\",\"from\":\"1970-01-01T00:16:40Z\","
                          "\"until\":\"1970-01-01T00:16:40.05Z\",\"why\":\"it began late\"}]"),
               NULL, "done: 2 frames, 0 dropped");
    assert_end(capture_of("done", 2,
                          ",\"gaps\":[{\"point\":\"eth0\",\"from\":\"1970-01-01T00:16:40Z\","
                          "\"until\":\"1970-01-01T00:16:42Z\",\"why\":\"it began late\"}]"),
               NULL,
               "done: 2 frames, 0 dropped; 1 gap, the first at eth0 from 1970-01-01T00:16:40Z "
               "until 1970-01-01T00:16:42Z: it began late");
}

static void progress_fits(void **state)
{
    (void)state;
    json_t *o = capture_of("running", 1204, "");
    char text[256];
    captures_progress_words(o, 1005 * SEC, 0, 0, text, sizeof(text));
    assert_string_equal(text, ID "5  eth0  [##########          ] 5 s  1204 frames  1.1 MB");
    captures_progress_words(o, 2000 * SEC, 2000000, 80, text, sizeof(text));
    assert_string_equal(text,
                        "0199c1d2-7c1e  eth0  [####################] 10 s  1204 frames  2.0 MB");
    captures_progress_words(o, 0, 0, 20, text, sizeof(text));
    assert_int_equal(strlen(text), 19);
    (void)json_object_set_new(o, "limit_frames", json_integer(2408));
    (void)json_object_del(o, "stop");
    captures_progress_words(o, 1001 * SEC, 0, 0, text, sizeof(text));
    assert_non_null(strstr(text, "[##########          ] 1 s"));
    json_decref(o);
}

/* ---- answers ---- */

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"

static struct client open_at(struct script *s, const char *const *answers)
{
    static volatile sig_atomic_t never;
    struct client c = {.stop = &never};
    struct error err = {""};
    script_begin(s, answers, true);
    const struct client_options o = {.server = s->server};
    if (client_open(&c, &o, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

static void problems_are_the_services_words(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *words;
        int r;
    } cases[] = {
        {HEAD("422 X") "{\"title\":\"t\",\"detail\":\"/points/0: no\",\"errors\":[{\"pointer\":"
                       "\"/points/0\",\"detail\":\"there is no port x\"},{\"pointer\":\"/stop\","
                       "\"detail\":\"stop must be after start\"}]}",
         "points/0: there is no port x; stop must be after start", -EPROTO},
        {HEAD("404 X") "{\"detail\":\"it is \\u001b[31mred\"}", "it is \\x1b[31mred", -ENOENT},
        {HEAD("409 X") "{\"detail\":\"not yet\"}", "not yet", -EBUSY},
        {HEAD("401 X") "{\"title\":\"This needs a token.\"}", "This needs a token.", -EACCES},
        {HEAD("502 X") "<html>", "the service refuses, by status 502", -EPROTO},
        {HEAD("503 X") "[1,2]", "the service refuses, by status 503", -EPROTO},
        {HEAD("200 X") "{\"a\":", "the service's answer is no JSON", -EPROTO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const answers[] = {cases[i].answer, NULL};
        struct script s;
        struct error err = {""};
        struct client c = open_at(&s, answers);
        assert_int_equal(client_ask(&c, "GET", "/", NULL, NULL, &err), cases[i].r);
        assert_int_equal(strncmp(err.text, cases[i].words, strlen(cases[i].words)), 0);
        client_close(&c);
        script_end(&s);
    }
}

static void lists_have_pages(void **state)
{
    (void)state;
    static const char *const answers[] = {
        HEAD("200 OK") "{\"ports\":[{\"n\":1}],\"next\":\"/v1/ports?marker=abc\"}",
        HEAD("200 OK") "{\"ports\":[{\"n\":2},{\"n\":3}]}", NULL};
    struct script s;
    struct error err = {""};
    json_t *all = NULL;
    struct client c = open_at(&s, answers);
    assert_int_equal(client_list(&c, "/v1/ports?sort=name", "ports", &all, &err), 0);
    assert_int_equal(json_array_size(all), 3);
    json_decref(all);
    client_close(&c);
    script_end(&s);
    assert_int_equal(strncmp(s.asked[0], "GET /v1/ports?sort=name&limit=1000 ", 35), 0);
    assert_int_equal(strncmp(s.asked[1], "GET /v1/ports?marker=abc ", 25), 0);
}

static void a_list_leads_nowhere_else(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        HEAD("200 OK") "{\"ports\":[],\"next\":\"@192.0.2.1/v1\"}",
        HEAD("200 OK") "{\"ports\":[],\"next\":\".example/v1\"}",
        HEAD("200 OK") "{\"ports\":{}}",
        HEAD("200 OK") "[]",
        HEAD("200 OK"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const char *const answers[] = {wrong[i], NULL};
        struct script s;
        struct error err = {""};
        json_t *all = NULL;
        struct client c = open_at(&s, answers);
        assert_int_equal(client_list(&c, "/v1/ports", "ports", &all, &err), -EPROTO);
        assert_null(all);
        client_close(&c);
        script_end(&s);
    }
}

static void beginnings_of_ids_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int r;
    } cases[] = {{"0199c1d2", -EEXIST}, {"0199c1d3", 0}, {"02", -ENOENT}, {"0199c1d2-1", 0}};
    static const char *const answers[] = {
        HEAD("200 OK") "{\"captures\":[{\"id\":\"0199c1d2-1\"},{\"id\":\"0199c1d2-2\"},"
                       "{\"id\":\"0199c1d3-1\"},{\"id\":7}]}",
        NULL};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct script s;
        struct error err = {""};
        char id[KIND_ID];
        struct client c = open_at(&s, answers);
        assert_int_equal(client_capture_id(&c, cases[i].word, id, &err), cases[i].r);
        if (cases[i].r == 0) {
            assert_int_equal(strncmp(id, cases[i].word, strlen(cases[i].word)), 0);
            assert_int_equal(strlen(id), 10);
        }
        client_close(&c);
        script_end(&s);
    }
}

/* Nobody is asked for the others. */
static void a_whole_id_is_not_looked_for(void **state)
{
    (void)state;
    static const char whole[] = "0199c1d2-1111-7222-8333-0123456789ab";
    struct client c = {NULL}; /* without a connection */
    struct error err = {""};
    char id[KIND_ID];
    assert_int_equal(client_capture_id(&c, whole, id, &err), 0);
    assert_string_equal(id, whole);
}

static void words_that_mean_a_port(void **state)
{
    (void)state;
    json_t *plain = json_pack("{ss,ss}", "name", "eth0", "id", "id-1");
    json_t *far =
        json_pack("{ss,ss,ss,ss}", "name", "eth0", "id", "id-2", "agent", "web1", "alias", "front");
    assert_true(client_means_port(plain, "eth0") && client_means_port(plain, "id-1"));
    assert_true(client_means_port(far, "web1:eth0") && client_means_port(far, "front"));
    assert_false(client_means_port(far, "eth0"));
    assert_false(client_means_port(plain, "")); /* which is the alias of those without one */
    assert_false(client_means_port(plain, "eth"));
    json_decref(plain);
    json_decref(far);
}

static void tokens_come_from_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
    } cases[] = {{"secret\n", 0},
                 {"secret \r\n", 0},
                 {"", -ENODATA},
                 {"\n", -EINVAL},
                 {"a\tb\n", 0},
                 {"a\x01"
                  "b\n",
                  -EINVAL}};
    char path[] = "/tmp/farspan-token-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct client c = {.stop = NULL};
        struct error err = {""};
        const struct client_options o = {.server = "unix:/x", .token_file = path};
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0),
                         strlen(cases[i].text));
        assert_int_equal(client_open(&c, &o, &err), cases[i].r);
        client_close(&c);
    }
    close(fd);
    (void)unlink(path);
}

static void a_token_of_the_environment_is_one_line(void **state)
{
    (void)state;
    struct client c = {.stop = NULL};
    struct error err = {""};
    const struct client_options o = {.server = "unix:/x"};
    (void)setenv("FARSPAN_TOKEN", "a\r\nX-Other: b", 1);
    assert_int_equal(client_open(&c, &o, &err), -EINVAL);
    (void)unsetenv("FARSPAN_TOKEN");
    assert_int_equal(client_open(&c, &o, &err), 0);
    client_close(&c);
}

/* A token that was printed once and never will be again is no success where nobody has seen it. */
static void standard_output_that_takes_nothing(void **state)
{
    (void)state;
    FILE *const out = stdout, *const error = stderr;
    const struct error err = {"some words"};
    char *said = NULL;
    size_t n = 0;
    stdout = fopen("/dev/full", "we");
    stderr = open_memstream(&said, &n);
    assert_non_null(stdout);
    printf("a token\n");
    const int status = client_exit("token", 0, &err), again = client_exit("token", -EIO, &err);
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = error;
    assert_int_equal(status, EXIT_FAILURE);
    assert_int_equal(again, EXIT_FAILURE);
    assert_string_equal(said, "farspan token: cannot write to standard output: "
                              "No space left on device\nfarspan token: some words\n");
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_sizes_and_spans),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(words_are_escaped),
        cmocka_unit_test(a_table_is_as_wide_as_it_has_to_be),
        cmocka_unit_test(an_object_is_a_field_a_line),
        cmocka_unit_test(ids_are_as_short_as_they_can_be),
        cmocka_unit_test(captures_are_listed),
        cmocka_unit_test(an_end_is_told),
        cmocka_unit_test(progress_fits),
        cmocka_unit_test(problems_are_the_services_words),
        cmocka_unit_test(lists_have_pages),
        cmocka_unit_test(a_list_leads_nowhere_else),
        cmocka_unit_test(beginnings_of_ids_are_found),
        cmocka_unit_test(a_whole_id_is_not_looked_for),
        cmocka_unit_test(words_that_mean_a_port),
        cmocka_unit_test(standard_output_that_takes_nothing),
        cmocka_unit_test(tokens_come_from_files),
        cmocka_unit_test(a_token_of_the_environment_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
