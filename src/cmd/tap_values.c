/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` whose value has a form; rows of tap_rows_select.c,
 * tap_rows_link.c and tap_rows_safe.c name them.
 */
#include <errno.h>
#include <string.h>

#include "cmd/tap_line.h"
#include "sys/zone.h"

int tap_set_interface(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    const char *name = given->text;
    for (unsigned i = 0; i < c->select.n_words; i++) {
        if (strcmp(c->select.word[i].text, name) == 0) {
            return error_set(err, EINVAL, "%s %s is given twice", given->label, name);
        }
    }
    if (c->select.n_words == SELECTION_WORDS) {
        return error_set(err, EINVAL,
                         "%s at most %d times; a pattern matches many, \"any\" taps all",
                         given->label, SELECTION_WORDS);
    }
    bool any = strcmp(name, "any") == 0; /* as it is for tcpdump */
    const char *pattern = any ? "*" : strpbrk(name, "*?[") ? name : NULL;
    if (name[0] == '\0' || (!pattern && strlen(name) >= IFNAMSIZ)) {
        return error_set(err, EINVAL, "%s \"%s\" is no interface's name: 1 to %d characters",
                         given->label, name, IFNAMSIZ - 1);
    }
    c->select.word[c->select.n_words++] = (struct selection_word){name, pattern, any};
    return 0;
}

int tap_set_direction(void *to, const struct conf_given *given, struct error *err)
{
    static const struct {
        const char *word;
        enum frame_dir dir;
    } words[] = {{"both", FRAME_DIR_UNKNOWN}, {"in", FRAME_DIR_IN}, {"out", FRAME_DIR_OUT}};
    struct tap_conf *c = to;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(given->text, words[i].word) == 0) {
            c->select.dir = words[i].dir;
            return 0;
        }
    }
    return error_set(err, EINVAL, "%s is in, out or both, not \"%s\"", given->label, given->text);
}

int tap_set_vlans(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    c->select.has_vlans = true;
    return parse_vlan_list(given->text, &c->select.vlans, err);
}

int tap_set_ring(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    uint32_t kib = 0;
    int r = conf_u32(&kib, given, err);
    c->select.ring_bytes = r < 0 ? c->select.ring_bytes : kib << 10;
    return r;
}

int tap_set_collector(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    c->collector_text = given->text;
    return parse_host_port(given->text, &c->collector, err);
}

int tap_set_name(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    if (!link_name_ok(given->text, strlen(given->text))) {
        return error_set(err, EINVAL,
                         "%s \"%s\": 1 to %d letters, digits, dots, dashes and underscores",
                         given->label, given->text, LINK_NAME_MAX);
    }
    snprintf(c->name, sizeof(c->name), "%s", given->text);
    return 0;
}

int tap_set_hours(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    return calendar_parse(given->text, given->label, &c->watch.hours, err);
}

int tap_set_zone(void *to, const struct conf_given *given, struct error *err)
{
    struct tap_conf *c = to;
    c->zone = given->text;
    return zone_check(given->text, given->label, err);
}
