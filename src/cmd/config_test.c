/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's and a collector's settings from a file and from the command line, and which of them hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/check_print.h"
#include "cmd/cmd.h"
#include "cmd/collector_line.h"
#include "cmd/tables.h"
#include "cmd/tap_line.h"

/* A file, a command line with it, and what came of them. */
struct run {
    char path[32], words[256], *argv[24], *said;
    int argc;
    size_t len; /* of `said` */
    FILE *out, *error;
};

static void begin(struct run *r, const char *command, const char *file, const char *words)
{
    *r = (struct run){.path = "/tmp/config-test-XXXXXX"};
    int fd = mkstemp(r->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, strlen(file)), strlen(file));
    close(fd);
    snprintf(r->words, sizeof(r->words), "%s --config %s%s%s", command, r->path, *words ? " " : "",
             words);
    char *rest = r->words;
    for (char *word; (word = strsep(&rest, " "));) {
        r->argv[r->argc++] = word;
    }
    r->out = stdout;
    r->error = stderr;
    stdout = stderr = open_memstream(&r->said, &r->len);
    optind = 0; /* glibc's way to begin again */
}

static void end(struct run *r)
{
    fclose(stderr);
    stdout = r->out;
    stderr = r->error;
    unlink(r->path);
}

static int tap(const char *file, const char *words, struct tap_line *l, struct run *r)
{
    *l = (struct tap_line){0};
    begin(r, "tap", file, words);
    int status = tap_parse(l, r->argc, r->argv);
    end(r);
    return status;
}

static void tap_done(struct tap_line *l, struct run *r)
{
    tap_line_done(l);
    free(r->said);
}

static const char branch[] = "[tap]\n"
                             "interface = eth0\n"
                             "interface = eth1\n"
                             "collector = 192.0.2.1:1234\n"
                             "key-file = key\n"
                             "filter = tcp port 443\n"
                             "snaplen = 128\n"
                             "keep-super = yes\n"
                             "json = no\n"
                             "backlog = 2M\n"
                             "name = branch\n"
                             "[collector]\n"
                             "port = 99\n"
                             "name-is-not-checked-here\n";
static const size_t whole = sizeof(branch) - sizeof("name-is-not-checked-here\n");

static char *good(char to[sizeof(branch)])
{
    memcpy(to, branch, whole);
    to[whole] = '\0';
    return to;
}

static void a_file_has_all(void **state)
{
    (void)state;
    struct tap_line l;
    struct run r;
    char file[sizeof(branch)];
    assert_int_equal(tap(good(file), "", &l, &r), 0);
    assert_string_equal(r.said, "");
    assert_int_equal(l.conf.select.n_words, 2);
    assert_string_equal(l.conf.select.word[0].text, "eth0");
    assert_string_equal(l.conf.select.word[1].text, "eth1");
    assert_string_equal(l.conf.collector_text, "192.0.2.1:1234");
    assert_int_equal(l.conf.collector.port, 1234);
    assert_string_equal(l.secret.key_file, "key");
    assert_string_equal(l.conf.select.filter, "tcp port 443");
    assert_int_equal(l.conf.select.snaplen, 128);
    assert_true(l.conf.select.keep_super);
    assert_false(l.common.json);
    assert_int_equal(l.conf.backlog_bytes, 2 << 20);
    assert_string_equal(l.conf.name, "branch");
    tap_done(&l, &r);
}

static void the_line_wins(void **state)
{
    (void)state;
    struct tap_line l;
    struct run r;
    char file[sizeof(branch)];
    assert_int_equal(tap(good(file), "-i eth7 --snaplen 64 -s 65 --json", &l, &r), -1 - EXIT_USAGE);
    tap_done(&l, &r);
    assert_int_equal(tap(good(file), "-i eth7 -s 64 --json --user me udp port 53", &l, &r), 0);
    assert_string_equal(r.said, "");
    assert_int_equal(l.conf.select.n_words, 1);
    assert_string_equal(l.conf.select.word[0].text, "eth7");
    assert_int_equal(l.conf.select.snaplen, 64);
    assert_string_equal(l.conf.select.filter, "udp port 53");
    assert_true(l.common.json && l.conf.select.keep_super);
    assert_string_equal(l.conf.user, "me");
    tap_done(&l, &r);
    assert_int_equal(tap(good(file), "-k secret", &l, &r), 0);
    assert_string_equal(l.secret.passphrase, "secret");
    assert_null(l.secret.key_file);
    tap_done(&l, &r);
    assert_int_equal(tap(good(file), "--identity a --peer b", &l, &r), 0);
    assert_string_equal(l.secret.peer, "b");
    assert_null(l.secret.key_file);
    tap_done(&l, &r);
    assert_int_equal(tap(good(file), "-f icmp", &l, &r), 0);
    assert_string_equal(l.conf.select.filter, "icmp");
    tap_done(&l, &r);
}

