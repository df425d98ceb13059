/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's wire format: pure codecs, no state and no cryptography. docs/protocol.md is the
 * specification; names here are the names there. Handshake messages set up keys, records carry
 * everything else: stream 0 of a session carries control records, every other stream carries the
 * frames of one observation point as a byte stream cut into segments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/batch.h"
#include "base/bytes.h"
#include "base/ledger.h"

enum {
    LINK_VERSION = 1,
    LINK_MAGIC = 0x46535031, /* "FSP1": the same in every version, so that versions can be told */

    LINK_HS_HEADER = 16,
    LINK_HELLO_LEN = 384, /* padded, so that no answer is larger than what asked for it */
    LINK_COOKIE_LEN = 16,
    LINK_COOKIE_AT = LINK_HELLO_LEN - LINK_COOKIE_LEN, /* in a HELLO */
    LINK_CONFIRM_LEN = 48,
    LINK_REJECT_LEN = 20,
    LINK_RECORD_HEADER = 16,
    LINK_RECORD_MIN = LINK_RECORD_HEADER + 1,
    LINK_SEGMENT_HEADER = 18,
    LINK_FRAME_EXT_MAX = 255,
    LINK_FRAME_HEADER_MAX = 26 + LINK_FRAME_EXT_MAX,
    LINK_FRAME_MIN = 8,      /* of a frame with its header: 7 and a byte */
    LINK_NO_FRAME = 0xffff,  /* segment.first: no frame starts here */
    LINK_DATAGRAM_MIN = 548, /* what any path carries: 576 less IPv4 and UDP headers */
    LINK_DATAGRAM_MAX = 65000,
    LINK_CONTROL_MAX = 1200, /* plaintext of a control record, but for PROBE's padding */
    LINK_CONTROL_FIT = 516,  /* the same where it must pass any path: LINK_DATAGRAM_MIN less header
                              * and tag */
    LINK_PROBE_LEN = 7,      /* of a PROBE without padding */
    LINK_PROBE_MAX = 8972,   /* UDP payload of a PROBE: 9000 less IPv4 and UDP headers */
    LINK_NAME_MAX = 32,
    LINK_STREAM_MAX = 4095,
    LINK_HS_DATA_MAX = 256,
};

enum link_type {
    LINK_HELLO = 1,
    LINK_ANSWER = 2,
    LINK_CONFIRM = 3,
    LINK_ACCEPT = 4,
    LINK_REJECT = 5,
    LINK_COOKIE = 6,
    LINK_RECORD = 16,
};

enum link_method {
    LINK_PLAIN = 0,
    LINK_CPACE = 1,
    LINK_NOISE = 2,
};

enum link_reason {
    LINK_REASON_VERSION = 1,  /* the sender's range of versions is in the message */
    LINK_REASON_METHOD = 2,   /* the other end is set up for another method */
    LINK_REASON_SECRET = 3,   /* wrong passphrase */
    LINK_REASON_KEY = 4,      /* this tap's key is not allowed */
    LINK_REASON_BUSY = 5,     /* too many attempts: later */
    LINK_REASON_SESSION = 6,  /* no such session: make a new one */
    LINK_REASON_RESOURCE = 7, /* cannot serve this tap, e.g. no device could be made for it */
};

enum link_close {
    LINK_CLOSE_END = 0,     /* who sends it ends */
    LINK_CLOSE_REVOKED = 1, /* collector: the tap's key is not allowed any more */
    LINK_CLOSE_CHANGED = 2, /* collector: its name or pre-shared key is another now: come again */
    LINK_CLOSE_LIMIT = 3,   /* tap: more was to be sent than its limit allows */
    LINK_CLOSE_IDLE = 4,    /* tap: nothing comes to its interfaces any more */
};

/* A handshake message of any type. `data` points into the datagram: what the method put there. */
struct link_hs {
    enum link_type type;
    uint8_t version;
    uint8_t method; /* enum link_method, unchecked: an unknown one is refused by the receiver */
    uint32_t sender, receiver; /* session indices; a HELLO's receiver: of a session that goes on */
    uint8_t min_version, max_version; /* HELLO, REJECT */
    uint16_t aeads;                   /* HELLO: bit n offers enum aead_alg n */
    uint8_t aead;                     /* ANSWER: the one chosen */
    uint8_t reason;                   /* REJECT: enum link_reason */
    const uint8_t *data;              /* COOKIE: the cookie */
    uint16_t data_len;                /* at most LINK_HS_DATA_MAX */
    const uint8_t *cookie;            /* HELLO: LINK_COOKIE_LEN bytes of a COOKIE; NULL: none */
};

