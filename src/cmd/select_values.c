/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/select_values.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/cleanup.h"
#include "node/selection.h"

int select_set_interface(void *to, const struct conf_given *given, struct error *err)
{
    struct selection *s = to;
    const char *name = given->text;
    for (unsigned i = 0; i < s->n_words; i++) {
        if (strcmp(s->word[i].text, name) == 0) {
            return error_set(err, EINVAL, "%s %s is given twice", given->label, name);
        }
    }
    if (s->n_words == SELECTION_GIVEN) {
        return error_set(err, EINVAL,
                         "%s at most %d times; a pattern matches many, \"any\" taps all",
                         given->label, SELECTION_GIVEN);
    }
    bool any = strcmp(name, "any") == 0; /* as it is for tcpdump */
    const char *pattern = any ? "*" : strpbrk(name, "*?[") ? name : NULL;
    if (name[0] == '\0' || (!pattern && strlen(name) >= IFNAMSIZ)) {
        return error_set(err, EINVAL, "%s \"%s\" is no interface's name: 1 to %d characters",
                         given->label, name, IFNAMSIZ - 1);
    }
    s->word[s->n_words++] = (struct selection_word){name, pattern, any};
    return 0;
}

int select_set_direction(void *to, const struct conf_given *given, struct error *err)
{
    static const struct {
        const char *word;
        enum frame_dir dir;
    } words[] = {{"both", FRAME_DIR_UNKNOWN}, {"in", FRAME_DIR_IN}, {"out", FRAME_DIR_OUT}};
    struct selection *s = to;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(given->text, words[i].word) == 0) {
            s->dir = words[i].dir;
            return 0;
        }
    }
    return error_set(err, EINVAL, "%s is in, out or both, not \"%s\"", given->label, given->text);
}

int select_set_vlans(void *to, const struct conf_given *given, struct error *err)
{
    struct selection *s = to;
    s->has_vlans = true;
    return parse_vlan_list(given->text, &s->vlans, err);
}

int select_set_ring(void *to, const struct conf_given *given, struct error *err)
{
    struct selection *s = to;
    uint32_t kib = 0;
    int r = conf_u32(&kib, given, err);
    s->ring_bytes = r < 0 ? s->ring_bytes : kib << 10;
    return r;
}