static void defaults_hold(void **state)
{
    (void)state;
    struct tap_line l;
    struct run r;
    assert_int_equal(tap("", "-i eth0 -c h:1 -K", &l, &r), 0);
    assert_int_equal(l.conf.backlog_bytes, 64 << 20);
    assert_int_equal(l.conf.select.dir, FRAME_DIR_UNKNOWN);
    assert_int_equal(l.conf.select.snaplen, 0);
    assert_null(l.conf.select.filter);
    tap_done(&l, &r);
}

/* Every mistake is told, of the other section too, and nothing of the file is used. */
static void a_bad_file_is_refused(void **state)
{
    (void)state;
    struct tap_line l;
    struct run r;
    char want[512];
    assert_int_equal(tap(branch, "", &l, &r), -1 - EXIT_USAGE);
    snprintf(want, sizeof(want),
             "farspan tap: %s:14: \"name-is-not-checked-here\" is no setting: a line is \"name = "
             "value\"\n",
             r.path);
    assert_string_equal(r.said, want);
    tap_done(&l, &r);
    assert_int_equal(tap("[tap]\nmtu = 5\nsnapln = 5\n", "-K", &l, &r), -1 - EXIT_USAGE);
    snprintf(want, sizeof(want),
             "farspan tap: %s:2: mtu: 5 is not between 576 and 9000\n"
             "farspan tap: %s:3: there is no setting \"snapln\" in [tap]: did you mean "
             "\"snaplen\"?\n"
             "farspan tap: %s has 2 mistakes, and nothing of it is used\n",
             r.path, r.path, r.path);
    assert_string_equal(r.said, want);
    tap_done(&l, &r);
}

static void a_line_that_is_wrong_comes_first(void **state)
{
    (void)state;
    struct tap_line l;
    struct run r;
    assert_int_equal(tap(branch, "--nothing", &l, &r), -1 - EXIT_USAGE);
    assert_non_null(strstr(r.said, "there is no option --nothing"));
    assert_null(strstr(r.said, "mistake"));
    tap_done(&l, &r);
    assert_int_equal(tap(branch, "-h", &l, &r), -1 - EXIT_SUCCESS);
    assert_non_null(strstr(r.said, "Usage: farspan tap"));
    tap_done(&l, &r);
    assert_int_equal(tap("", "--config /nosuch", &l, &r), -1 - EXIT_USAGE);
    assert_non_null(strstr(r.said, "/nosuch: No such file or directory"));
    tap_done(&l, &r);
    assert_int_equal(tap("", "--config /dev/zero", &l, &r), -1 - EXIT_USAGE);
    assert_non_null(strstr(r.said, "larger than 1048576 bytes: not a file of keys or settings"));
    tap_done(&l, &r);
}

static int collector(const char *file, const char *words, struct collector_line *l, struct run *r)
{
    *l = (struct collector_line){0};
    begin(r, "collector", file, words);
    int status = collector_parse(l, r->argc, r->argv);
    end(r);
    return status;
}

static void collector_done(struct collector_line *l, struct run *r)
{
    collector_line_done(l);
    free(r->said);
}

static void collectors_read_their_section(void **state)
{
    (void)state;
    static struct collector_line l;
    struct run r;
    assert_int_equal(
        collector("[tap]\ninterface = x\n[collector]\nport = 5\nthreads = 2\ndevice = ntap-%t\n"
                  "order = 50ms\noutput-queue = 4M\nidentity = a\nallow = b\nuser = me\n"
                  "log-interval = 300s\nalign = yes\n[describe]\nweb1 = rack 4\n192.0.2.7 = far\n"
                  "[output probe]\nto = eth1\nqueue = 3M\n[output other]\nto = eth2\n",
                  "-w f -p 6", &l, &r),
        0);
    assert_string_equal(r.said, "");
    assert_int_equal(l.conf.port, 6);
    assert_int_equal(l.conf.threads, 2);
    assert_string_equal(l.conf.device, "ntap-%t");
    assert_string_equal(l.conf.file, "f");
    assert_int_equal(l.conf.order_ms, 50);
    assert_int_equal(l.conf.output_queue, 4 << 20);
    assert_string_equal(l.conf.allow, "b");
    assert_string_equal(l.conf.user, "me");
    assert_int_equal(l.conf.log_ms, 300000);
    assert_true(l.conf.align);
    assert_int_equal(l.conf.outputs.n, 2);
    assert_string_equal(l.conf.outputs.spec[0].name, "probe");
    assert_int_equal(l.conf.outputs.spec[0].queue, 3 << 20);
    assert_int_equal(l.conf.outputs.spec[1].queue, 0);
    assert_string_equal(describe_find(&l.conf.describe, "web1", ""), "rack 4");
    assert_string_equal(describe_find(&l.conf.describe, "x", "192.0.2.7:1"), "far");
    /* Settings that apply when they are read again need no restart. */
    assert_null(strstr(l.file.fixed, "log-interval"));
    assert_null(strstr(l.file.fixed, "rack 4"));
    assert_non_null(strstr(l.file.fixed, "align = yes"));
    collector_done(&l, &r);
}