/* Is this UDP payload a datagram of some farspan link, whoever's? By what stands in the clear: a
 * record's mark, a handshake message's magic. */
bool link_is_datagram(const uint8_t *d, size_t len);

/* The type of a datagram by its first bytes, or -EBADMSG: not ours at all. */
int link_peek(const uint8_t *d, size_t len);

/* Decodes HELLO to COOKIE. -EBADMSG: malformed; -EPROTONOSUPPORT: ours but of another version (then
 * only type, version, sender and receiver are set). */
int link_hs_decode(const uint8_t *d, size_t len, struct link_hs *ret);
/* Encodes; a HELLO is padded to LINK_HELLO_LEN. Returns the length, or -ENOBUFS. */
int link_hs_encode(const struct link_hs *m, uint8_t *out, size_t cap);
/* Puts a cookie into a HELLO that is encoded already. */
void link_hello_set_cookie(uint8_t hello[LINK_HELLO_LEN], const uint8_t cookie[LINK_COOKIE_LEN]);

struct link_record {
    uint16_t stream;
    uint32_t receiver;
    uint64_t counter;
};

/* The header is also the record's associated data. -EBADMSG also where the mark is wrong. */
int link_record_decode(const uint8_t *d, size_t len, struct link_record *ret);
/* Of the counter 48 bits are kept: who counts sees to it that there are no more. */
void link_record_encode(const struct link_record *r, uint8_t out[LINK_RECORD_HEADER]);
/* The mark: the other 16 bits, made of all the rest of the header, so that anyone can tell a record
 * of a link from other traffic. The multipliers are here for proto/bpfsel.c, which asks the same
 * question in the kernel. */
uint16_t link_record_mark(const struct link_record *r);
#define LINK_MARK_RECEIVER UINT32_C(0x9e3779b1)
#define LINK_MARK_LOW UINT32_C(0x85ebca6b)
#define LINK_MARK_START UINT32_C(0xc2b2ae35)
#define LINK_MARK_HIGH UINT32_C(0x27d4eb2f)
#define LINK_COUNTER_MAX ((UINT64_C(1) << 48) - 1) /* never used: nonces must not come again */
/* The record's nonce: the stream, then the counter; unique under one key. */
void link_record_nonce(const struct link_record *r, uint8_t ret[12]);

struct link_segment {
    uint16_t first;    /* where in the payload the first new frame's header starts, or NO_FRAME */
    uint64_t frame_no; /* number of the first frame that starts here, or of the next to start */
    int64_t base_ts;   /* what the frames' time offsets count from, ns since 1970 */
    const uint8_t *payload;
    uint32_t payload_len;
};

int link_segment_decode(const uint8_t *d, size_t len, struct link_segment *ret);
void link_segment_encode(const struct link_segment *s, uint8_t out[LINK_SEGMENT_HEADER]);

struct link_frame {
    uint32_t caplen, origlen;
    int64_t ts_ns;
    uint8_t dir;
    bool has_port;
    uint16_t port; /* which of the source's interfaces, where the source has several */
    /* The frame stands for so many, itself included; in what is encoded, 0 is 1. Only for a
     * collector whose INFO_ACK says that it understands weights. */
    uint32_t weight;
    /* Bytes for later versions, NULL without any; decoded, they point into the header. Only for a
     * collector whose INFO_ACK says that it passes them over. */
    const uint8_t *ext;
    uint8_t ext_len;
};

enum {
    LINK_EXT_RUNG = 1,  /* u8: the step of the tap's limit that begins with the frame; not 0 */
    LINK_EXT_FLOWS = 2, /* empty: it is no frame, but IPFIX messages with flow records. Only for a
                         * collector whose INFO_ACK says that it understands them */
};

/* That step, out of the extension; 0: there is none in it. */
uint8_t link_frame_rung(const struct link_frame *f);
/* Is it flow records? */
bool link_frame_is_flows(const struct link_frame *f);

/* Length of the header in [7, LINK_FRAME_HEADER_MAX], as far as its first `have` bytes (at least 1)
 * tell: more than `have` while there is more to come, and it is known once it is not. -EBADMSG. */
int link_frame_header_len(const uint8_t *d, size_t have);
/* Decodes a header, which has exactly `len` bytes. -EBADMSG when a length cannot be. */
int link_frame_decode(const uint8_t *d, size_t len, int64_t base_ts, struct link_frame *ret);
/* Returns the header's length. */
unsigned link_frame_encode(const struct link_frame *f, int64_t base_ts,
                           uint8_t out[LINK_FRAME_HEADER_MAX]);

