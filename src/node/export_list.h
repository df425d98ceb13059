/* SPDX-License-Identifier: Apache-2.0
 *
 * The collectors that a meter's records go to over the network, as the command line has them: from
 * its words to a socket, which takes privileges, and to an exporter (data/meter/network.h), which
 * is made in the engine.
 */
#pragma once

#include "base/parse.h"
#include "data/meter/network.h"

enum {
    EXPORT_LIST_MAX = EXPORTERS_MAX,
    EXPORT_RATE = 50000, /* records a second in datagrams, from a file */
    EXPORT_PORT_NETFLOW = 2055,
    EXPORT_PORT_IPFIX = 4739,
};

struct export_to {
    enum encode_form form;
    bool tcp;
    struct host_port at;
};

struct export_list {
    struct export_to to[EXPORT_LIST_MAX];
    unsigned n;
    bool has_rate;
    uint32_t rate;            /* of each, where has_rate: records a second; 0: as fast as it goes */
    struct sampling sampling; /* of the records, which each is told */
    uint32_t mark;            /* of what is sent (base/sockmark.h); 0: none */
    bool waits;               /* a file is read: the meter waits where a collector is slow */
    const char *user;         /* as whom names of hosts are looked up; NULL: the default */
};

/* Adds "HOST[:PORT]", before which "tcp:" may stand for IPFIX. -EINVAL, -ENOSPC with a sentence. */
int export_list_add(struct export_list *l, enum encode_form form, const char *text,
                    struct error *err);

/* Is its host a name, and no address? */
bool export_is_named(const struct export_to *to);
/* With privileges: a socket to collector `i`, whose name is looked up as a user without any. Of
 * several addresses, that of number `tried` (modulo their number) is the first to be tried. -errno
 * with a sentence. */
int export_list_open(const struct export_list *l, unsigned i, unsigned tried, int *ret_fd,
                     struct error *err);

/* The exporter to collector `i`, with its socket, which is owned then; `with`: fields of IPFIX
 * (enum ipfix_with). `each` as in
 * struct network_conf. -errno: it is not. */
int export_list_make(const struct export_list *l, unsigned i, int fd, unsigned with, bool each,
                     struct exporter **ret);