/* Settings that do not go together, or lack another one. */
static void settings_together(void **state)
{
    (void)state;
    static const struct {
        const char *words, *says;
    } taps[] = {{"-c h:1 -K", "an interface is needed"},
                {"-i eth0 -K", "a collector is needed"},
                {"-i eth0 -c h:1 --identity a", "--identity FILE and --peer KEY go together"},
                {"-i eth0 -c h:1 -K -f tcp udp", "either behind -f or in the last words"},
                {"-i eth0 -c h:1 -K tcp -s 5", "\"-s\" stands behind the filter"}},
      collectors[] = {{"-i d -K", "a port to listen on is needed"},
                      {"-p 1 -K", "an output is needed"},
                      {"-p 1 -w f -K --keep-device", "--keep-device is for the device"},
                      {"-p 1 -w - -K --json", "both want standard output"},
                      {"-p 1 -w f --identity a", "--identity FILE and --allow FILE go together"},
                      {"-p 1 -w f -k x --key-file y", "choose one"},
                      {"-p 1 -w f -K more", "there is nothing to do with \"more\""}};
    struct run r;
    for (size_t i = 0; i < ARRAY_SIZE(taps); i++) {
        struct tap_line l;
        assert_int_equal(tap("", taps[i].words, &l, &r), -1 - EXIT_USAGE);
        assert_non_null(strstr(r.said, taps[i].says));
        tap_done(&l, &r);
    }
    for (size_t i = 0; i < ARRAY_SIZE(collectors); i++) {
        static struct collector_line l;
        assert_int_equal(collector("", collectors[i].words, &l, &r), -1 - EXIT_USAGE);
        assert_non_null(strstr(r.said, collectors[i].says));
        collector_done(&l, &r);
    }
}

/* Settings are printed as a file that says the same. */
static void settings_are_printed(void **state)
{
    (void)state;
    struct check_settings s = {0};
    char *text = NULL;
    size_t len = 0;
    const size_t interface = conf_find(&tap_table, "interface");
    assert_false(check_settings_has(&s, &tap_table));
    assert_int_equal(
        check_settings_add(&s, &tap_table, conf_find(&tap_table, "backlog"), "2M", NULL), 0);
    assert_int_equal(check_settings_add(&s, &tap_table, interface, "b", NULL), 0);
    assert_int_equal(check_settings_add(&s, &tap_table, interface, "a", NULL), 0);
    assert_true(check_settings_has(&s, &tap_table));
    assert_false(check_settings_has(&s, &collector_table));
    FILE *to = open_memstream(&text, &len);
    check_settings_print(&s, to);
    fclose(to);
    assert_string_equal(text,
                        "[tap]\ninterface = b\ninterface = a\ndirection = both\nbacklog = 2M\n"
                        "burst = 10ms\nlimit-queue = 200ms\n"
                        "on-limit = headers,sample,count\ncheck-interval = 10s\n"
                        "breach-intervals = 6\nmax-restarts = 3\n"
                        "business-hours = mon-sun\n");
    free(text);
    check_settings_done(&s);
}

/* Each row has all that help, manual and completion print, and can be told from the others. */
static void rows_are_whole(void **state)
{
    (void)state;
    const struct options *const all[] = {&tap_options, &collector_options, &keygen_options,
                                         &status_options, &check_options};
    for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
        const struct conf_row *row;
        bool seen[256] = {0};
        size_t i = 0;
        for (; (row = options_row_at(all[k]->table, i)); i++) {
            assert_true(row->name[0] && row->help[0] && row->manual && row->manual[0]);
            assert_false(row->letter && seen[(uint8_t)row->letter]);
            seen[(uint8_t)row->letter] = true;
            assert_true(!row->dflt || row->arg);
            assert_true(conf_find(all[k]->table, row->name) == i || !row->set);
        }
        assert_in_range(i, 3, CONF_ROWS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_all),
        cmocka_unit_test(the_line_wins),
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(a_bad_file_is_refused),
        cmocka_unit_test(a_line_that_is_wrong_comes_first),
        cmocka_unit_test(collectors_read_their_section),
        cmocka_unit_test(settings_together),
        cmocka_unit_test(settings_are_printed),
        cmocka_unit_test(rows_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
