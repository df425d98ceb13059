/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of ivTAP's client that are missing, absurd, hostile, long or many.
 */
#include "cmd/test_import.h"

#define REST                                                                                       \
    "filterString=tcp\nsrvAddr=::1\nsrvPort=01\nspeedLimit=00064000\nbandwidthCheckInterval=1\n"   \
    "bandwidthBreachIntervals=1\nmaxIdleIntervals=0\nmaxRestarts=0\n"

static void missing_settings(void **state)
{
    (void)state;
    struct run r;
    IMPORT("sIntName=\n", without, &r);
    SAID(&r, "1: sIntName is missing: add its name here by --interface NAME (farspan tap --list)",
         " filterString: it is missing: without a filter all frames are sent",
         " srvPort is missing: collector is left out", " srvAddr is missing: collector is left out",
         " ivTAP has no key: add one by --key-file FILE, or identity and peer to what was printed",
         " speedLimit is missing: rate is left out",
         " bandwidthCheckInterval is missing: check-interval is left out",
         " bandwidthBreachIntervals is missing: breach-intervals is left out",
         " maxIdleIntervals is missing: max-idle is left out",
         " maxRestarts is missing: max-restarts is left out",
         " businessDaysNumbers is missing: ivTAP takes 2,3,4,5,6, and so does business-hours");
    assert_printed(&r,
                   "[tap]\n# interface has to be added here; sIntName is missing\n"
                   "# filter has to be added here, or all frames are sent\n"
                   "# key-file has to be added here, as ivTAP has no key\n"
                   "# businessDaysNumbers is missing: ivTAP takes 2,3,4,5,6, where 1 is Sunday\n"
                   "business-hours = mon-fri\n");
    done(&r);
    IMPORT("maxIdleIntervals= \nmaxIdleIntervals=3\nmaxRestarts= \t\nbusinessDaysNumbers=", given,
           &r);
    SAID(&r,
         "2: maxIdleIntervals is set a second time, first in line 1: this one holds, as for Java",
         " filterString: it is missing: without a filter all frames are sent",
         " srvPort is missing: collector is left out", " srvAddr is missing: collector is left out",
         " speedLimit is missing: rate is left out",
         " bandwidthCheckInterval is missing: check-interval is left out",
         " bandwidthBreachIntervals is missing: breach-intervals is left out",
         "2: maxIdleIntervals: it counts intervals of an unknown length: max-idle is left out",
         "3: maxRestarts has no value: max-restarts is left out",
         ("4: businessDaysNumbers: no day from 1, Sunday, to 7, Saturday: business-hours is left "
          "out"));
    done(&r);
}

/* Nothing of a value becomes a line or a section of its own. */
static void values_stay_in_their_line(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "sIntName=a\\u000a[collector]\\nport = 5\n"
                               "filterString=tcp\\nport 80\n"
                               "srvAddr=h\\u000anetns = x\n"
                               "srvPort=5\\r\n"
                               "speedLimit=1\\n\n"
                               "bandwidthCheckInterval=\\u000a1\n"
                               "bandwidthBreachIntervals=[tap]\n"
                               "maxIdleIntervals=1 # \n"
                               "maxRestarts=1\\u2028\n"
                               "businessDaysNumbers=2,3\\n4\n"
                               "x\\n[collector]\\n=1\n";
    IMPORT(file, given, &r);
#define FROM(n) " is a whole number from " n " to 2147483647, not "
    SAID(&r, "11: ivTAP's client has no setting \"x\\x0a[collector]\\x0a\"",
         "2: filterString: filter cannot have ends of lines and other control characters, as "
         "\"tcp\\x0aport 80\" has: without a filter all frames are sent",
         "4: srvPort is a whole number from 1 to 65535, not \"5\\x0d\": collector is left out",
         "5: speedLimit" FROM("1") "\"1\\x0a\": rate is left out",
         "6: bandwidthCheckInterval" FROM("1") "\"\\x0a1\": check-interval is left out",
         "7: bandwidthBreachIntervals" FROM("1") "\"[tap]\": breach-intervals is left out",
         "8: maxIdleIntervals" FROM("0") "\"1 #\": max-idle is left out",
         "9: maxRestarts" FROM("0") "\"1\\xe2\\x80\\xa8\": max-restarts is left out",
         "10: businessDaysNumbers: \"3\\x0a4\" is no day from 1, Sunday, to 7, Saturday");
    assert_printed(&r,
                   "[tap]\n"
                   "# sIntName = a\\x0a[collector]\\x0aport = 5; --interface has its name here\n"
                   "interface = eth7\n"
                   "# filter has to be added here, or all frames are sent\n"
                   "# --key-file, as ivTAP has no key\n"
                   "key-file = /etc/key\n"
                   "# businessDaysNumbers = 2,3\\x0a4, where 1 is Sunday\n"
                   "business-hours = mon\n");
    done(&r);
}

