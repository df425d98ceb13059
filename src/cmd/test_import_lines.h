/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines that `farspan import` may print, for its tests.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/conf_file.h"
#include "base/text.h"

/* Each line is one that this command means to print. */
static inline void assert_lines(const char *out)
{
    static const char *const names[] = {"interface",
                                        "filter",
                                        "collector",
                                        "key-file",
                                        "rate",
                                        "check-interval",
                                        "breach-intervals",
                                        "on-limit",
                                        "max-idle",
                                        "max-restarts",
                                        "business-hours",
                                        "bind",
                                        "port",
                                        "log-interval",
                                        "to"};
    static const char *const sections[] = {"[tap]", "[collector]", "[output ivtap]", "[describe]"};
    unsigned begun = 0, seen = 0;
    bool describes = false;
    while (*out) {
        const size_t n = strcspn(out, "\n");
        char line[CONF_LINE_MAX + 1];
        assert_int_equal(out[n], '\n');
        assert_true(n <= CONF_LINE_MAX);
        memcpy(line, out, n);
        line[n] = '\0';
        out += n + 1;
        assert_true(text_is_clean(line));
        if (line[0] == '#') {
            continue;
        }
        unsigned begins = 0;
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
            begins |= strcmp(sections[i], line) == 0 ? 1U << i : 0;
        }
        if (begins != 0) {
            assert_false(begun & begins); /* each once at most */
            begun |= begins;
            describes = begins == 1U << 3;
            seen &= begins == 1 || begins == 2 ? 0 : seen; /* names are of their section */
            continue;
        }
        assert_non_null(strstr(line, " = "));
        if (describes) {
            continue;
        }
        *strstr(line, " = ") = '\0';
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            bit |= strcmp(names[i], line) == 0 ? 1U << i : 0;
        }
        assert_true(bit != 0 && !(seen & bit)); /* each once at most */
        seen |= bit;
    }
}
