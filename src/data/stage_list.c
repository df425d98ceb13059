/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stage_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

static const struct {
    const char *name, *form;
    int (*read)(const char *text, void **ret, struct error *err);
    int (*make)(const void *wish, struct stage **ret);
} kinds[STAGE_KINDS] = {
#define USER(X, ID, name, kind, code, key, words, form, help)                                      \
    [STAGE_##ID] = {#name, form, name##_stage_read, name##_stage_new},
    STAGE_LIST(STAGE_NO_OWN, USER, )
#undef USER
};

/* There is no such stage: the sentence says which there are. */
static int unknown(const char *word, struct error *err)
{
    const char *names[STAGE_KINDS + 1] = {NULL};
    char all[256] = "";
    size_t n = 0;
    for (unsigned k = 0; k < STAGE_KINDS; k++) {
        if (kinds[k].name) {
            size_t len = strlen(all);
            snprintf(all + len, sizeof(all) - len, "%s%s", n > 0 ? ", " : "", kinds[k].name);
            names[n++] = kinds[k].name;
        }
    }
    const char *near = conf_nearest_word(word, names);
    return near ? error_set(err, EINVAL, "there is no stage \"%s\"; did you mean %s?", word, near)
                : error_set(err, EINVAL, "there is no stage \"%s\", but: %s", word, all);
}

static int read_words(const char *text, struct stage_spec *ret, struct error *err)
{
    char word[CONF_WORD];
    text += strspn(text, " \t");
    size_t len = strcspn(text, " \t");
    if (len == 0) {
        return error_set(err, EINVAL, "a stage is wanted, such as \"slice 128\"");
    }
    snprintf(word, sizeof(word), "%.*s", (int)MIN(len, sizeof(word)), text);
    text += len;
    text += strspn(text, " \t");
    for (unsigned k = 0; k < STAGE_KINDS; k++) {
        if (kinds[k].name && strcmp(kinds[k].name, word) == 0) {
            struct error why = {""};
            ret->kind = (enum stage_kind)k;
            int r = kinds[k].read(text, &ret->wish, &why);
            return r < 0 ? error_set(err, -r, "%s (%s)", why.text, kinds[k].form) : 0;
        }
    }
    return unknown(word, err);
}

int stage_list_add(struct stage_list *l, const char *text, struct error *err)
{
    struct stage_spec s = {0};
    if (strlen(text) > STAGE_LEN_MAX) {
        return error_set(err, EINVAL, "a stage of more than %d characters", STAGE_LEN_MAX);
    }
    if (l->n == STAGE_LIST_MAX) {
        return error_set(err, EINVAL, "at most %d stages", STAGE_LIST_MAX);
    }
    int r = read_words(text, &s, err);
    if (r < 0) {
        return r;
    }
    s.text = strdup(text);
    if (!s.text) {
        free(s.wish);
        return error_sys(err, ENOMEM, "stage \"%s\"", text);
    }
    l->spec[l->n++] = s;
    return 0;
}

int stage_list_make(const struct stage_spec *s, struct stage **ret)
{
    return kinds[s->kind].make(s->wish, ret);
}

void stage_list_done(struct stage_list *l)
{
    for (unsigned i = 0; i < l->n; i++) {
        free(l->spec[i].wish);
        free(l->spec[i].text);
    }
    *l = (struct stage_list){0};
}
