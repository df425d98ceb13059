/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of kinds, and names for their fields' numbers. A kind is a file, as model/kind_port.c,
 * and a row of the list, of which the build knows the file; the store, the API and clients walk
 * through the list and know no kind by name unless they do something with it that only this kind
 * has.
 */
#pragma once

#include "model/kind.h"

/* X(port): model/kind_port.c has the table kind_port. */
#define KINDS_EACH(X)                                                                              \
    X(capture)                                                                                     \
    X(token)                                                                                       \
    X(port)                                                                                        \
    X(tap_service)                                                                                 \
    X(tap_flow)

#define KINDS_ONE(name) +1
#define KINDS_DECLARE(name) extern const struct kind kind_##name;

enum {
    KINDS = KINDS_EACH(KINDS_ONE),
    CAPTURE_POINTS = 16,
    TAP_NAME_MAX = 255,
    TAP_PORT_MAX = 129,
    TAP_REASON_MAX = 255,
    TAP_VLANS_MAX = 8191,
};

#define CAPTURE_LENGTH_MAX_NS (INT64_C(24) * 3600 * 1000000000)      /* from start to stop */
#define CAPTURE_AHEAD_MAX_NS (INT64_C(366) * 24 * 3600 * 1000000000) /* from now to start */
#define CAPTURE_BYTES_MAX INT64_C(10000000000)

extern const struct kind *const kinds[KINDS];
KINDS_EACH(KINDS_DECLARE)

/* By its name or its plural; NULL: there is none. */
const struct kind *kinds_find(const char *name);

enum capture_field {
    CAPTURE_F_TYPE = FIELDS_COMMON,
    CAPTURE_F_POINTS,
    CAPTURE_F_FILTER,
    CAPTURE_F_SNAPLEN,
    CAPTURE_F_DIRECTION,
    CAPTURE_F_VLANS,
    CAPTURE_F_PERIOD,
    CAPTURE_F_START,
    CAPTURE_F_STOP,
    CAPTURE_F_LIMIT_BYTES,
    CAPTURE_F_LIMIT_FRAMES,
    CAPTURE_F_STATE,
    CAPTURE_F_CODE,
    CAPTURE_F_REASON,
    CAPTURE_F_BEGAN,
    CAPTURE_F_ENDED,
    CAPTURE_F_FRAMES,
    CAPTURE_F_BYTES,
    CAPTURE_F_OFFERED,
    CAPTURE_F_UNWANTED,
    CAPTURE_F_DROPPED,
    CAPTURE_F_COVERED,
    CAPTURE_F_GAPS,
    CAPTURE_F_SHA256,
    CAPTURE_F_OPENTAP_ID,
    CAPTURE_F_PROGRESS,
    CAPTURE_FIELDS,
};

/* The words of their fields, in order. */
enum capture_type {
    CAPTURE_PACKET,
    CAPTURE_NETFLOW,
    CAPTURE_ETHERNET,
};

enum capture_state {
    CAPTURE_SCHEDULED,
    CAPTURE_RUNNING,
    CAPTURE_FINISHING,
    CAPTURE_DONE,
    CAPTURE_FAILED,
    CAPTURE_CANCELLED,
};

enum token_field {
    TOKEN_F_NAME = FIELDS_COMMON,
    TOKEN_F_ROLE,
    TOKEN_F_EXPIRES,
    TOKEN_F_REVOKED,
    TOKEN_F_HASH,
    TOKEN_FIELDS,
};

enum token_role {
    TOKEN_READ,
    TOKEN_CAPTURE,
    TOKEN_ADMIN,
};

enum port_field {
    PORT_F_AGENT = FIELDS_COMMON,
    PORT_F_NETNS,
    PORT_F_NAME,
    PORT_F_ALIAS,
    PORT_F_IFINDEX,
    PORT_F_MTU,
    PORT_F_UP,
    PORT_F_CARRIER,
    PORT_F_MAC,
    PORT_F_SPEED,
    PORT_F_THERE,
    PORT_F_SEEN,
    PORT_F_FACING,
    PORT_F_FACES,
    PORT_F_CLAIM,
    PORT_F_CLAIM_WORDS,
    PORT_FIELDS,
};

enum tap_service_field {
    TAP_SERVICE_F_NAME = FIELDS_COMMON,
    TAP_SERVICE_F_DESCRIPTION,
    TAP_SERVICE_F_PORT,
    TAP_SERVICE_F_FRAMES,
    TAP_SERVICE_F_STATUS,
    TAP_SERVICE_F_STATUS_REASON,
    TAP_SERVICE_F_LEAVES,
    TAP_SERVICE_FIELDS,
};

enum tap_flow_field {
    TAP_FLOW_F_NAME = FIELDS_COMMON,
    TAP_FLOW_F_DESCRIPTION,
    TAP_FLOW_F_SOURCE,
    TAP_FLOW_F_SERVICE,
    TAP_FLOW_F_DIRECTION,
    TAP_FLOW_F_VLANS,
    TAP_FLOW_F_FILTER,
    TAP_FLOW_F_STATUS,
    TAP_FLOW_F_STATUS_REASON,
    TAP_FLOW_F_DATAPATH,
    TAP_FLOW_F_MATCHED_FRAMES,
    TAP_FLOW_F_MATCHED_BYTES,
    TAP_FLOW_F_DROPPED,
    TAP_FLOW_F_PROGRESS,
    TAP_FLOW_F_LEAVES,
    TAP_FLOW_FIELDS,
};

/* The words of their fields, in order. */
enum tap_status {
    TAP_DOWN,
    TAP_ACTIVE,
    TAP_ERROR,
    TAP_PENDING_DELETE,
};

enum tap_direction {
    TAP_BOTH,
    TAP_IN,
    TAP_OUT,
};

enum {
    PORT_KEY = 65 + 256 + 64, /* bytes that any port's key has room in */
};

/* The bytes whose hash, by uuid_of_hash(), is the port's id: agent, namespace and name. Their
 * number, or -EMSGSIZE. */
int port_key(const char *agent, const char *netns, const char *name, uint8_t *ret, size_t cap);
