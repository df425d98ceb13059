/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole documents, with all that they can have, as people read them: tests/data/print has each, and
 * the text that it is to become. With FARSPAN_PRINT the texts are printed instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cmd/print.h"

enum {
    TEXT = 65536,
};

static void name_of(char *ret, size_t len, const char *what)
{
    const char *source = getenv("FARSPAN_SOURCE");
    (void)snprintf(ret, len, "%s/tests/data/print/%s", source ? source : ".", what);
}

/* The file's bytes, as a string. */
static void read_text(const char *what, char ret[TEXT])
{
    char path[512];
    name_of(path, sizeof(path), what);
    FILE *f = fopen(path, "r");
    if (!f) {
        fail_msg("cannot read %s", path);
    }
    ret[fread(ret, 1, TEXT - 1, f)] = '\0';
    fclose(f);
}

static void prints(const char *document, const char *as)
{
    static char want[TEXT], json[TEXT];
    char *text = NULL;
    size_t len = 0;
    json_error_t error;
    read_text(document, json);
    json_t *doc = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    if (!doc) {
        fail_msg("%s, line %d: %s", document, error.line, error.text);
    }
    FILE *to = open_memstream(&text, &len);
    print_report(doc, to);
    fclose(to);
    json_decref(doc);
    if (getenv("FARSPAN_PRINT")) {
        printf("== %s\n%s", as, text);
    } else {
        read_text(as, want);
        assert_string_equal(text, want);
    }
    free(text);
}

static void whole_documents(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    prints("tap.json", "tap.txt");
    prints("collector.json", "collector.txt");
    prints("meter.json", "meter.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
