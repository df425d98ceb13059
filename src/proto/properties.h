/* SPDX-License-Identifier: Apache-2.0
 *
 * Java's property files, as java.util.Properties.load(InputStream) is documented: a name, then '=',
 * ':' or a blank, and a value to the end of the line, which a backslash makes go on in the next;
 * escapes; Latin-1. Names and values are given as UTF-8. `farspan import` reads the settings of
 * other programs so; the names' meaning is theirs.
 *
 * Java takes all of that too, and these refuse it: files, names and values that are larger than the
 * limits here, the character 0, and the half of a character beyond U+FFFF without its other half. A
 * mark of UTF-8 at the beginning, which Java takes for a part of the first name, is skipped, and so
 * is a backslash alone at the end, which Java takes for a property without a name.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
    PROPERTIES_MAX = 64 << 10, /* bytes of a file */
    PROPERTIES_NAME_MAX = 64,  /* bytes of UTF-8, as below */
    PROPERTIES_VALUE_MAX = 4096,
};

/* A file that is being read. */
struct properties {
    struct rd in;
    unsigned next; /* the line that the cursor is in, from 1 */
    unsigned line; /* where the property of the last call begins, or the mistake that it told is */
};

struct property {
    char name[PROPERTIES_NAME_MAX + 1], value[PROPERTIES_VALUE_MAX + 1];
};

/* Borrows the bytes. -EFBIG or -EINVAL with a sentence: it is no such file as a whole. */
int properties_begin(struct properties *ret, const void *data, size_t len, struct error *err);

/* 1: *ret is the next property; 0: there is none; -EINVAL with a sentence: that property cannot be
 * read, and the next call goes on behind it. The same name may come several times: the last
 * holds for Java. */
int properties_next(struct properties *p, struct property *ret, struct error *err);
