/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that writes IPFIX messages into a file (RFC 5655). The records are of observation
 * domain 1, the names of interfaces of domain 0 (proto/ipfix.h), each before its first record.
 */
#pragma once

#include "data/meter/exporter.h"

/* The descriptor is open for writing, and is closed with the exporter; `name` is for sentences,
 * `with` for the fields of records (enum ipfix_with).
 * -ENOMEM: it stays open. */
int ipfix_file_exporter_new(int fd, const char *name, unsigned with, struct exporter **ret);
