/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of texts in one text: a JSON array of strings without blanks, `["eth0","web1:eth0"]`, as
 * values of the type FIELD_TEXTS are kept. Texts have no control characters, so that only quotes
 * and backslashes are escaped, and each list has one form.
 */
#pragma once

#include <stddef.h>

enum {
    TEXTS_ITEM = 256, /* bytes of one of them, its end included */
};

#define TEXTS_NONE "[]"

/* Adds one at the end of the list in `buf`, which begins as TEXTS_NONE. -EINVAL: it is empty, too
 * long, or has control characters or bytes that are not UTF-8; -EMSGSIZE: no room. */
int texts_add(char *buf, size_t cap, const char *item);
/* The next one: 1; 0: there is none; -EINVAL: the text is no such list. *at begins at the list's
 * beginning. */
int texts_next(const char **at, char ret[TEXTS_ITEM]);
/* How many there are, or -EINVAL: it is no such list. */
int texts_count(const char *list);
