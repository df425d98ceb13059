/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's words for taps, by the tap's name or its address: the section [describe] of a
 * collector's configuration file. Pure.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

enum {
    DESCRIBE_MAX = 4096, /* taps that can be described */
    DESCRIBE_TEXT = 128, /* bytes of a description */
};

struct describe_list {
    struct describe_entry *at; /* in the order of their names */
    size_t n, room;
};

/* Adds a description, cleaned text in UTF-8; quotation marks around it are taken off. `name` is a
 * tap's name, or an IPv4 or IPv6 address without a port. -EINVAL, -EEXIST, -ENOSPC or -ENOMEM with
 * a sentence. */
int describe_add(struct describe_list *l, const char *name, const char *text, struct error *err);

/* The words for a tap of that name or, where there are none, at that address ("192.0.2.7:1234",
 * "[2001:db8::1]:1234"); NULL: there are none. They live as long as the list. */
const char *describe_find(const struct describe_list *l, const char *name, const char *address);

void describe_done(struct describe_list *l);
