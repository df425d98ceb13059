/* SPDX-License-Identifier: Apache-2.0
 *
 * An object of a service, a field a line (client.h).
 */
#include <stdlib.h>

#include "base/text.h"
#include "cmd/client.h"

enum {
    WHOLE = 8192, /* of a field */
    DEPTH = 3,    /* of what is in a field; below it stands JSON */
};

static void put(FILE *to, const json_t *value, unsigned depth);

static void put_json(FILE *to, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    fputs(text ? text : "?", to);
    free(text);
}

static void put_array(FILE *to, const json_t *array, unsigned depth)
{
    size_t i;
    const json_t *value;
    json_array_foreach(array, i, value)
    {
        fputs(i == 0 ? "" : json_is_object(value) ? "; " : " ", to);
        put(to, value, depth);
    }
}

static void put_object(FILE *to, const json_t *object, unsigned depth)
{
    const char *name, *between = "";
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        fprintf(to, "%s%s ", between, name);
        put(to, value, depth);
        between = ", ";
    }
}

static void put(FILE *to, const json_t *value, unsigned depth)
{
    if (json_is_string(value)) {
        fputs(json_string_value(value), to);
    } else if (json_is_array(value) && depth > 0) {
        put_array(to, value, depth - 1);
    } else if (json_is_object(value) && depth > 0) {
        put_object(to, value, depth - 1);
    } else {
        put_json(to, value);
    }
}

void client_whole(const json_t *o, FILE *to)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)o, name, value)
    {
        char *raw = NULL, line[WHOLE], label[64];
        size_t len = 0;
        FILE *f = json_is_null(value) ? NULL : open_memstream(&raw, &len);
        if (f) {
            put(f, value, DEPTH);
            (void)fclose(f);
            text_line(line, sizeof(line), raw ? raw : "");
            text_line(label, sizeof(label), name);
            fprintf(to, "%-12s %s\n", label, line[0] ? line : "-");
        }
        free(raw);
    }
}
