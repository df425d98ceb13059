/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that writes IPFIX messages into a file (RFC 5655). The records are of observation
 * domain 1, or each of that which has its interface's number (data/meter/streams.h); the names of
 * interfaces are of domain 0 (proto/ipfix.h), each before its first record.
 */
#pragma once

#include "data/meter/exporter.h"
#include "proto/sampling.h"

/* The descriptor is open for writing, and is closed with the exporter; `name` is for sentences,
 * `with` for the fields of records (enum ipfix_with); `each`: of the interfaces, a domain; `live`:
 * as in outfile.h; the sampling is declared before the first record. -ENOMEM: it stays open. */
int ipfix_file_exporter_new(int fd, const char *name, unsigned with, bool each, bool live,
                            const struct sampling *sampling, struct exporter **ret);
