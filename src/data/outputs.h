/* SPDX-License-Identifier: Apache-2.0
 *
 * The outputs there are, a row each, and in data/sink/ a file each. node/outputs.c makes a
 * collector's of them, and puts a queue before those that need one.
 *
 * OWN(X, ID, name): options of its own ask for it. NAME_output() makes the sink.
 *
 * USER(X, ID, name, scheme, form, help): -o asks for it, by words that begin with the scheme; the
 * row whose scheme is empty takes what no other one does. `form` and `help` are of the words behind
 * the scheme. NAME_output_read() reads these (data/output_list.h), NAME_output_open() opens with
 * privileges what it needs, and does so again when that is gone, and NAME_output() makes the sink.
 */
#pragma once

#include "data/sink.h"
#include "sys/resolve.h"

#define OUTPUT_LIST(OWN, USER, X)                                                                  \
    OWN(X, DEVICE, device)                                                                         \
    OWN(X, FILE, file)                                                                             \
    USER(X, VXLAN, vxlan, "vxlan://", "HOST[:PORT]/VNI[,oversize=slice|drop|fragment]",            \
         "the frames in VXLAN")                                                                    \
    USER(X, GRE, gre, "gre://", "HOST[/KEY][,oversize=slice|drop|fragment]",                       \
         "the frames in GRE (transparent Ethernet bridging)")                                      \
    USER(X, ERSPAN, erspan, "erspan://", "HOST/SESSION[,oversize=slice|drop|fragment]",            \
         "the frames in ERSPAN type II")                                                           \
    USER(X, ERSPAN3, erspan3, "erspan3://", "HOST/SESSION[,oversize=slice|drop|fragment]",         \
         "the frames in ERSPAN type III, with times and directions")                               \
    USER(X, PCAPIP, pcapip, "pcap-over-ip://",                                                     \
         "ADDRESS:PORT[,format=pcap|pcap-ns|pcapng][,clear]",                                      \
         "the frames to whoever connects to that TCP port, 8 programs at most; _clear_ is wanted " \
         "where others reach the address")                                                         \
    USER(X, PORT, port, "", "INTERFACE[,force]",                                                   \
         "the frames out of an existing interface, as a SPAN port gives them; with _force_ also "  \
         "out of one that has an address")

/* For uses of the list that concern one of the two. */
#define OUTPUT_NO_OWN(X, ID, name)
#define OUTPUT_NO_USER(X, ID, name, scheme, form, help)

enum output_kind {
#define OWN(X, ID, name) OUTPUT_##ID,
#define USER(X, ID, name, scheme, form, help) OUTPUT_##ID,
    OUTPUT_LIST(OWN, USER, )
#undef OWN
#undef USER
        OUTPUT_KINDS
};

/* An output that a user wishes for. */
struct output_wish {
    enum output_kind kind;
    const char *name; /* a TAP device's, or a pattern with %t; a file's path, or "-"; the words */
    const void *own;  /* of USER rows: of the kind's own type, as it was read; lives on */
    int fd;           /* what was opened for it; -1: nothing. Taken by the sink, also when it
                       * cannot be made; but a device's is borrowed, -1: each tap has its own */
    const char *os;   /* of the host, for a file; may be NULL */
    uint64_t bytes;   /* that may wait before it; 0: as it likes */
};

/* Makes the sink. 0 or -errno with a sentence. */
typedef int output_make(const struct output_wish *w, struct sink **ret, struct error *err);
/* Reads the words behind the scheme. `ret` is freed by free(). -EINVAL with a sentence. */
typedef int output_read(const char *text, void **ret, struct error *err);
/* With privileges: what the sink needs; `names`: by whom names of hosts are looked up. -errno with
 * a sentence. */
typedef int output_open(const void *own, const struct resolve_conf *names, int *ret_fd,
                        struct error *err);

#define OWN(X, ID, name) output_make name##_output;
#define USER(X, ID, name, scheme, form, help)                                                      \
    output_make name##_output;                                                                     \
    output_read name##_output_read;                                                                \
    output_open name##_output_open;
OUTPUT_LIST(OWN, USER, )
#undef OWN
#undef USER
