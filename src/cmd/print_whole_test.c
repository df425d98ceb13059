/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole documents, with all that they can have, as people read them: tests/data/print has each, and
 * the text that it is to become.
 */
#include "cmd/test_golden.h"

#include <time.h>

#include "cmd/print.h"

static void prints(const char *document, const char *as)
{
    static char json[GOLDEN_TEXT];
    char *text = NULL;
    size_t len = 0;
    json_error_t error;
    golden_read(document, json);
    json_t *doc = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    if (!doc) {
        fail_msg("%s, line %d: %s", document, error.line, error.text);
    }
    FILE *to = open_memstream(&text, &len);
    print_report(doc, to);
    fclose(to);
    json_decref(doc);
    golden_equal(as, text);
    free(text);
}

static void whole_documents(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    prints("print/tap.json", "print/tap.txt");
    prints("print/collector.json", "print/collector.txt");
    prints("print/meter.json", "print/meter.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
