/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: the headers that tshark finds in frames, innermost ones last.
 */
#pragma once

#include "base/bytes.h"
#include "proto/pcapng.h"
#include "proto/tshark_judge.h"

/* The fields that tshark prints of a frame; the last occurrence of each. */
enum field {
    F_PROTOCOLS,
    F_MAC_DST,
    F_MAC_SRC,
    F_IP_SRC,
    F_IP_DST,
    F_IP6_SRC,
    F_IP6_DST,
    F_SPORT, /* of TCP, then UDP, SCTP, DCCP */
    F_DPORT = F_SPORT + 4,
    F_TCP_LEN = F_DPORT + 4,
    F_UDP_LEN,
    F_FRAME_LEN,
    FIELDS,
};

static const char judge_fields[] =
    "-E occurrence=l -d udp.port==8472,vxlan -o tcp.analyze_sequence_numbers:FALSE "
    "-o ip.defragment:FALSE -o ipv6.defragment:FALSE "
    "-e frame.protocols -e eth.dst -e eth.src -e ip.src -e ip.dst -e ipv6.src -e ipv6.dst "
    "-e tcp.srcport -e udp.srcport -e sctp.srcport -e dccp.srcport "
    "-e tcp.dstport -e udp.dstport -e sctp.dstport -e dccp.dstport "
    "-e tcp.len -e udp.length -e frame.len";

struct judged {
    char line[1024];
    char *field[FIELDS];
};

static inline void judge_line(FILE *f, struct judged *j)
{
    assert_non_null(fgets(j->line, sizeof(j->line), f));
    j->line[strcspn(j->line, "\n")] = '\0';
    char *p = j->line;
    for (unsigned i = 0; i < FIELDS; i++) {
        j->field[i] = strsep(&p, "|");
        assert_non_null(j->field[i]);
    }
}

/* A capture file's beginning, and frames for it. */
static inline void judge_begin(struct wr *w)
{
    pcapng_put_shb(w, &(struct pcapng_shb){0});
    pcapng_put_idb(w, &(struct pcapng_idb){.linktype = 1});
}

static inline void judge_frame(struct wr *w, const uint8_t *d, uint32_t len)
{
    struct pcapng_epb epb = {0, len, len, 1, 0, 0};
    memcpy(pcapng_epb_begin(w, &epb), d, len);
}
