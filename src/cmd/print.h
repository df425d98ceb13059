/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's document as people read it: a line a stage, what came in, what went on, and each
 * drop that happened by its reason. `farspan status` prints it.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* A document of a tap, a collector or a meter as a table for people. */
void print_report(const json_t *doc, FILE *to);
