/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan import ivtap` of whole files of an ivTAP client, of other files, and its command line.
 */
#include "cmd/test_import.h"

#include <errno.h>

#include "cmd/import_print.h"
#include "cmd/tables.h"

/* A file as Windows' editors leave it, with what the format allows. */
static const char branch[] = "# Branch office, second floor. Ge\xe4ndert 2021-03-04\r\n"
                             "! ask the network team before the limit is changed\r\n"
                             "sIntName=\\\\Device\\\\NPF_{0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9}\r\n"
                             "filterString = (tcp port 443 or \\\r\n"
                             "                tcp port 8443) and net 192.0.2.0/24\r\n"
                             "srvAddr : 198.51.100.77\r\n"
                             "srvPort   20777\r\n"
                             "\r\n"
                             "speedLimit=2500000\r\n"
                             "bandwidthCheckInterval=15\r\n"
                             "bandwidthBreachIntervals=4\r\n"
                             "maxIdleIntervals=19\r\n"
                             "maxRestarts=5\r\n"
                             "businessDaysNumbers=2,4,6";

#define BRANCH_LIMITS                                                                              \
    "# speedLimit = 2500000, in bit/s\n"                                                           \
    "rate = 2500kbit\n"                                                                            \
    "# bandwidthCheckInterval = 15, in seconds\n"                                                  \
    "check-interval = 15s\n"                                                                       \
    "# bandwidthBreachIntervals = 4\n"                                                             \
    "breach-intervals = 4\n"                                                                       \
    "# bandwidthBreachIntervals = 4: then ivTAP ends, and sheds nothing\n"                         \
    "on-limit = stop\n"                                                                            \
    "# maxIdleIntervals = 19: one interval more, (19 + 1) x 15 s\n"                                \
    "max-idle = 300s\n"                                                                            \
    "# maxRestarts = 5\n"                                                                          \
    "max-restarts = 5\n"                                                                           \
    "# businessDaysNumbers = 2,4,6, where 1 is Sunday\n"                                           \
    "business-hours = mon, wed, fri\n"

static void a_whole_file(void **state)
{
    (void)state;
    struct run r;
    IMPORT(branch, given, &r);
    assert_string_equal(r.said, "");
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_printed(&r, "[tap]\n"
                       "# sIntName = \\Device\\NPF_{0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9}; "
                       "--interface has its name here\n"
                       "interface = eth7\n"
                       "# filterString = (tcp port 443 or tcp port 8443) and net 192.0.2.0/24\n"
                       "filter = (tcp port 443 or tcp port 8443) and net 192.0.2.0/24\n"
                       "# srvAddr = 198.51.100.77, srvPort = 20777\n"
                       "collector = 198.51.100.77:20777\n"
                       "# --key-file, as ivTAP has no key\n"
                       "key-file = /etc/key\n" BRANCH_LIMITS);
    done(&r);
}

/* A person has to add what ivTAP's file does not have. */
static void without_options(void **state)
{
    (void)state;
    struct run r;
    IMPORT(branch, without, &r);
    SAID(&r,
         "3: sIntName is no name of Linux: \\Device\\NPF_{0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9}: "
         "add its name here by --interface NAME (farspan tap --list)",
         " ivTAP has no key: add one by --key-file FILE, or identity and peer to what was printed");
    assert_printed(&r, "[tap]\n"
                       "# interface has to be added here; sIntName is "
                       "\\Device\\NPF_{0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9}\n"
                       "# filterString = (tcp port 443 or tcp port 8443) and net 192.0.2.0/24\n"
                       "filter = (tcp port 443 or tcp port 8443) and net 192.0.2.0/24\n"
                       "# srvAddr = 198.51.100.77, srvPort = 20777\n"
                       "collector = 198.51.100.77:20777\n"
                       "# key-file has to be added here, as ivTAP has no key\n" BRANCH_LIMITS);
    done(&r);
}

#define REST                                                                                       \
    "filterString=tcp\nsrvAddr=::1\nsrvPort=01\nspeedLimit=00064000\nbandwidthCheckInterval=1\n"   \
    "bandwidthBreachIntervals=1\nmaxIdleIntervals=0\nmaxRestarts=0\n"

/* An interface of Linux is taken from the file; the least values that there are. */
static void least_values(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "sIntName=eth0\nbusinessDaysNumbers=7,6,5,4,3,2,1\n" REST;
    static const char *const key[] = {"ivtap", "--key-file", "k", NULL};
    IMPORT(file, key, &r);
    assert_string_equal(r.said, "");
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_printed(&r,
                   "[tap]\n# sIntName = eth0\ninterface = eth0\n# filterString = tcp\n"
                   "filter = tcp\n# srvAddr = ::1, srvPort = 1\ncollector = [::1]:1\n"
                   "# --key-file, as ivTAP has no key\nkey-file = k\n"
                   "# speedLimit = 00064000, in bit/s\nrate = 64kbit\n"
                   "# bandwidthCheckInterval = 1, in seconds\ncheck-interval = 1s\n"
                   "# bandwidthBreachIntervals = 1\nbreach-intervals = 1\n"
                   "# bandwidthBreachIntervals = 1: then ivTAP ends, and sheds nothing\n"
                   "on-limit = stop\n"
                   "# maxIdleIntervals = 0: one interval more, (0 + 1) x 1 s\nmax-idle = 1s\n"
                   "# maxRestarts = 0\nmax-restarts = 0\n"
                   "# businessDaysNumbers = 7,6,5,4,3,2,1: always, as without business-hours\n");
    done(&r);
}

#define NOTHING                                                                                    \
    " nothing of ivTAP's is in it, such as sIntName of a client, dIntName of a server, or the "    \
    "description of an address"

/* Files that are none of ivTAP's. */
static void other_files(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *said;
    } files[] = {
#define BYTES(text) text, sizeof(text) - 1
        {BYTES(""), NOTHING},
        {BYTES("[tap]\n\\u1\ninterface = eth0\n#srvPort=1\n"), NOTHING},
        {BYTES("srvPort=1\nsrvAddr=\0\n"), " it has a zero byte: this is no text file"},
        {BYTES("\xff\xfes\0r\0v\0"), " it is written in UTF-16, which Java does not take for "
                                     "settings: it has to be in Latin-1"},
        {BYTES("\x7f"
               "ELF\x02\x01\x01\xfe\x80\\"),
         NOTHING},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct run r;
        import_bytes(files[i].bytes, files[i].n, given, &r);
        SAID(&r, files[i].said);
        assert_string_equal(r.out, "");
        done(&r);
    }
}

/* A file is told by any of its settings. */
static void others_settings_may_come_first(void **state)
{
    (void)state;
    struct run r;
    IMPORT("colour=red\nsize=3\nsrvPort=1\nsrvAddr=::1\n", given, &r);
    assert_null(strstr(r.said, NOTHING));
    assert_non_null(strstr(r.out, "[tap]\n"));
    assert_non_null(strstr(r.out, "collector = [::1]:1\n"));
    done(&r);
}

static void several_files(void **state)
{
    (void)state;
    static const char nothing[] = "colour=red\n";
    struct run r = {.out = NULL};
    char want[256];
    write_file(r.path[0], nothing, sizeof(nothing) - 1);
    write_file(r.path[1], branch, sizeof(branch) - 1);
    import(given, &r, 2);
    snprintf(want, sizeof(want), "%s:" NOTHING "\n", r.path[0]);
    assert_string_equal(r.said, want);
    assert_non_null(strstr(r.out, "\n[tap]\n"));
    assert_int_equal(r.status, EXIT_FAILURE);
    done(&r);

    write_file(r.path[0], branch, sizeof(branch) - 1);
    write_file(r.path[1], branch, sizeof(branch) - 1);
    import(given, &r, 2);
    snprintf(want, sizeof(want),
             "%s: a second client: import it by itself, into a file of its own\n", r.path[1]);
    assert_string_equal(r.said, want);
    assert_non_null(strstr(r.out, r.path[0]));
    assert_null(strstr(r.out, r.path[1]));
    assert_int_equal(r.status, EXIT_FAILURE);
    done(&r);
}

static void assert_usage(const char *const *words, int status, const char *said)
{
    struct run r = {.out = NULL};
    import(words, &r, 0);
    assert_int_equal(r.status, status);
    assert_non_null(strstr(r.said, said));
    assert_true(status == EXIT_SUCCESS || r.out[0] == '\0');
    done(&r);
}

#define USAGE(status, said, ...)                                                                   \
    assert_usage((const char *const[]){__VA_ARGS__, NULL}, status, said)

static void usage(void **state)
{
    (void)state;
    USAGE(EXIT_USAGE, "a file is needed: farspan import ivtap FILE", "ivtap");
    USAGE(EXIT_USAGE, "the first word says whose settings they are: ivtap", "--key-file", "x");
    USAGE(EXIT_USAGE, "the first word says whose settings they are: ivtap", "tapiv", "x");
    USAGE(EXIT_USAGE, "there is no option --nothing", "ivtap", "x", "--nothing");
    USAGE(EXIT_USAGE, "interface cannot have ends of lines", "ivtap", "x", "--interface", "a\nb");
    USAGE(EXIT_USAGE, "interface has no value", "ivtap", "x", "--interface", "");
    USAGE(EXIT_USAGE, "is no interface's name", "ivtap", "x", "--interface", "sixteen-letters-");
    USAGE(EXIT_USAGE, "key-file cannot begin or end with a blank", "ivtap", "x", "--key-file",
          " k");
    USAGE(EXIT_USAGE, "key-file cannot begin or end with a blank", "ivtap", "x", "--key-file",
          "k\x20");
    USAGE(EXIT_FAILURE, "cannot read /nosuch/file: No such file", "ivtap", "/nosuch/file");
    USAGE(EXIT_FAILURE, "/dev/zero is larger than 65536 bytes", "ivtap", "/dev/zero");
    USAGE(EXIT_SUCCESS, "", "--help");
}

static void standard_output_is_full(void **state)
{
    (void)state;
    FILE *const out = stdout, *const error = stderr;
    char name[] = "import", kind[] = "ivtap", path[32], *said = NULL;
    size_t n = 0;
    write_file(path, branch, sizeof(branch) - 1);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    stdout = full;
    stderr = open_memstream(&said, &n);
    optind = 0;
    const int status = cmd_import(3, (char *[]){name, kind, path, NULL});
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = error;
    unlink(path);
    assert_non_null(strstr(said, "cannot write to standard output: No space left on device\n"));
    assert_int_equal(status, EXIT_FAILURE);
    free(said);
}

/* A setting that this program does not have is another one's business. */
static void other_settings_are_not_looked_into(void **state)
{
    (void)state;
    struct error err = {""};
    assert_int_equal(import_check(&tap_table, "no-such-setting", "1", &err), 0);
    assert_int_equal(import_check(&tap_table, "no-such-setting", "", &err), -EINVAL);
    assert_string_equal(err.text, "no-such-setting has no value");
}

/* A file's name is a text of others too. */
static void names_of_files(void **state)
{
    (void)state;
    struct run r = {.out = NULL};
    char made[32], name[64], want[128];
    write_file(made, "maxRestarts=1\n", 14);
    snprintf(name, sizeof(name), "%s\n[tap]\x1b", made);
    assert_int_equal(rename(made, name), 0);
    const char *const words[] = {"ivtap", name, NULL};
    import(words, &r, 0);
    unlink(name);
    assert_lines(r.out);
    int n = snprintf(want, sizeof(want), "# Made by farspan import of %s\\x0a[tap]\\x1b\n[tap]\n",
                     made);
    assert_int_equal(strncmp(r.out, want, (size_t)n), 0);
    n = snprintf(want, sizeof(want), "%s\\x0a[tap]\\x1b: sIntName is missing: ", made);
    assert_int_equal(strncmp(r.said, want, (size_t)n), 0);
    done(&r);
}

/* `farspan check` finds nothing wrong with a whole file that was printed. */
static void check_allows_it(void **state)
{
    (void)state;
    FILE *const error = stderr;
    char check[] = "check", path[32], *said = NULL;
    size_t n = 0;
    struct run r;
    IMPORT(branch, given, &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    write_file(path, r.out, strlen(r.out));
    stderr = open_memstream(&said, &n);
    optind = 0;
    const int status = cmd_check(2, (char *[]){check, path, NULL});
    fclose(stderr);
    stderr = error;
    unlink(path);
    assert_string_equal(said, "");
    assert_int_equal(status, EXIT_SUCCESS);
    free(said);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file),
        cmocka_unit_test(check_allows_it),
        cmocka_unit_test(without_options),
        cmocka_unit_test(least_values),
        cmocka_unit_test(other_files),
        cmocka_unit_test(others_settings_may_come_first),
        cmocka_unit_test(several_files),
        cmocka_unit_test(usage),
        cmocka_unit_test(names_of_files),
        cmocka_unit_test(standard_output_is_full),
        cmocka_unit_test(other_settings_are_not_looked_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
