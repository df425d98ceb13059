/* SPDX-License-Identifier: Apache-2.0
 *
 * Features of interfaces. The judge is ethtool(8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "sys/ethtool.h"
#include "sys/test_net.h"

static struct ethtool_features get(const char *ifname)
{
    struct ethtool_features f;
    struct error err = {""};
    if (ethtool_get(ifname, &f, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return f;
}

static void set(const char *ifname, const struct ethtool_features *f)
{
    struct error err = {""};
    if (ethtool_set(ifname, f, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static struct ethtool_feature *find(struct ethtool_features *f, const char *name)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (strcmp(f->at[i].name, name) == 0) {
            return &f->at[i];
        }
    }
    fail_msg("no feature %s", name);
    return NULL;
}

/* Each line of `ethtool -k` that names a feature of the kernel's: "NAME: on|off[ [fixed]]". */
static void judge(const char *ifname)
{
    struct ethtool_features f = get(ifname);
    char line[256], name[64], state[8];
    unsigned seen = 0;
    (void)snprintf(line, sizeof(line), "ethtool -k %s", ifname);
    FILE *p = popen(line, "re");
    assert_non_null(p);
    while (fgets(line, sizeof(line), p)) {
        if (sscanf(line, " %63[^:]: %7s", name, state) != 2 || strncmp(name, "tx-", 3) != 0 ||
            strcmp(name, "tx-checksumming") == 0 || strstr(name, "-offload")) {
            continue; /* these are words of its own */
        }
        const struct ethtool_feature *at = find(&f, name);
        assert_int_equal(at->active, strcmp(state, "on") == 0);
        assert_int_equal(at->can_change, strstr(line, "[fixed]") == NULL);
        seen++;
    }
    pclose(p);
    assert_true(seen > 20);
}

static void it_says_what_ethtool_says(void **state)
{
    (void)state;
    int fd = tun_device("tap0", IFF_TAP);
    judge("va");
    judge("lo");
    judge("tap0");
    sh("ethtool -K va tso off gso off >/dev/null");
    judge("va");
    sh("ethtool -K va tso on gso on >/dev/null");
    close(fd);
}

/* All that cuts or finishes checksums goes, nothing else changes, and all of it comes back. */
static void what_is_set_comes_back(void **state)
{
    (void)state;
    struct ethtool_features before = get("va"), off = before, now;
    unsigned n = 0;
    for (unsigned i = 0; i < off.n; i++) {
        if (ethtool_cuts(off.at[i].name)) {
            off.at[i].wanted = false;
            n += before.at[i].active;
        }
    }
    assert_true(n > 5);
    set("va", &off);
    now = get("va");
    for (unsigned i = 0; i < now.n; i++) {
        const bool cuts = ethtool_cuts(now.at[i].name);
        assert_int_equal(now.at[i].active, !cuts && before.at[i].active);
        assert_int_equal(now.at[i].wanted, !cuts && before.at[i].wanted);
    }
    judge("va");
    set("va", &before);
    now = get("va");
    assert_memory_equal(&now, &before, sizeof(now));
}

static void one_of_several_is_kept_off(void **state)
{
    (void)state;
    sh("ethtool -K va tx-tcp6-segmentation off >/dev/null");
    struct ethtool_features f = get("va");
    assert_false(find(&f, "tx-tcp6-segmentation")->wanted);
    assert_true(find(&f, "tx-tcp-segmentation")->wanted);
    find(&f, "tx-tcp-segmentation")->wanted = false;
    set("va", &f);
    find(&f, "tx-tcp-segmentation")->wanted = true;
    set("va", &f);
    f = get("va");
    assert_false(find(&f, "tx-tcp6-segmentation")->active);
    assert_true(find(&f, "tx-tcp-segmentation")->active);
    sh("ethtool -K va tx-tcp6-segmentation on >/dev/null");
}

static void failures_have_words(void **state)
{
    (void)state;
    struct ethtool_features f = get("va");
    struct error err = {""};
    assert_int_equal(ethtool_get("nobody", &f, &err), -ENODEV);
    assert_string_equal(err.text, "cannot look at the offloads of nobody: No such device");
    assert_int_equal(ethtool_set("nobody", &f, &err), -ENODEV);
    assert_string_equal(err.text, "cannot set the offloads of nobody: No such device");
}

static void the_names_that_cut(void **state)
{
    (void)state;
    assert_true(ethtool_cuts("tx-tcp-segmentation"));
    assert_true(ethtool_cuts("tx-generic-segmentation"));
    assert_true(ethtool_cuts("tx-checksum-ip-generic"));
    assert_false(ethtool_cuts("tx-scatter-gather"));
    assert_false(ethtool_cuts("rx-checksum"));
    assert_false(ethtool_cuts("-segmentation"));
    assert_false(ethtool_cuts(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_ethtool_says),  cmocka_unit_test(what_is_set_comes_back),
        cmocka_unit_test(one_of_several_is_kept_off), cmocka_unit_test(failures_have_words),
        cmocka_unit_test(the_names_that_cut),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