/* Any mixture of pieces of values: assert_lines looks at each. */
static void any_values(void **state)
{
    (void)state;
    static const char *const names[] = {"sIntName",
                                        "srvAddr",
                                        "srvPort",
                                        "speedLimit",
                                        "maxRestarts",
                                        "bandwidthCheckInterval",
                                        "businessDaysNumbers",
                                        "maxIdleIntervals",
                                        "bandwidthBreachIntervals"};
    static const char *const pieces[] = {"1",
                                         "2,3",
                                         "\\n",
                                         "\\u000a",
                                         "\\u0085",
                                         "[tap]",
                                         "eth0",
                                         " = ",
                                         "#",
                                         ";",
                                         "\\u2028",
                                         "\\r",
                                         "\xe9",
                                         "\\t",
                                         "10",
                                         "a.b",
                                         "::1",
                                         "\"",
                                         "\\ud83d\\ude00",
                                         "\\\n",
                                         "\n"};
    uint32_t seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        char file[1024] = "srvPort=1\n";
        size_t at = strlen(file);
        struct run r;
        for (unsigned i = 0; i < 24; i++) {
            seed = seed * 1664525 + 1013904223;
            at += i % 4 == 0 ? (size_t)snprintf(file + at, sizeof(file) - at,
                                                "\n%s=", names[(seed >> 8) % ARRAY_SIZE(names)])
                             : (size_t)snprintf(file + at, sizeof(file) - at, "%s",
                                                pieces[(seed >> 8) % ARRAY_SIZE(pieces)]);
        }
        import_bytes(file, at, round % 2 ? given : without, &r);
        assert_int_equal(r.status, EXIT_FAILURE); /* a filter is missing, at least */
        done(&r);
    }
}

static void absurd_values(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "sIntName=eth0/1\n"
                               "filterString=tcp prt 5\n"
                               "srvAddr=no host\n"
                               "srvPort=65536\n"
                               "speedLimit=0\n"
                               "bandwidthCheckInterval=2147483647\n"
                               "bandwidthBreachIntervals=0\n"
                               "maxIdleIntervals=2147483647\n"
                               "maxRestarts=-1\n"
                               "businessDaysNumbers=1,8,2,x\n"
                               "speedlimit=5\n"
                               "bindPort=7\n"
                               "maxRestarts=\\u12\n"
                               "srvPort=7\n"
                               "colour=red";
    IMPORT(file, given, &r);
    SAID(&r, "11: ivTAP's client has no setting \"speedlimit\": did you mean \"speedLimit\"?",
         "12: bindPort is a setting of ivTAP's server, and is not converted here",
         "13: \\u is not followed by four hexadecimal digits, as in \\u00e4",
         "14: srvPort is set a second time, first in line 4: this one holds, as for Java",
         "15: ivTAP's client has no setting \"colour\"",
         "2: filterString: filter \"tcp prt 5\": can't parse filter expression: syntax error: "
         "without a filter all frames are sent",
         "3: srvAddr: \"no host\" is no name or address of a host: collector is left out",
         "5: speedLimit" FROM("1") "\"0\": rate is left out",
         "6: bandwidthCheckInterval: check-interval: 2147483647s is not between 1ms and "
         "4294967295ms: check-interval is left out",
         "7: bandwidthBreachIntervals" FROM("1") "\"0\": breach-intervals is left out",
         "8: maxIdleIntervals: max-idle: 4611686016279904256s is not between 1ms and "
         "4294967295ms: max-idle is left out",
         "9: maxRestarts" FROM("0") "\"-1\": max-restarts is left out",
         "10: businessDaysNumbers: \"8\" is no day from 1, Sunday, to 7, Saturday");
    assert_printed(&r, "[tap]\n# sIntName = eth0/1; --interface has its name here\n"
                       "interface = eth7\n# filter has to be added here, or all frames are sent\n"
                       "# --key-file, as ivTAP has no key\nkey-file = /etc/key\n"
                       "# businessDaysNumbers = 1,8,2,x, where 1 is Sunday\n"
                       "business-hours = mon, sun\n");
    done(&r);
}

/* Values that ivTAP may have, and a tap not. */
static void limits_of_a_tap(void **state)
{
    (void)state;
    struct run r;
    IMPORT("filterString=tcp\nspeedLimit=63000\nbandwidthCheckInterval=3601\nmaxIdleIntervals=500\n"
           "bandwidthBreachIntervals=100001\nmaxRestarts=1001\nbusinessDaysNumbers=2\n"
           "srvAddr=h\nsrvPort=1\n",
           given, &r);
#define LEFT_OUT(ours, sentence) ": " ours ": " sentence ": " ours " is left out"
    SAID(&r, "2: speedLimit" LEFT_OUT("rate", "63kbit is not between 64kbit and 100gbit"),
         "3: bandwidthCheckInterval" LEFT_OUT("check-interval",
                                              "3601s is not between 1000ms and 3600000ms"),
         "5: bandwidthBreachIntervals" LEFT_OUT("breach-intervals",
                                                "100001 is not between 1 and 100000"),
         "4: maxIdleIntervals" LEFT_OUT("max-idle",
                                        "1804101s is not between 1000ms and 604800000ms"),
         "6: maxRestarts" LEFT_OUT("max-restarts", "1001 is not between 0 and 1000"));
    assert_null(strstr(r.out, "on-limit"));
    done(&r);
}

