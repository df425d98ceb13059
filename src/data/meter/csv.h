/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that writes records into a file or a pipe, as comma-separated values
 * (proto/flowcsv.h). It waits for the reader of a pipe.
 */
#pragma once

#include "data/meter/exporter.h"

/* The descriptor is open for writing, and is closed with the exporter; `name` is for sentences.
 * -ENOMEM: it stays open. */
int csv_exporter_new(int fd, const char *name, struct exporter **ret);
