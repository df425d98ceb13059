/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan tap` about what it taps.
 */
#include "base/conf.h"
#include "cmd/select_values.h"
#include "cmd/tap_line.h"

static const struct conf_row tap_select_rows[] = {
    {'i', "interface", "INTERFACE",
     "tap this interface; may be given several times; \"any\": all;\n"
     "a pattern, such as 'veth*': each that matches, as they come and go",
     select_set_interface, .to = offsetof(struct tap_line, conf.select),
     .flags = CONF_REPEAT | CONF_LIVE, .offer = CONF_INTERFACE,
     .manual = "The interface to tap; or a pattern of the shell with \\*, ? or [], for each\n"
               "interface whose name matches; or *any*, which is the pattern \\*. May be given\n"
               "several times, with different names. See *INTERFACES THAT COME AND GO*."},
    {0, "netns", "NAME|PID", "the interfaces of another network namespace",
     CONF_TEXT_AT(struct tap_line, conf.select.netns), .offer = CONF_NETNS,
     .manual = "Tap the interfaces of another network namespace: one that *ip-netns*(8) knows\n"
               "by _NAME_, or that of the process _PID_. The link to the collector stays in\n"
               "the namespace in which the tap was started. Needs the capability\n"
               "CAP_SYS_ADMIN."},
    {'l', "list", NULL, "list the interfaces and exit", CONF_FLAG_AT(struct tap_line, list),
     .flags = CONF_LINE,
     .manual = "List the interfaces, with their state, MTU and addresses, and say which cannot\n"
               "be tapped; then exit. With *--netns* those of that namespace."},
    {'f', "filter", "FILTER", "the filter as an option",
     CONF_TEXT_AT(struct tap_line, filter_option), .flags = CONF_LIVE,
     .manual = "Send only the frames that match a *pcap-filter*(7) expression. It may also be\n"
               "given as the last words of the command line."},
    {0, "direction", "DIR", "in, out, or both", select_set_direction,
     .to = offsetof(struct tap_line, conf.select), .dflt = "both", .words = "in|out|both",
     .flags = CONF_LIVE,
     .manual = "Only the frames that come in to the host, only those that leave it, or both.\n"
               "What is on the loopback interface leaves and arrives there: it is taken once,\n"
               "as it arrives, and with *out* as it leaves."},
    {0, "vlan", "LIST", "only these VLANs, such as 100,200-210", select_set_vlans,
     .to = offsetof(struct tap_line, conf.select), .flags = CONF_LIVE,
     .manual = "Only the frames of these VLANs, such as _100,200-210_; with several tags the\n"
               "outermost counts."},
    {'s', "snaplen", "SNAPLEN", "send only the first SNAPLEN bytes of a frame (default: all)",
     CONF_U32_AT(struct tap_line, conf.select.snaplen), .max = FRAME_LEN_MAX,
     .manual = "Send only the first _SNAPLEN_ bytes of each frame; 0 means all of it. The\n"
               "collector still learns its original length."},
    {0, "keep-super", NULL,
     "send super-packets of segmentation offload whole, as the kernel has\n"
     "them (default: cut into the frames on the wire)",
     CONF_FLAG_AT(struct tap_line, conf.select.keep_super),
     .manual = "Send super-packets of segmentation offload whole, as the kernel has them,\n"
               "instead of cutting them; see *NOTES*. They may be longer than an output's\n"
               "device takes, which the ledger tells, and checksums in them are unfinished."},
    {0, "take-links", NULL,
     "also what farspan's links carry, but this tap's own (default: no\n"
     "tap captures what taps send)",
     CONF_FLAG_AT(struct tap_line, conf.select.take_links),
     .manual = "Capture the datagrams of farspan's links too, all but those of this tap's own.\n"
               "By default no tap captures what any tap or collector sends to another; see\n"
               "*NOTES*. Two taps that watch each other with this option feed each other until\n"
               "something is full."},
    {'p', "no-promiscuous-mode", NULL,
     "only frames that the interface takes in for this host; by default\n"
     "all that it sees, but not with \"any\"",
     CONF_FLAG_AT(struct tap_line, conf.select.not_promiscuous),
     .manual = "Do not put the interfaces into promiscuous mode. As with *tcpdump*(8) they are\n"
               "in it by default, so that a card at a mirror port, or a bridge, shows frames\n"
               "for other hosts too; and as there, those that *any* takes are not."},
    {'B', "buffer-size", "KIB", "kernel buffer for each interface, in KiB (default 32768)",
     select_set_ring, .to = offsetof(struct tap_line, conf.select), .min = 64, .max = 1 << 20,
     .manual = "The size of the kernel's capture buffer for each interface, in KiB. By default\n"
               "it has 32768, and the interfaces that patterns match share 64 MiB, as many as\n"
               "there are when one is taken up: each gets 32768 KiB at most and 2048 KiB at\n"
               "least. A larger one bridges longer bursts, and longer times in which the tap\n"
               "gets no processor: slow traffic fills 128 KiB of it every 22 ms, whatever its\n"
               "size, so that 32768 KiB are enough for 5.6 s, and 2048 KiB for a third of one."},
};

const struct conf_group tap_select_group = {"What to tap:", tap_select_rows,
                                            ARRAY_SIZE(tap_select_rows)};
