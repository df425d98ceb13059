/* SPDX-License-Identifier: Apache-2.0
 *
 * IPFIX messages (RFC 7011) read from memory: flow records of whatever exporter, by the templates
 * that stand before them. ipfix.h writes such messages. All of it comes from the network: nothing
 * is believed beyond its own bytes, and what is kept is bounded. Pure.
 *
 * Elements that have a place in struct flowrec are read, numbers also in fewer bytes than their
 * type has (RFC 7011, section 6.2); all others are passed over, and so is an element whose length
 * cannot be that of its type. Of elements that a template has twice the first one counts. A field
 * for which a record has no element is 0.
 *
 * Times are those of the finest unit that the template has; they are of 1970 to 2106 where NTP's
 * form tells no more. Where a template has the other direction's figures (RFC 5103), but no times
 * of it, the record's times are of both directions; either direction may be the one without
 * packets. Without a word about who began, it was the source. VLANs are those two whose elements
 * are not 0, and ICMP has no source port.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/flowrec.h"

enum {
    IPFIX_READ_TEMPLATES = 16, /* at a time, of all observation domains */
    IPFIX_READ_FIELDS = 64,    /* of a template */
    IPFIX_READ_HEAD = 4,       /* bytes of a message that tell its length */
};

struct ipfix_read_counts {
    uint64_t messages; /* read to their ends */
    uint64_t records;  /* given */
    uint64_t skipped;  /* data records that were read, but not given */
};

/* Reads messages that lie one behind the other. Templates are those within these bytes, each in its
 * observation domain. Each flow record is given, in order; it belongs to the caller until each()
 * returns.
 *
 * Data records of options are skipped, and so are those that hold no flow: without a version of IP
 * that is 4 or 6, which the addresses tell where no element does, without packets in either
 * direction, with more than LEDGER_MOST packets or bytes, or with times that cannot be: the last
 * before the first, or beyond int64_t.
 *
 * Returns 0, or -EBADMSG where something cannot be read: the rest is left then, and whole records
 * before it have been given. These are a message of another version or shorter than its header, a
 * set shorter than its header, whatever the bytes end within, data without a template or without a
 * record, and templates that are too many, too long or of records without a byte. *ret is filled in
 * either case. */
int ipfix_read(const uint8_t *bytes, size_t len, void (*each)(void *user, const struct flowrec *r),
               void *user, struct ipfix_read_counts *ret);

/* Messages that come in pieces, as of a file that is too long for memory: templates are kept from
 * one piece to the next. NULL: memory is short. */
struct ipfix_reader;
struct ipfix_reader *ipfix_reader_new(void);
/* Takes NULL. */
void ipfix_reader_free(struct ipfix_reader *x);
/* The length of the message that begins so, its header included; 0: none begins so. */
size_t ipfix_message_len(const uint8_t head[IPFIX_READ_HEAD]);
/* Whole messages, as ipfix_read() reads them. */
int ipfix_reader_take(struct ipfix_reader *x, const uint8_t *bytes, size_t len,
                      void (*each)(void *user, const struct flowrec *r), void *user);
