/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenTap's files as they were found, and as they should not be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/opentap_conf.h"

struct warnings {
    unsigned n, line[8];
    char text[8][128];
};

static void warned(void *user, unsigned line, const char *sentence)
{
    struct warnings *w = user;
    assert_true(w->n < 8);
    w->line[w->n] = line;
    (void)snprintf(w->text[w->n++], sizeof(w->text[0]), "%s", sentence);
}

static void settings(void **state)
{
    static const char file[] = "# OpenTap\n"
                               "name: lab 3\r\n"
                               "retention:15\n"
                               "\n"
                               "  websrv-addr : 127.0.0.1:2020\n"
                               "default-network-observationpt: web\n"
                               "listen-interface: eth9\n"
                               "#alias: eth7 seven\n"
                               "alias: eth0 web\n"
                               "alias:\teth1   db of two\n"
                               "colour: red\n"
                               "what\n"
                               "alias: eth2 web\n"
                               "name: lab 4";
    struct opentap_conf c = {.name = ""};
    struct warnings w = {.n = 0};
    struct error err = {""};
    (void)state;
    assert_int_equal(opentap_conf_read(file, strlen(file), &c, warned, &w, &err), 0);
    assert_string_equal(c.name, "lab 4");
    assert_int_equal(c.retention_min, 15);
    assert_string_equal(c.address.host, "127.0.0.1");
    assert_int_equal(c.address.port, 2020);
    assert_string_equal(c.default_point, "web");
    assert_int_equal(c.n_aliases, 2);
    assert_string_equal(c.alias[0].ifname, "eth0");
    assert_string_equal(c.alias[0].name, "web");
    assert_string_equal(c.alias[1].ifname, "eth1");
    assert_string_equal(c.alias[1].name, "db of two");
    assert_int_equal(w.n, 3);
    assert_int_equal(w.line[0], 11);
    assert_string_equal(w.text[0], "colour is no setting, and is left out");
    assert_int_equal(w.line[1], 12);
    assert_string_equal(w.text[1], "what has no colon, and is left out");
    assert_int_equal(w.line[2], 13);
    assert_string_equal(w.text[2], "web is an alias already, and this one is left out");
}

static void older_word(void **state)
{
    static const char file[] = "listen-interface: eth9\n";
    struct opentap_conf c = {.name = ""};
    (void)state;
    assert_int_equal(opentap_conf_read(file, strlen(file), &c, warned, NULL, NULL), 0);
    assert_string_equal(c.default_point, "eth9");
    assert_int_equal(opentap_conf_read("", 0, &c, warned, NULL, NULL), 0);
    assert_string_equal(c.default_point, "eth9");
}

static void wrong(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"name: a\nretention: 0\n", "line 2: retention: minutes: 0 is not between 1 and 52560000"},
        {"retention: ever\n", NULL},
        {"retention: 52560001\n", NULL},
        {"name:\n", "line 1: name: this is no name: one has up to 64 bytes of text"},
        {"name: a\x01\n", NULL},
        {"name: \xff\n", NULL},
        {"websrv-addr: 2020\n", NULL},
        {"websrv-addr: 127.0.0.1:99999\n", NULL},
        {"alias: eth0\n",
         "line 1: alias: an alias is an interface and a name, as in \"eth0 uplink\""},
        {"alias:\n", NULL},
        {"default-network-observationpt: \n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct opentap_conf c = {.name = "as before"};
        struct error err = {""};
        assert_int_equal(
            opentap_conf_read(cases[i].text, strlen(cases[i].text), &c, warned, NULL, &err),
            -EINVAL);
        assert_string_equal(c.name, "as before");
        assert_non_null(strstr(err.text, "line "));
        if (cases[i].sentence) {
            assert_string_equal(err.text, cases[i].sentence);
        }
    }
}

static void bounds(void **state)
{
    struct opentap_conf c = {.name = ""};
    struct error err = {""};
    char *text = calloc(1, OPENTAP_FILE_MAX + 1);
    size_t len = 0;
    (void)state;
    assert_non_null(text);
    memset(text, '#', OPENTAP_FILE_MAX + 1);
    assert_int_equal(opentap_conf_read(text, OPENTAP_FILE_MAX + 1, &c, warned, NULL, &err), -EFBIG);
    assert_int_equal(opentap_conf_read(text, 1024, &c, warned, NULL, &err), -EINVAL);
    assert_int_equal(opentap_conf_read(text, 1023, &c, warned, NULL, &err), 0);
    text[5] = '\0';
    assert_int_equal(opentap_conf_read(text, 10, &c, warned, NULL, &err), -EINVAL);
    for (int i = 0; i < OPENTAP_ALIASES; i++) {
        len += (size_t)snprintf(text + len, 64, "alias: eth%d n%d\n", i, i);
    }
    assert_int_equal(opentap_conf_read(text, len, &c, warned, NULL, &err), 0);
    assert_int_equal(c.n_aliases, OPENTAP_ALIASES);
    assert_int_equal(opentap_conf_read("alias: a b\n", 11, &c, warned, NULL, &err), -EINVAL);
    len = 0;
    for (int i = 0; i < OPENTAP_SENSORS; i++) {
        len += (size_t)snprintf(text + len, 64, "1,2,3,motion,m%d\n", i);
    }
    assert_int_equal(opentap_conf_read_sensors(text, len, &c, warned, NULL, &err), 0);
    assert_int_equal(c.n_sensors, OPENTAP_SENSORS);
    assert_int_equal(opentap_conf_read_sensors("1,2,3,t,n", 9, &c, warned, NULL, &err), -EINVAL);
    free(text);
}

static void sensors(void **state)
{
    static const char file[] =
        "interface_serial_num,sensor_port,sensor_id,sensor_type,observation_pt_name\n"
        "# none\n"
        "123456, 0 ,1124,temperature,rack\r\n"
        "123456,1,1111,motion,door\n"
        "123456,1,1111,motion\n"
        "123456,1,1111,motion,door,x\n"
        "4294967296,1,1111,motion,door\n"
        "1,256,1111,motion,door\n"
        "x,1,1111,motion,door\n"
        "1,1,1111,,door\n"
        "1,1,1111,motion,\n";
    struct opentap_conf c = {.name = ""};
    struct warnings w = {.n = 0};
    (void)state;
    assert_int_equal(opentap_conf_read_sensors(file, strlen(file), &c, warned, &w, NULL), 0);
    assert_int_equal(c.n_sensors, 2);
    assert_int_equal(c.sensor[0].serial, 123456);
    assert_int_equal(c.sensor[0].port, 0);
    assert_int_equal(c.sensor[0].id, 1124);
    assert_string_equal(c.sensor[0].type, "temperature");
    assert_string_equal(c.sensor[0].point, "rack");
    assert_string_equal(c.sensor[1].point, "door");
    assert_int_equal(w.n, 7);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(w.line[i], 5 + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings), cmocka_unit_test(older_word), cmocka_unit_test(wrong),
        cmocka_unit_test(bounds),   cmocka_unit_test(sensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
