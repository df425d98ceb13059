/* SPDX-License-Identifier: Apache-2.0
 *
 * The programs on this host, asked for their documents through their status sockets
 * (node/status_socket.h) for `farspan status`.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

/* Adds the documents of all taps and collectors of this user to the array `all`, or that of the one
 * that `name` names: a path, where it has a slash. -errno with a sentence if there is none. */
int status_ask(const char *name, json_t *all, struct error *err);
