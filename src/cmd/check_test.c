/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan check` of files of the test's own: its status, and what it prints on either side.
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

#include "cmd/cmd.h"

/* A check of a file, and what came of it. */
struct run {
    char path[32], *out, *said;
    int status;
};

#define FLOWS "idle = 15s\nactive = 60s\ntunnel = outer\nflows = 1000000\n"

static void check(const char *file, const char *option, struct run *r)
{
    FILE *const out = stdout, *const error = stderr;
    size_t n = 0, m = 0;
    char name[] = "check", word[16];
    *r = (struct run){.path = "/tmp/check-test-XXXXXX"};
    int fd = mkstemp(r->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, strlen(file)), strlen(file));
    close(fd);
    snprintf(word, sizeof(word), "%s", option);
    stdout = open_memstream(&r->out, &n);
    stderr = open_memstream(&r->said, &m);
    optind = 0; /* glibc's way to begin again */
    r->status = cmd_check(*option ? 3 : 2, (char *[]){name, r->path, word, NULL});
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = error;
    unlink(r->path);
}

static void done(struct run *r)
{
    free(r->out);
    free(r->said);
}

/* The lines of standard error, each with the file's name before it. */
static void assert_said(const char *file, const char *const *lines)
{
    struct run r;
    char want[2048] = "";
    size_t used = 0;
    check(file, "--print", &r);
    for (; *lines; lines++) {
        used += (size_t)snprintf(want + used, sizeof(want) - used, "%s:%s\n", r.path, *lines);
    }
    assert_string_equal(r.said, want);
    assert_string_equal(r.out, "");
    assert_int_equal(r.status, EXIT_FAILURE);
    done(&r);
}

#define SAID(file, ...) assert_said(file, (const char *const[]){__VA_ARGS__, NULL})

static const char branch[] = "[tap]\ninterface = a\ninterface = b\ncollector = h:1\n"
                             "no-encryption = yes\nfilter = tcp\n[collector]\nport = 5\n"
                             "write = -\nno-encryption = yes\n";

static void good_files(void **state)
{
    (void)state;
    struct run r;
    check(branch, "", &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_string_equal(r.said, "");
    assert_string_equal(r.out, "");
    done(&r);
    check(branch, "--print", &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_string_equal(r.said, "");
    assert_string_equal(
        r.out, "[tap]\ninterface = a\ninterface = b\nfilter = tcp\ndirection = both\n"
               "collector = h:1\nbacklog = 64M\nburst = 10ms\nlimit-queue = 200ms\n"
               "on-limit = headers,sample,count\ncheck-interval = 10s\nbreach-intervals = 6\n"
               "max-restarts = 3\n"
               "business-hours = mon-sun\nno-encryption = yes\n"
               "[collector]\nport = 5\nthreads = 1\nwrite = -\n" FLOWS "no-encryption = yes\n");
    done(&r);
}

static void descriptions(void **state)
{
    (void)state;
    static const char file[] = "[collector]\nport = 5\nwrite = -\nno-encryption = yes\n"
                               "[describe]\nweb2 = \"rack 4\"\nweb1 = a = b\n";
    struct run r;
    check(file, "--print", &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_string_equal(r.out, "[collector]\nport = 5\nthreads = 1\nwrite = -\n" FLOWS
                               "no-encryption = yes\n"
                               "[describe]\nweb2 = \"rack 4\"\nweb1 = a = b\n");
    done(&r);
    SAID("[describ]\nweb1 = x\n[describe]\nweb 1 = x\nweb1 = x\nweb1 = y\nweb2 =\n",
         "1: there is no section [describ]: did you mean [describe]?",
         "4: neither a tap's name (1 to 32 of A-Z a-z 0-9 . _ -) nor an IP address",
         "6: web1 is described a second time", "7: \"web2\" has no value: \"web2 = TEXT\"");
}

static void each_mistake_is_told(void **state)
{
    (void)state;
    SAID("", " nothing is set in it");
    SAID("[tap]\n", " nothing is set in it");
    SAID("[tapp]\n", "1: there is no section [tapp]: did you mean [tap]?");
    SAID("[tap]\nmtu = 600\nno-encryption = yes\n",
         " [tap]: an interface is needed: -i INTERFACE (--list shows them)",
         " [tap]: a collector is needed: -c HOST:PORT");
    SAID("[collector]\nport = 0\nno-encryption = yes\njson = yes\nwrite = -\n",
         "2: port: 0 is not between 1 and 65535",
         " [collector]: a port to listen on is needed: -p PORT",
         " [collector]: --json and -w - both want standard output");
    SAID("[tap]\ninterface = a\ninterface = a\ncollector = h:1\nfilter = tcp prt 5\n"
         "identity = x\n",
         "3: interface a is given twice",
         "5: filter \"tcp prt 5\": can't parse filter expression: syntax error",
         " [tap]: --identity FILE and --peer KEY go together");
}

/* A section of its own: nothing that another one owns is written. */
static void services(void **state)
{
    (void)state;
    struct run r;
    check(
        "[serve]\ninterface = eth0\ninterface = veth*\nlisten = 127.0.0.1:2021\nhost = a.example\n"
        "[collector]\nport = 5\nwrite = -\nno-encryption = yes\n",
        "--print", &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_string_equal(r.said, "");
    assert_string_equal(r.out, "[collector]\nport = 5\nthreads = 1\nwrite = -\n" FLOWS
                               "no-encryption = yes\n"
                               "[serve]\nlisten = 127.0.0.1:2021\ninterface = eth0\n"
                               "interface = veth*\ndata = /var/lib/farspan\nanonymous = none\n"
                               "host = a.example\n");
    done(&r);
    SAID("[serve]\ninterface = a\ninterface = a\nlisten = 192.0.2.1\nanonymous = all\n",
         "3: interface a is given twice",
         "4: listen \"192.0.2.1\": a loopback address in numbers, such as 127.0.0.1:2020: "
         "without encryption no other is listened on",
         "5: anonymous is none, read or capture, not \"all\"");
}

static const char named[] = "[collector]\nport = 5\nno-encryption = yes\n"
                            "[output probe]\nto = eth1,force\nqueue = 4M\n"
                            "[output cloud]\nto = vxlan://192.0.2.9/77\n";

static void outputs_with_names(void **state)
{
    (void)state;
    struct run r;
    check(named, "--print", &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_string_equal(r.said, "");
    assert_string_equal(r.out, "[collector]\nport = 5\nthreads = 1\n" FLOWS "no-encryption = yes\n"
                               "[output probe]\nto = eth1,force\nqueue = 4M\n"
                               "[output cloud]\nto = vxlan://192.0.2.9/77\n");
    done(&r);
    SAID("[output]\nto = eth1\n", "1: the section [output] needs a name, as in [output NAME]");
    SAID("[output a]\nqueue = 4M\n[output b]\nto = eth1\n",
         "1: [output a] has no output: \"to = OUTPUT\"");
    SAID("[output a]\nto = eth1\n[output a]\nto = eth2\n", "3: there is an output \"a\" already");
    SAID("[output a]\nto = vxlan://192.0.2.9\nqueue = 1\n", "3: queue: 1 is not between 2M and 1G",
         "1: to \"vxlan://192.0.2.9\": the VNI is missing "
         "(vxlan://HOST[:PORT]/VNI[,oversize=slice|drop|fragment])");
    SAID("[output a]\nto = eth1\nport = 3\n", "3: there is no setting \"port\" in [output]");
}

static void wrong_usage(void **state)
{
    (void)state;
    struct run r;
    check(branch, "--nothing", &r);
    assert_int_equal(r.status, EXIT_USAGE);
    assert_non_null(strstr(r.said, "there is no option --nothing"));
    done(&r);
    check(branch, "more", &r);
    assert_int_equal(r.status, EXIT_USAGE);
    assert_non_null(strstr(r.said, "one file at a time: \"more\" is too much"));
    done(&r);
    check(branch, "--help", &r);
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_non_null(strstr(r.out, "Usage: farspan check FILE"));
    done(&r);
}

/* Without a file, and with one that is not there. */
static void no_file(void **state)
{
    (void)state;
    FILE *const error = stderr;
    char name[] = "check", path[] = "/nosuch/file", *said = NULL;
    size_t n = 0;
    stderr = open_memstream(&said, &n);
    optind = 0;
    int without = cmd_check(1, (char *[]){name, NULL});
    optind = 0;
    int with = cmd_check(2, (char *[]){name, path, NULL});
    fclose(stderr);
    stderr = error;
    assert_int_equal(without, EXIT_USAGE);
    assert_int_equal(with, EXIT_FAILURE);
    assert_string_equal(said,
                        "farspan check: a file is needed: farspan check FILE\n"
                        "Try \"farspan check --help\".\n"
                        "farspan check: cannot read /nosuch/file: No such file or directory\n");
    free(said);
}

/* A good file whose settings nobody gets. */
static void standard_output_is_full(void **state)
{
    (void)state;
    FILE *const out = stdout, *const error = stderr;
    char name[] = "check", print[] = "--print", path[] = "/tmp/check-test-XXXXXX", *said = NULL;
    size_t n = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, branch, strlen(branch)), strlen(branch));
    close(fd);
    FILE *full = fopen("/dev/full", "we");
    assert_non_null(full);
    stdout = full;
    stderr = open_memstream(&said, &n);
    optind = 0;
    const int status = cmd_check(3, (char *[]){name, path, print, NULL});
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = error;
    unlink(path);
    assert_string_equal(said, "farspan check: cannot write to standard output: "
                              "No space left on device\n");
    assert_int_equal(status, EXIT_FAILURE);
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files),
        cmocka_unit_test(each_mistake_is_told),
        cmocka_unit_test(descriptions),
        cmocka_unit_test(services),
        cmocka_unit_test(outputs_with_names),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(no_file),
        cmocka_unit_test(standard_output_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
