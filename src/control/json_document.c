/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json_document.h"

#include <errno.h>

#include "base/text.h"

/* Bounds of a document before it is parsed: the parser calls itself for each level, and compares
 * keys that collide. */
static int check_size(const char *p, size_t len, struct error *err)
{
    size_t depth = 0, commas = 0;
    bool string = false;
    for (size_t i = 0; i < len; i++) {
        if (string) {
            string = p[i] != '"';
            i += p[i] == '\\'; /* the character behind it ends nothing */
            continue;
        }
        string = p[i] == '"';
        commas += p[i] == ',';
        depth += p[i] == '{' || p[i] == '[';
        depth -= (p[i] == '}' || p[i] == ']') && depth > 0;
        if (depth > JSON_DEPTH) {
            return error_set(err, EINVAL, "the document is nested deeper than %d levels",
                             JSON_DEPTH);
        }
    }
    if (commas > JSON_COMMAS) {
        return error_set(err, EINVAL, "the document has more than %d values", JSON_COMMAS);
    }
    return 0;
}

/* A sentence out of the parser's, in which a client's bytes may stand. */
static int not_json(const json_error_t *e, struct error *err)
{
    char line[160];
    if (json_error_code(e) == json_error_out_of_memory) {
        return error_set(err, ENOMEM, "memory is short");
    }
    text_line(line, sizeof(line), e->text);
    return error_set(err, EINVAL, "%s: line %d, column %d: %s",
                     json_error_code(e) == json_error_duplicate_key ? "a field stands there twice"
                                                                    : "the document is not JSON",
                     e->line, e->column, line);
}

int json_document(const void *bytes, size_t len, json_t **ret, struct error *err)
{
    json_error_t e;
    const int r = check_size(bytes, len, err);
    if (r < 0) {
        return r;
    }
    json_t *document = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!document) {
        return not_json(&e, err);
    }
    *ret = document;
    return 0;
}