/* ---- control records (stream 0) ---- */

enum link_control_type {
    LINK_INFO = 1,
    LINK_INFO_ACK = 2,
    LINK_STREAM = 3,
    LINK_STREAM_ACK = 4,
    LINK_REPORT = 5,
    LINK_CLOSE = 6,
    LINK_CLOSE_ACK = 7,
    LINK_PORT = 8,
    LINK_PROBE = 9,
    LINK_PROBE_ACK = 10,
    LINK_EVENT = 11,
    LINK_STREAM_END = 16,
};

struct link_text {
    const char *p; /* not terminated; points into the record */
    uint16_t len;
};

struct link_info {
    uint64_t tag;    /* the tap's logical session: the same over re-keying, new otherwise */
    int64_t started; /* wall time, ns */
    struct link_text name, host, software;
};

struct link_stream {
    uint16_t stream;
    uint32_t snaplen; /* 0: whole frames */
    uint64_t speed_bps;
    struct link_text ifname, filter;
    uint16_t
        linktype; /* of the interface, by pcapng's registry; frames come as Ethernet all the same */
    uint16_t arphrd;
};

struct link_port {
    uint16_t stream, port;
    struct link_text ifname;
};

struct link_stream_end {
    uint16_t stream;
    uint64_t frames, lost; /* tap: numbered, 0; collector: accounted for, and lost of these */
};

/* "How large a datagram arrives?": PROBE is padded with zeros up to its size. */
struct link_probe {
    uint32_t token; /* repeated by the answer */
    uint16_t size;  /* bytes of UDP payload, of the PROBE; PROBE_ACK: as it arrived */
};

struct link_info_ack {
    bool resumed; /* the session goes on; else it is new */
    bool probes;  /* the collector answers PROBE */
    bool weights,
        extensions; /* it understands the one in a frame's header, passes over the other */
    bool flows;     /* and it understands flow records in place of frames */
};

struct link_event {
    uint64_t life;   /* names the tap's process: its events are numbered from 1 on */
    uint64_t number; /* collector: the last that it knows */
    int64_t at;      /* wall time, ns */
    uint8_t kind;    /* enum history_kind; 0 in the collector's acknowledgment */
    struct link_text subject, words;
};

enum {
    LINK_REPORT_STREAMS = 3, /* at most so many in one record */
};

struct link_report_stream {
    uint16_t stream;
    uint64_t frames;    /* tap: numbered so far in this session; collector: accounted so far */
    uint64_t lost;      /* collector: of these, lost */
    uint64_t datagrams; /* tap: records sent on the stream in this session */
    bool has[LEDGER_COUNT];
    uint64_t n[LEDGER_COUNT]; /* the tap's ledger */
};

struct link_report {
    bool final;        /* the tap: no frame of these streams follows */
    int64_t now;       /* sender's wall time, ns */
    int64_t echo;      /* `now` of the last report received, 0: none */
    uint64_t echo_age; /* ns since that was received */
    int64_t steady;    /* a clock of the sender's that is never set, as it showed `now`, ns; 0: it
                        * is of an older version, or could not tell */
    uint16_t count;
    struct link_report_stream stream[LINK_REPORT_STREAMS];
};

struct link_control {
    uint8_t type; /* enum link_control_type; records of an unknown type are skipped by receivers */
    union {
        struct link_info info;
        struct link_info_ack ack;  /* INFO_ACK */
        struct link_stream stream; /* STREAM; STREAM_ACK: only .stream */
        struct link_port port;
        struct link_report report; /* REPORT */
        struct link_probe probe;   /* PROBE, PROBE_ACK */
        struct link_event event;
        struct link_stream_end end;
        uint8_t reason; /* CLOSE: enum link_close */
    };
};

/* -EBADMSG: malformed; -EOPNOTSUPP: of a type that this version does not know. */
int link_control_decode(const uint8_t *d, size_t len, struct link_control *ret);
/* Returns the length, or -ENOBUFS. `cap` is normally LINK_CONTROL_MAX. A PROBE's padding is its
 * sender's. */
int link_control_encode(const struct link_control *c, uint8_t *out, size_t cap);

/* A name of 1 to LINK_NAME_MAX characters out of [A-Za-z0-9._-]: safe in terminals and files. */
bool link_name_ok(const char *p, size_t len);
