/* SPDX-License-Identifier: Apache-2.0
 *
 * The declarations that all commands share: one function a command, which main.c calls, messages,
 * and the host's names (common.c).
 */
#pragma once

#include "base/error.h"
#include "proto/link.h"

enum {
    EXIT_USAGE = 2,
    EXIT_LIMIT = 3, /* a tap ended by itself: at its limit, … */
    EXIT_IDLE = 4,  /* … as nothing came any more */
};

int cmd_tap(int argc, char **argv);
int cmd_collector(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_meter(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_captures(int argc, char **argv);
int cmd_retrieve(int argc, char **argv);
int cmd_capabilities(int argc, char **argv);
int cmd_port(int argc, char **argv);
int cmd_service(int argc, char **argv);
int cmd_flow(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_objects(int argc, char **argv);

/* One line to standard error, "farspan tap: …". */
void say(const char *command, const char *fmt, ...) _printf_(2, 3);
/* As say, then what to do about it; returns EXIT_USAGE. */
int usage_error(const char *command, const char *fmt, ...) _printf_(2, 3);
/* All is printed: `status`, or EXIT_FAILURE with a sentence where standard output has not taken it.
 */
int end_output(const char *command, int status);
/* The host's name as a tap's or collector's: what LINK_NAME allows, at least "host". */
void host_name(char ret[LINK_NAME_MAX + 1]);
/* "Linux 6.1.0 x86_64" */
void system_words(char *ret, size_t cap);