/* Single settings in forms that whole files do not have, and a line of what comes of each. */
static void single_settings(void **state)
{
    (void)state;
    static char long_host[640] = "srvPort=5\nsrvAddr=";
    static const struct {
        const char *file, *prints, *says;
    } files[] = {
        {"maxRestarts=\\ 7\\t\n", "\n# maxRestarts = 7\nmax-restarts = 7\n", NULL},
        {"maxRestarts=7", "\n# --interface\ninterface = eth7\n", NULL},
        {"sIntName=\\\n\\\n  eth1\\", "\n# sIntName = eth1; --interface has", NULL},
        {"speedLimit=64000\r\rmaxRestarts=9\\x\r\n", "\nrate = 64kbit\n",
         ":3: maxRestarts is a whole number from 0 to 2147483647, not \"9x\": max-restarts is"},
        {"srvPort=5\nsrvAddr=[\\:\\:1]", "\n# srvAddr = [::1], srvPort = 5\n", NULL},
        {long_host, "[tap]\n", ": collector is left out\n"},
    };
    memset(long_host + strlen(long_host), 'a', 600);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct run r;
        import_bytes(files[i].file, strlen(files[i].file), given, &r);
        assert_non_null(strstr(r.out, files[i].prints));
        assert_true(!files[i].says || strstr(r.said, files[i].says));
        assert_true(files[i].file != long_host || !strstr(r.out, "\ncollector = "));
        assert_int_equal(r.status, EXIT_FAILURE); /* a filter is missing, at least */
        done(&r);
    }
}

/* A filter as long as a line can have, and a longer one. */
static void long_values(void **state)
{
    (void)state;
    static char file[8192];
    struct run r;
    static const size_t most = CONF_LINE_MAX - sizeof("filter = ") + 1;
    for (size_t more = 0; more < 2; more++) {
        const size_t pad = most + more - strlen("tcp port 1");
        int n = snprintf(file, sizeof(file), "filterString=tcp%*s port 1\n%s", (int)pad, "",
                         strstr(REST, "srvAddr"));
        import_bytes(file, (size_t)n, given, &r);
        assert_true((strstr(r.out, "\nfilter = tcp ") != NULL) == (more == 0));
        assert_true((strstr(r.said, "filter has 4088 bytes, and a line of a file 4096 at most: "
                                    "without a filter all frames are sent\n") != NULL) ==
                    (more == 1));
        assert_true((strstr(r.out, "...\nfilter = tcp ") != NULL) == (more == 0));
        done(&r);
    }
}

static unsigned count(const char *text, const char *words)
{
    unsigned n = 0;
    for (; (text = strstr(text, words)) != NULL; text++) {
        n++;
    }
    return n;
}

/* Mistakes of lines are told up to a number, those of the settings that are left all. */
static void many_mistakes(void **state)
{
    (void)state;
    static char file[8192];
    struct run r;
    for (unsigned n = 20; n <= 22; n++) {
        size_t at = (size_t)snprintf(file, sizeof(file), "sIntName=e\n%s", REST);
        for (unsigned i = 0; i < n; i++) {
            at += (size_t)snprintf(file + at, sizeof(file) - at, i % 2 ? "x%u=\n" : "\\u%u\n", i);
        }
        import_bytes(file, at, given, &r);
        assert_int_equal(r.status, EXIT_FAILURE);
        assert_non_null(strstr(r.said, "no setting \"x19\"\n"));
        assert_null(strstr(r.said, "no setting \"x21\"\n"));
        assert_int_equal(count(r.said, ": \\u is not followed by"), 10); /* of 20 lines */
        assert_true((strstr(r.said, ": and 1 more of that kind\n") != NULL) == (n == 21));
        assert_true((strstr(r.said, ": and 2 more of that kind\n") != NULL) == (n == 22));
        assert_non_null(strstr(r.said, ": businessDaysNumbers is missing"));
        done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_settings), cmocka_unit_test(values_stay_in_their_line),
        cmocka_unit_test(any_values),       cmocka_unit_test(absurd_values),
        cmocka_unit_test(limits_of_a_tap),  cmocka_unit_test(single_settings),
        cmocka_unit_test(long_values),      cmocka_unit_test(many_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
