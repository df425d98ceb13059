/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan import ivtap` of the files of an ivTAP server: its settings, and the descriptions of its
 * clients.
 */
#include "cmd/test_import.h"

#define ALERTS(smtp, mail, silent, idle)                                                           \
    "# smptRelayServer = " smtp ": of alerts, which there are none of yet (smtp)\n"                \
    "# alertEmailRecipient = " mail ": of alerts, which there are none of yet (mail-to)\n"         \
    "# controlMsgIdleTimeout = " silent                                                            \
    ": of alerts, which there are none of yet (silent-after)\n"                                    \
    "# clientBytesIdleTimeout = " idle ": of alerts, which there are none of yet (data-idle)\n"

#define CLIENTS                                                                                    \
    "# ivTAP's own clients may go on sending, in the clear, to a port of their own: ivtap = "      \
    "PORT, and from = their addresses\n"

static const char server[] = "# the probe in Basel\r\n"
                             "dIntName=eth3\r\n"
                             "bindAddress=198.51.100.4\r\n"
                             "bindPort=20777\r\n"
                             "tenantsCheckInterval=20\r\n"
                             "smptRelayServer=198.51.100.25\r\n"
                             "alertEmailRecipient=noc@example.org\r\n"
                             "controlMsgIdleTimeout=90\r\n"
                             "clientBytesIdleTimeout=600";

static void a_whole_file(void **state)
{
    (void)state;
    struct run r;
    static const char *const key[] = {"ivtap", "--key-file", "k", NULL};
    IMPORT(server, key, &r);
    assert_string_equal(r.said, "");
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_printed(&r, "[collector]\n# bindAddress = 198.51.100.4\nbind = 198.51.100.4\n"
                       "# bindPort = 20777\nport = 20777\n"
                       "# --key-file, as ivTAP has no key\nkey-file = k\n"
                       "# tenantsCheckInterval = 20, in seconds\nlog-interval = 20s\n" ALERTS(
                           "198.51.100.25", "noc@example.org", "90", "600") CLIENTS
                   "[output ivtap]\n# dIntName = eth3\nto = eth3\n");
    done(&r);
}

/* The interface of Windows gets its name here, and all addresses need no setting. */
static void other_forms(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "dIntName=\\\\Device\\\\NPF_{0}\nbindAddress=0.0.0.0\nbindPort=01\n"
                               "tenantsCheckInterval=60\nsmptRelayServer=a\nalertEmailRecipient=b\n"
                               "controlMsgIdleTimeout=1\nclientBytesIdleTimeout=1\n";
    IMPORT(file, given, &r);
    assert_string_equal(r.said, "");
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_printed(&r, "[collector]\n# bindAddress = 0.0.0.0: all addresses, as without bind\n"
                       "# bindPort = 01\nport = 1\n"
                       "# --key-file, as ivTAP has no key\nkey-file = /etc/key\n"
                       "# tenantsCheckInterval = 60, in seconds\nlog-interval = 60s\n" ALERTS(
                           "a", "b", "1", "1") CLIENTS
                   "[output ivtap]\n"
                   "# dIntName = \\Device\\NPF_{0}; --interface has its name here\nto = eth7\n");
    done(&r);
}

#define FROM(most) " is a whole number from 1 to " most ", not "

static void what_is_missing_or_absurd_is_named(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "dIntName=eth0/1\n"
                               "bindAddress=somewhere\n"
                               "bindPort=70000\n"
                               "tenantsCheckInterval=0\n"
                               "smptRelayServer=\n"
                               "controlMsgIdleTimeout=soon\n"
                               "clientbytesIdleTimeout=5\n"
                               "srvPort=1\n"
                               "bindPort=0\n";
    IMPORT(file, without, &r);
    SAID(&r,
         "7: ivTAP's server has no setting \"clientbytesIdleTimeout\": did you mean "
         "\"clientBytesIdleTimeout\"?",
         "8: srvPort is a setting of ivTAP's client, and is not converted here",
         "9: bindPort is set a second time, first in line 3: this one holds, as for Java",
         "2: bindAddress: it is no address in numbers: bind is left out",
         "9: bindPort" FROM("65535") "\"0\": port is left out",
         " ivTAP has no key: add one by --key-file FILE, or identity and peer to what was printed",
         "4: tenantsCheckInterval" FROM("2147483647") "\"0\": log-interval is left out",
         "5: smptRelayServer has no value: smtp is left out",
         " alertEmailRecipient is missing: mail-to is left out",
         "6: controlMsgIdleTimeout" FROM("2147483647") "\"soon\": silent-after is left out",
         " clientBytesIdleTimeout is missing: data-idle is left out",
         "1: dIntName is no name of Linux: eth0/1: add its name here by --interface NAME");
    assert_printed(&r, "[collector]\n# key-file has to be added here, as ivTAP has no key\n" CLIENTS
                       "[output ivtap]\n# to has to be added here; dIntName is eth0/1\n");
    done(&r);
}

static void descriptions(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "192.0.2.1=Z\xfcrich\n192.0.2.2 = Bern, first floor \n"
                               "0\\:0\\:0\\:0\\:0\\:0\\:0\\:1=Basel";
    IMPORT(file, without, &r);
    assert_string_equal(r.said, "");
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_printed(&r, "[describe]\n192.0.2.1 = Z\xc3\xbcrich\n192.0.2.2 = Bern, first floor\n"
                       "::1 = Basel\n");
    done(&r);
}

static void descriptions_with_mistakes(void **state)
{
    (void)state;
    struct run r;
    static const char file[] = "192.0.2.1=a\nberlin=b\n192.0.2.2=\n192.0.2.3=c\\nd\n192.0.2.1=e\n"
                               "192.0.2.4=\\u12\n192.0.2.5=[tap]\n";
    static const char control[] =
        "4: 192.0.2.3: description cannot have ends of lines and other control characters, as "
        "\"c\\x0ad\" has";
    IMPORT(file, without, &r);
    SAID(&r, "2: \"berlin\" is no address of a client", "3: 192.0.2.2 has no description", control,
         "5: 192.0.2.1 is described a second time, first in line 1: this one holds, as for Java",
         "6: \\u is not followed by four hexadecimal digits, as in \\u00e4");
    assert_printed(&r, "[describe]\n192.0.2.1 = e\n192.0.2.5 = [tap]\n");
    done(&r);
}

/* The two files of a server together, and two of one kind. */
static void several_files(void **state)
{
    (void)state;
    static const char texts[] = "192.0.2.1=Bern";
    static const char *const key[] = {"ivtap", "--key-file", "k", NULL};
    struct run r = {.out = NULL};
    write_file(r.path[0], server, sizeof(server) - 1);
    write_file(r.path[1], texts, sizeof(texts) - 1);
    import(key, &r, 2);
    assert_string_equal(r.said, "");
    assert_int_equal(r.status, EXIT_SUCCESS);
    assert_non_null(strstr(r.out, "[collector]\n"));
    assert_non_null(strstr(r.out, "[describe]\n192.0.2.1 = Bern\n"));
    done(&r);
    r = (struct run){.out = NULL};
    write_file(r.path[0], server, sizeof(server) - 1);
    write_file(r.path[1], server, sizeof(server) - 1);
    import(key, &r, 2);
    assert_non_null(strstr(r.said, "a second server: import it by itself"));
    assert_int_equal(r.status, EXIT_FAILURE);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file),
        cmocka_unit_test(other_forms),
        cmocka_unit_test(what_is_missing_or_absurd_is_named),
        cmocka_unit_test(descriptions),
        cmocka_unit_test(descriptions_with_mistakes),
        cmocka_unit_test(several_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
