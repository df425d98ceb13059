/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of `farspan serve` that are read again while it runs (cmd/reload.h): the broker reads them
 * once, and then each role gets the same.
 */
#pragma once

#include "cmd/serve_roles.h"

/* The operations of a broker, and of each role. */
extern const struct reload_ops serve_reload_ops, serve_reload_data_ops, serve_reload_control_ops;

/* A hangup() of struct roles_conf; `owner` is a struct serve_command. What came of it is told. */
bool serve_reread(void *owner);
/* In a role: has the line be the one that the broker has read. False: it is the one before, and why
 * is told. */
bool serve_reload_take(struct serve_process *p, const struct reload_ops *ops);
