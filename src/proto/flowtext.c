/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/flowtext.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/time.h"

enum {
    VALUE = 256, /* bytes of a value */
    NAME = 200,  /* and of a name, before marks are escaped */
    TCP = 6,
};

struct record {
    const struct flowrec *r;
    const char *community;
};

/* Puts a value; false: the record has none. */
typedef bool put_value(const struct record *rec, char ret[VALUE]);

static bool put_u64(uint64_t v, char ret[VALUE])
{
    (void)snprintf(ret, VALUE, "%" PRIu64, v);
    return true;
}

/* RFC 3339. */
static bool put_time(int64_t ns, char ret[VALUE])
{
    const time_t s = (time_t)(ns / NSEC_PER_SEC);
    struct tm t;
    (void)gmtime_r(&s, &t);
    const size_t n = strftime(ret, VALUE, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(ret + n, VALUE - n, ".%09" PRId64 "Z", ns % NSEC_PER_SEC);
    return true;
}

static bool put_start(const struct record *rec, char ret[VALUE])
{
    return put_time(rec->r->first_ns, ret);
}

static bool put_end(const struct record *rec, char ret[VALUE])
{
    return put_time(rec->r->last_ns, ret);
}

static bool put_addr(const struct record *rec, unsigned end, uint8_t version, char ret[VALUE])
{
    return rec->r->version == version &&
           inet_ntop(version == 4 ? AF_INET : AF_INET6, rec->r->addr[end], ret, VALUE);
}

static bool put_source4(const struct record *rec, char ret[VALUE])
{
    return put_addr(rec, 0, 4, ret);
}

static bool put_target4(const struct record *rec, char ret[VALUE])
{
    return put_addr(rec, 1, 4, ret);
}

static bool put_source6(const struct record *rec, char ret[VALUE])
{
    return put_addr(rec, 0, 6, ret);
}

static bool put_target6(const struct record *rec, char ret[VALUE])
{
    return put_addr(rec, 1, 6, ret);
}

static bool put_proto(const struct record *rec, char ret[VALUE])
{
    return put_u64(rec->r->proto, ret);
}

static bool put_port(const struct record *rec, unsigned end, char ret[VALUE])
{
    return !flowrec_is_icmp(rec->r) && put_u64(rec->r->port[end], ret);
}

static bool put_source_port(const struct record *rec, char ret[VALUE])
{
    return put_port(rec, 0, ret);
}

static bool put_target_port(const struct record *rec, char ret[VALUE])
{
    return put_port(rec, 1, ret);
}

static bool put_icmp4(const struct record *rec, char ret[VALUE])
{
    return rec->r->version == 4 && flowrec_is_icmp(rec->r) && put_u64(rec->r->port[1], ret);
}

static bool put_icmp6(const struct record *rec, char ret[VALUE])
{
    return rec->r->version == 6 && flowrec_is_icmp(rec->r) && put_u64(rec->r->port[1], ret);
}

static bool put_packets(const struct record *rec, char ret[VALUE])
{
    return put_u64(rec->r->packets, ret);
}

static bool put_bytes(const struct record *rec, char ret[VALUE])
{
    return put_u64(rec->r->bytes, ret);
}

static bool put_flags(const struct record *rec, char ret[VALUE])
{
    return rec->r->proto == TCP && put_u64(rec->r->tcp_flags, ret);
}

static bool put_tos(const struct record *rec, char ret[VALUE])
{
    return put_u64(rec->r->tos, ret);
}

static bool put_reason(const struct record *rec, char ret[VALUE])
{
    return put_u64(rec->r->end_reason, ret);
}

static bool put_vlan(const struct record *rec, char ret[VALUE])
{
    return rec->r->vlans > 0 && put_u64(rec->r->vlan[0], ret);
}

static bool put_customer_vlan(const struct record *rec, char ret[VALUE])
{
    return rec->r->vlans > 1 && put_u64(rec->r->vlan[1], ret);
}

static bool put_label(const struct record *rec, char ret[VALUE])
{
    return rec->r->has_label && put_u64(rec->r->label >> 4, ret);
}

static bool put_mac(const uint8_t *mac, char ret[VALUE])
{
    (void)snprintf(ret, VALUE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                   mac[4], mac[5]);
    return true;
}

static bool put_source_mac(const struct record *rec, char ret[VALUE])
{
    return rec->r->has_mac && put_mac(rec->r->mac[0], ret);
}

static bool put_target_mac(const struct record *rec, char ret[VALUE])
{
    return rec->r->has_mac && put_mac(rec->r->mac[1], ret);
}

static bool put_point(const struct record *rec, char ret[VALUE])
{
    const char *from = rec->r->point ? rec->r->point : "";
    size_t n = 0;
    for (; n < NAME && from[n]; n++) {
        ret[n] = from[n];
        if (from[n] < ' ' || from[n] > '~') {
            ret[n] = '?';
        }
    }
    ret[n] = '\0';
    return n > 0;
}

static bool put_tunnel_kind(const struct record *rec, char ret[VALUE])
{
    if (rec->r->tunnel != TUNNEL_NONE) {
        (void)snprintf(ret, VALUE, "%s", tunnel_name(rec->r->tunnel));
    }
    return rec->r->tunnel != TUNNEL_NONE;
}

static bool put_tunnel_id(const struct record *rec, char ret[VALUE])
{
    return tunnel_has_id(rec->r->tunnel) && put_u64(rec->r->tunnel_id, ret);
}

static bool put_outer(const struct record *rec, unsigned end, char ret[VALUE])
{
    const int family = rec->r->outer_version == 4 ? AF_INET : AF_INET6;
    return rec->r->outer_version != 0 && inet_ntop(family, rec->r->outer[end], ret, VALUE);
}

static bool put_outer_source(const struct record *rec, char ret[VALUE])
{
    return put_outer(rec, 0, ret);
}

static bool put_outer_target(const struct record *rec, char ret[VALUE])
{
    return put_outer(rec, 1, ret);
}

static bool put_reverse_packets(const struct record *rec, char ret[VALUE])
{
    return rec->r->biflow && put_u64(rec->r->reverse.packets, ret);
}

static bool put_reverse_bytes(const struct record *rec, char ret[VALUE])
{
    return rec->r->biflow && put_u64(rec->r->reverse.bytes, ret);
}

static bool put_reverse_start(const struct record *rec, char ret[VALUE])
{
    return rec->r->reverse.packets > 0 && put_time(rec->r->reverse.first_ns, ret);
}

static bool put_reverse_end(const struct record *rec, char ret[VALUE])
{
    return rec->r->reverse.packets > 0 && put_time(rec->r->reverse.last_ns, ret);
}

static bool put_reverse_flags(const struct record *rec, char ret[VALUE])
{
    return rec->r->reverse.packets > 0 && rec->r->proto == TCP &&
           put_u64(rec->r->reverse.tcp_flags, ret);
}

static bool put_reverse_tos(const struct record *rec, char ret[VALUE])
{
    return rec->r->reverse.packets > 0 && put_u64(rec->r->reverse.tos, ret);
}

static bool put_biflow(const struct record *rec, char ret[VALUE])
{
    return rec->r->biflow && put_u64((uint64_t)rec->r->biflow, ret);
}

static bool put_community(const struct record *rec, char ret[VALUE])
{
    if (rec->community) {
        (void)snprintf(ret, VALUE, "%s", rec->community);
    }
    return rec->community;
}

static const char tunnel[] = "tunnel";

static const struct field {
    const char *name;
    put_value *put;
    bool text;          /* in quotation marks in JSON */
    const char *object; /* of which it is a part; NULL: of none. Those of one are in a row */
} fields[] = {
    {"flowStartNanoseconds", put_start, true},
    {"flowEndNanoseconds", put_end, true},
    {"sourceIPv4Address", put_source4, true},
    {"destinationIPv4Address", put_target4, true},
    {"sourceIPv6Address", put_source6, true},
    {"destinationIPv6Address", put_target6, true},
    {"protocolIdentifier", put_proto, false},
    {"sourceTransportPort", put_source_port, false},
    {"destinationTransportPort", put_target_port, false},
    {"icmpTypeCodeIPv4", put_icmp4, false},
    {"icmpTypeCodeIPv6", put_icmp6, false},
    {"packetDeltaCount", put_packets, false},
    {"octetDeltaCount", put_bytes, false},
    {"tcpControlBits", put_flags, false},
    {"ipClassOfService", put_tos, false},
    {"flowEndReason", put_reason, false},
    {"dot1qVlanId", put_vlan, false},
    {"dot1qCustomerVlanId", put_customer_vlan, false},
    {"mplsTopLabelStackSection", put_label, false},
    {"sourceMacAddress", put_source_mac, true},
    {"destinationMacAddress", put_target_mac, true},
    {"interfaceName", put_point, true},
    {"communityId", put_community, true},
    {"kind", put_tunnel_kind, true, tunnel},
    {"id", put_tunnel_id, false, tunnel},
    {"source", put_outer_source, true, tunnel},
    {"destination", put_outer_target, true, tunnel},
    {"reverseFlowStartNanoseconds", put_reverse_start, true},
    {"reverseFlowEndNanoseconds", put_reverse_end, true},
    {"reversePacketDeltaCount", put_reverse_packets, false},
    {"reverseOctetDeltaCount", put_reverse_bytes, false},
    {"reverseTcpControlBits", put_reverse_flags, false},
    {"reverseIpClassOfService", put_reverse_tos, false},
    {"biflowDirection", put_biflow, false},
};

/* Puts a value between quotation marks, with `escape` before each that is in it, and before that
 * itself where it is none of them. Returns the length. */
static size_t put_quoted(const char *value, char escape, char *ret)
{
    size_t n = 0;
    ret[n++] = '"';
    for (; *value; value++) {
        if (*value == '"' || *value == escape) {
            ret[n++] = escape;
        }
        ret[n++] = *value;
    }
    ret[n++] = '"';
    ret[n] = '\0';
    return n;
}

size_t flowtext_json(const struct flowrec *r, const char *community, char ret[FLOWTEXT_ROW])
{
    const struct record rec = {r, community};
    const char *object = NULL; /* that is open */
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const struct field *f = &fields[i];
        char value[VALUE];
        if (!f->put(&rec, value)) {
            continue;
        }
        if (object && f->object != object) {
            ret[n++] = '}';
        }
        ret[n] = n ? ',' : '{';
        n++;
        if (f->object && f->object != object) {
            n += (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "\"%s\":{", f->object);
        }
        n += (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "\"%s\":", f->name);
        object = f->object;
        n += f->text ? put_quoted(value, '\\', ret + n)
                     : (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "%s", value);
    }
    return n + (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "%s}\n", object ? "}" : "");
}

size_t flowtext_head(char ret[FLOWTEXT_ROW])
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const struct field *f = &fields[i];
        n += (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "%s%s%s%s", n ? "," : "",
                              f->object ? f->object : "", f->object ? "." : "", f->name);
    }
    return n + (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "\n");
}

size_t flowtext_row(const struct flowrec *r, const char *community, char ret[FLOWTEXT_ROW])
{
    const struct record rec = {r, community};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        char value[VALUE];
        const bool has = fields[i].put(&rec, value);
        if (i > 0) {
            ret[n++] = ',';
        }
        n += !has                    ? 0
             : strpbrk(value, "\",") ? put_quoted(value, '"', ret + n) /* RFC 4180 */
                                     : (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "%s", value);
    }
    return n + (size_t)snprintf(ret + n, FLOWTEXT_ROW - n, "\n");
}
