/* SPDX-License-Identifier: Apache-2.0
 *
 * The program that the build runs to write down the commands' options: the completions, and the
 * lists in the manual pages. It is not installed.
 */
#pragma once

#include <stdio.h>

#include "cmd/commands.h"

/* The only values that the row has, with blanks between them. */
void describe_words(const struct conf_row *row, FILE *to);
/* Completions of these commands. */
void describe_bash(const struct command *all, size_t n, FILE *to);
void describe_zsh(const struct command *all, size_t n, FILE *to);
/* Copies a page in scdoc(5)'s language, with the command's options in place of a line @OPTIONS@. */
void describe_manual(const struct command *c, FILE *from, FILE *to);
