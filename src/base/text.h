/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that others chose, made fit for terminals, logs and JSON. Names of interfaces are bytes
 * without an encoding; what a tap says of itself may be anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_ESCAPE = 4, /* bytes that one byte may become */
};

/* Two small digits for each byte, and the end: `to` has 2 n + 1 bytes. */
void text_hex(char *to, const uint8_t *bytes, size_t n);

/* For names, where they come in or are shown: what is no printable ASCII, and the backslash,
 * becomes \xNN, so that two names never become one and each can be read back. Cut before an escape
 * that has no room; `to` is terminated. */
void text_name(char *to, size_t cap, const char *from, size_t len);

/* The bytes of a name that text_name() has made, which end with 0. How many there are, or -EINVAL:
 * it makes no such text, or they are more than `to` has room for, or have a 0 in them. */
int text_name_read(char *to, size_t cap, const char *from);

/* For whole sentences, where they are shown, with names in them that are escaped already: only what
 * a terminal could take for anything but a character, and bytes that are not UTF-8, become \xNN.
 * Valid UTF-8 and backslashes stay. */
void text_line(char *to, size_t cap, const char *from);
/* Would text_line() leave it as it is? */
bool text_is_clean(const char *text);
