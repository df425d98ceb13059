/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` whose value has a form; rows of tap_options.c name them.
 */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tap_line.h"
#include "model/pmtu.h"

int tap_set_interface(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    const char *name = given->arg;
    for (unsigned i = 0; i < c->select.n_words; i++) {
        if (strcmp(c->select.word[i].text, name) == 0) {
            return usage_error("tap", "%s %s is given twice", given->label, name);
        }
    }
    if (c->select.n_words == SELECTION_WORDS) {
        return usage_error("tap", "%s at most %d times; a pattern matches many, \"any\" taps all",
                           given->label, SELECTION_WORDS);
    }
    bool any = strcmp(name, "any") == 0; /* as it is for tcpdump */
    const char *pattern = any ? "*" : strpbrk(name, "*?[") ? name : NULL;
    if (name[0] == '\0' || (!pattern && strlen(name) >= IFNAMSIZ)) {
        return usage_error("tap", "%s \"%s\" is no interface's name: 1 to %d characters",
                           given->label, name, IFNAMSIZ - 1);
    }
    c->select.word[c->select.n_words++] = (struct selection_word){name, pattern, any};
    return 0;
}

int tap_set_direction(void *to, const struct option_given *given)
{
    static const struct {
        const char *word;
        enum frame_dir dir;
    } words[] = {{"both", FRAME_DIR_UNKNOWN}, {"in", FRAME_DIR_IN}, {"out", FRAME_DIR_OUT}};
    struct tap_conf *c = to;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(given->arg, words[i].word) == 0) {
            c->select.dir = words[i].dir;
            return 0;
        }
    }
    return usage_error("tap", "%s is in, out or both, not \"%s\"", given->label, given->arg);
}

int tap_set_vlans(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    struct error err = {""};
    c->select.has_vlans = true;
    return option_parsed(given, parse_vlan_list(given->arg, &c->select.vlans, &err), &err);
}

int tap_set_snaplen(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(given->arg, given->label, 0, FRAME_LEN_MAX, &v, &err);
    c->select.snaplen = (uint32_t)v;
    return option_parsed(given, r, &err);
}

int tap_set_ring(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(given->arg, given->label, 64, 1 << 20, &v, &err);
    c->select.ring_bytes = (uint32_t)MIN(v << 10, UINT64_C(1) << 30);
    return option_parsed(given, r, &err);
}

int tap_set_collector(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    struct error err = {""};
    c->collector_text = given->arg;
    return option_parsed(given, parse_host_port(given->arg, &c->collector, &err), &err);
}

int tap_set_backlog(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    struct error err = {""};
    int r = parse_size(given->arg, given->label, true, BACKLOG_MIN, UINT64_C(64) << 30,
                       &c->backlog_bytes, &err);
    return option_parsed(given, r, &err);
}

int tap_set_mtu(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(given->arg, given->label, PMTU_MIN_V4, PMTU_MAX, &v, &err);
    c->mtu = (uint32_t)v;
    return option_parsed(given, r, &err);
}

int tap_set_name(void *to, const struct option_given *given)
{
    struct tap_conf *c = to;
    if (!link_name_ok(given->arg, strlen(given->arg))) {
        return usage_error("tap",
                           "%s \"%s\": 1 to %d letters, digits, dots, dashes and underscores",
                           given->label, given->arg, LINK_NAME_MAX);
    }
    snprintf(c->name, sizeof(c->name), "%s", given->arg);
    return 0;
}
