/* SPDX-License-Identifier: Apache-2.0 */
#include "data/output_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *scheme, *form; /* NULL: there is no such output of -o */
    output_read *read;
    output_open *open;
} kinds[OUTPUT_KINDS] = {
#define USER(X, ID, name, scheme, form, help)                                                      \
    [OUTPUT_##ID] = {scheme, form, name##_output_read, name##_output_open},
    OUTPUT_LIST(OUTPUT_NO_OWN, USER, )
#undef USER
};

/* The kind whose scheme the words begin with, OUTPUT_KINDS if there is none. */
static unsigned kind_of(const char *text)
{
    unsigned found = OUTPUT_KINDS;
    for (unsigned k = 0; k < OUTPUT_KINDS; k++) {
        const char *scheme = kinds[k].scheme;
        if (scheme && strncmp(text, scheme, strlen(scheme)) == 0 &&
            (found == OUTPUT_KINDS || strlen(scheme) > strlen(kinds[found].scheme))) {
            found = k;
        }
    }
    return found;
}

static int read_words(const char *text, struct output_spec *ret, struct error *err)
{
    struct error why = {""};
    unsigned k = kind_of(text);
    if (k == OUTPUT_KINDS) {
        return error_set(err, EINVAL, "there is no such output");
    }
    ret->kind = (enum output_kind)k;
    int r = kinds[k].read(text + strlen(kinds[k].scheme), &ret->own, &why);
    return r < 0 ? error_set(err, -r, "%s (%s%s)", why.text, kinds[k].scheme, kinds[k].form) : 0;
}

int output_list_add(struct output_list *l, const char *text, struct error *err)
{
    struct output_spec s = {0};
    if (strlen(text) > OUTPUT_LEN_MAX) {
        return error_set(err, EINVAL, "an output of more than %d characters", OUTPUT_LEN_MAX);
    }
    if (l->n == OUTPUT_LIST_MAX) {
        return error_set(err, EINVAL, "at most %d outputs", OUTPUT_LIST_MAX);
    }
    for (unsigned i = 0; i < l->n; i++) {
        if (strcmp(l->spec[i].text, text) == 0) {
            return error_set(err, EINVAL, "it is there twice");
        }
    }
    int r = read_words(text, &s, err);
    if (r < 0) {
        return r;
    }
    s.text = strdup(text);
    if (!s.text) {
        free(s.own);
        return error_sys(err, ENOMEM, "output \"%s\"", text);
    }
    l->spec[l->n++] = s;
    return 0;
}

int output_list_open(const struct output_spec *s, const struct resolve_conf *names, int *ret_fd,
                     struct error *err)
{
    *ret_fd = -1;
    return kinds[s->kind].open(s->own, names, ret_fd, err);
}

bool output_spec_same(const struct output_spec *a, const struct output_spec *b)
{
    const char *one = a->name ? a->name : a->text, *other = b->name ? b->name : b->text;
    return strcmp(a->text, b->text) == 0 && strcmp(one, other) == 0 && a->queue == b->queue;
}

void output_list_done(struct output_list *l)
{
    for (unsigned i = 0; i < l->n; i++) {
        free(l->spec[i].own);
        free(l->spec[i].text);
        free(l->spec[i].name);
    }
    *l = (struct output_list){0};
}
