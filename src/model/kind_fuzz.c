/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as an id, as a time, as a list and as each field of each kind. A value that is accepted
 * passes its check, and is read as the same value from its plain form.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/kinds.h"
#include "model/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void id(const char *text)
{
    uint8_t bytes[UUID_BYTES], again[UUID_BYTES];
    char plain[UUID_TEXT];
    if (uuid_parse(text, bytes) == 0) {
        uuid_text(bytes, plain);
        int r = uuid_parse(plain, again);
        assert(r == 0 && memcmp(bytes, again, sizeof(bytes)) == 0);
        (void)r;
    }
}

static void moment(const char *text)
{
    const int64_t now = INT64_C(1763647390) * 1000000000;
    int64_t ns = 0, again = 0;
    char plain[TIME_TEXT];
    if (time_parse(text, now, &ns) == 0) {
        assert(ns >= 0 && ns < TIME_TEXT_END);
        time_text(ns, plain);
        int r = time_parse_rfc3339(plain, &again);
        assert(r == 0 && ns == again);
        (void)r;
    }
}

static void list(const char *text)
{
    char again[KIND_TEXT_MAX * 2] = TEXTS_NONE, item[TEXTS_ITEM];
    if (strlen(text) < KIND_TEXT_MAX && texts_count(text) >= 0) {
        for (const char *at = text; texts_next(&at, item) == 1;) {
            int r = texts_add(again, sizeof(again), item);
            assert(r == 0);
            (void)r;
        }
        assert(strcmp(text, again) == 0); /* a list has one form */
    }
}

static void any_field(const struct field *f, const char *text)
{
    struct value v = {0}, again = {0};
    struct error err = {""};
    char plain[40];
    if (field_parse(f, text, &v, &err) < 0) {
        assert(strncmp(err.text, f->name, strlen(f->name)) == 0 && !v.set && !v.text);
        assert(text_is_clean(err.text));
        return;
    }
    int r = field_check(f, &v, NULL);
    assert(r == 0);
    if (!field_is_text(f)) {
        snprintf(plain, sizeof(plain), "%" PRId64, v.n);
        f->type == FIELD_TIME ? time_text(v.n, plain) : (void)0;
        r = field_parse(f, f->type == FIELD_BOOL ? (v.n ? "true" : "false") : plain, &again, NULL);
        assert(r == 0 && value_compare(f, &v, &again) == 0);
    }
    (void)r;
    value_done(&v);
    value_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    id(text);
    moment(text);
    list(text);
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < kinds[k]->n; i++) {
            any_field(&kinds[k]->field[i], text);
        }
    }
    free(text);
    return 0;
}
