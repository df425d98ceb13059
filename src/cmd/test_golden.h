/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: texts that are compared as a whole with files of tests/data. With FARSPAN_PRINT
 * they are printed instead, to be looked at and put there.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    GOLDEN_TEXT = 65536,
};

/* The bytes of that file below tests/data, as a string. */
static inline void golden_read(const char *file, char ret[GOLDEN_TEXT])
{
    char path[512];
    const char *source = getenv("FARSPAN_SOURCE");
    (void)snprintf(path, sizeof(path), "%s/tests/data/%s", source ? source : ".", file);
    FILE *f = fopen(path, "r");
    if (!f) {
        fail_msg("cannot read %s", path);
    }
    ret[fread(ret, 1, GOLDEN_TEXT - 1, f)] = '\0';
    fclose(f);
}

static inline void golden_equal(const char *file, const char *text)
{
    static char want[GOLDEN_TEXT];
    if (getenv("FARSPAN_PRINT")) {
        printf("== %s\n%s", file, text);
    } else {
        golden_read(file, want);
        assert_string_equal(text, want);
    }
}
