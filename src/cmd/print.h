/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's document as people read it: a line a stage, what came in, what went on, and each
 * drop that happened by its reason. `farspan status` prints it.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* A document of a tap or of a collector as a table for people. */
void print_report(const json_t *doc, FILE *to);
/* A meter's document: what became of the file's packets, and of the records. */
void print_meter(const json_t *doc, FILE *to);
