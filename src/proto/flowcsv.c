/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/flowcsv.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/ledger.h"
#include "base/time.h"

enum {
    TIME_LEN = 24, /* "2026-11-12 13:14:41.011" */
    PROTO_LEN = 8,
    FLAGS_LEN = 7,
};

static const char head[] =
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,nh,"
    "nhb,svln,dvln,ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,mpls8,mpls9,"
    "mpls10,cl,sl,al,ra,eng,exid,tr\n";

#define NO_MAC "00:00:00:00:00:00"
#define NO_LABEL "0-0-0"

/* Behind the VLANs: MAC addresses, MPLS, latencies, router, engine, exporter, time received. */
static const char rest[] =
    NO_MAC "," NO_MAC "," NO_MAC "," NO_MAC "," NO_LABEL "," NO_LABEL "," NO_LABEL "," NO_LABEL
           "," NO_LABEL "," NO_LABEL "," NO_LABEL "," NO_LABEL "," NO_LABEL "," NO_LABEL
           ",    0.000,    0.000,    0.000,0.0.0.0,0/0,1,"
           "1970-01-01 00:00:00.000";

static int64_t to_ms(int64_t ns)
{
    return ns / NSEC_PER_MSEC;
}

/* A time that would be before 1970 in the zone, or beyond an int64_t, is told in UTC. */
static void put_time(int64_t utc_ns, flowcsv_zone *offset_ns, char ret[TIME_LEN])
{
    int64_t ns = 0;
    if (!offset_ns || __builtin_add_overflow(utc_ns, offset_ns(utc_ns), &ns) || ns < 0) {
        ns = utc_ns;
    }
    const time_t s = (time_t)(ns / NSEC_PER_SEC);
    struct tm t;
    char day[TIME_LEN];
    (void)gmtime_r(&s, &t);
    (void)strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &t);
    (void)snprintf(ret, TIME_LEN, "%.19s.%03u", day, (unsigned)(to_ms(ns) % 1000));
}

/* Names that nfdump has too; other protocols are numbers. */
static void put_proto(uint8_t proto, char ret[PROTO_LEN])
{
    static const struct {
        uint8_t number;
        const char *name;
    } names[] = {{1, "ICMP"},  {2, "IGMP"},  {4, "IPIP"},   {6, "TCP"},
                 {17, "UDP"},  {33, "DCCP"}, {41, "IPv6"},  {46, "RSVP"},
                 {47, "GRE"},  {50, "ESP"},  {51, "AH"},    {58, "ICMP6"},
                 {89, "OSPF"}, {103, "PIM"}, {112, "VRRP"}, {132, "SCTP"}};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].number == proto) {
            (void)snprintf(ret, PROTO_LEN, "%s", names[i].name);
            return;
        }
    }
    (void)snprintf(ret, PROTO_LEN, "%u", proto);
}

static void put_flags(uint8_t flags, char ret[FLAGS_LEN])
{
    static const char letters[] = "UAPRSF";
    for (unsigned i = 0; i < 6; i++) {
        ret[i] = flags >> (5 - i) & 1 ? letters[i] : '.';
    }
    ret[6] = '\0';
}

size_t flowcsv_head(char ret[FLOWCSV_ROW])
{
    memcpy(ret, head, sizeof(head));
    return sizeof(head) - 1;
}

static void add(struct flowcsv_sums *s, const struct flowrec *r)
{
    s->first_ns = s->flows == 0 ? r->first_ns : MIN(s->first_ns, r->first_ns);
    s->last_ns = s->flows == 0 ? r->last_ns : MAX(s->last_ns, r->last_ns);
    s->flows++;
    s->packets = ledger_plus(s->packets, r->packets);
    s->bytes = ledger_plus(s->bytes, r->bytes);
}

size_t flowcsv_row(const struct flowrec *r, struct flowcsv_sums *sums, char ret[FLOWCSV_ROW])
{
    return flowcsv_row_in(r, NULL, sums, ret);
}

size_t flowcsv_row_in(const struct flowrec *r, flowcsv_zone *offset_ns, struct flowcsv_sums *sums,
                      char ret[FLOWCSV_ROW])
{
    char first[TIME_LEN], last[TIME_LEN], addr[2][INET6_ADDRSTRLEN] = {"", ""};
    char proto[PROTO_LEN], flags[FLAGS_LEN];
    const int64_t ms = to_ms(r->last_ns) - to_ms(r->first_ns);
    put_time(r->first_ns, offset_ns, first);
    put_time(r->last_ns, offset_ns, last);
    for (unsigned i = 0; i < 2; i++) {
        (void)inet_ntop(r->version == 4 ? AF_INET : AF_INET6, r->addr[i], addr[i], sizeof(addr[i]));
    }
    put_proto(r->proto, proto);
    put_flags(r->tcp_flags, flags);
    add(sums, r);
    int n =
        snprintf(ret, FLOWCSV_ROW,
                 "%s,%s,%" PRId64 ".%03" PRId64 ",%s,%s,%u,%u,%s,%s,0,%u,%" PRIu64 ",%" PRIu64
                 ",0,0,0,0,0,0,0,0,0,0,0.0.0.0,0.0.0.0,%u,0,%s\n",
                 first, last, ms / 1000, ms % 1000, addr[0], addr[1], r->port[0], r->port[1], proto,
                 flags, r->tos, r->packets, r->bytes, r->vlans > 0 ? r->vlan[0] : 0u, rest);
    return (size_t)n;
}

size_t flowcsv_tail(const struct flowcsv_sums *s, char ret[FLOWCSV_ROW])
{
    const uint64_t ms = (uint64_t)(to_ms(s->last_ns) - to_ms(s->first_ns));
    const unsigned __int128 bits = (unsigned __int128)s->bytes * 8;
    int n = snprintf(ret, FLOWCSV_ROW,
                     "Summary\n"
                     "flows,bytes,packets,avg_bps,avg_pps,avg_bpp\n"
                     "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                     s->flows, s->bytes, s->packets, ms ? (uint64_t)(bits * 1000 / ms) : 0,
                     ms ? (uint64_t)((unsigned __int128)s->packets * 1000 / ms) : 0,
                     s->packets ? s->bytes / s->packets : 0);
    return (size_t)n;
}
