/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan collector` about where frames come from and go to.
 */
#include "cmd/collector_line.h"
#include "data/sink/queue/queue.h"

enum {
    ORDER_MS_MAX = 60000,
};

static const struct conf_row collector_from_rows[] = {
    {'p', "port", "PORT", "the UDP port to listen on",
     CONF_U16_AT(struct collector_line, conf.port), .min = 1, .max = UINT16_MAX,
     .manual = "The UDP port to listen on for IPv4 and IPv6."},
    {0, "bind", "ADDRESS", "listen on this address only",
     CONF_TEXT_AT(struct collector_line, conf.bind),
     .manual = "Listen on this IPv4 or IPv6 address only. A link-local one needs its\n"
               "interface, as in _fe80::1%eth0_."},
    {0, "threads", "N", "threads that receive", CONF_U32_AT(struct collector_line, conf.threads),
     .min = 1, .max = RECEIVER_THREADS, .dflt = "1",
     .manual = "Receive with _N_ threads. Each session belongs to one of them, so that this is\n"
               "for many taps where one core is not enough, and not for one fast tap. The file\n"
               "then has a queue before it too, see *--output-queue*. *farspan-status*(1)\n"
               "shows with *--json* what each has received, as _datagrams_by_thread_."},
};

const struct conf_group collector_from_group = {"Where from:", collector_from_rows,
                                                ARRAY_SIZE(collector_from_rows)};

/* The forms of all outputs of -o, a line each, and for the manual an item each. */
#define USER(X, ID, name, scheme, form, help) "\n  " scheme form
static const char output_help[] =
    "give the frames to this output too; several, up to 8 with -i and -w:" OUTPUT_LIST(
        OUTPUT_NO_OWN, USER, );
#undef USER
#define USER(X, ID, name, scheme, form, help) "\n- *" scheme form "*: " help "."
static const char output_manual[] =
    "Give the frames to this output, beside *-i*, *-w* and other *-o*, each with a\n"
    "queue of its own; up to 8 in all. See *PORTS*, *TUNNELS* and *PCAP OVER\n"
    "IP*.\n" OUTPUT_LIST(OUTPUT_NO_OWN, USER, );
#undef USER

static const struct conf_row collector_to_rows[] = {
    {'i', "device", "DEVICE",
     "make this TAP device, or take a persistent one that is not in use;\n"
     "\"ntap-%t\" makes one for each tap",
     collector_set_device,
     .manual = "Make the TAP device _DEVICE_ and write the frames to it; it goes away at the\n"
               "end. A TAP device that exists is taken instead, and stays, if it is persistent\n"
               "(*ip tuntap add dev* _DEVICE_ *mode tap*), has one queue, and no other program\n"
               "uses it. With *%t* in the name, such as _ntap-%t_, each tap gets a device of\n"
               "its own, named after it. See *THE DEVICE*."},
    {0, "keep-device", NULL, "leave the device when the collector ends, for what listens on it",
     CONF_FLAG_AT(struct collector_line, conf.keep_device),
     .manual = "Leave the device when the collector ends, and take it again at the next start,\n"
               "so that what listens on it listens on. Remove it with *ip link del*. With\n"
               "*%t*: the devices of all taps, also when a tap is gone."},
    {'w', "write", "FILE", "write pcapng; an existing file is continued; \"-\": standard output",
     CONF_TEXT_AT(struct collector_line, conf.file), .offer = CONF_FILE,
     .manual = "Write the frames to _FILE_ as pcapng, with each tap's interfaces, timestamps,\n"
               "directions, original lengths and drop counts. A pcapng file that exists is\n"
               "continued: what it holds is kept, and a block that was cut short at its end is\n"
               "cut off. Any other file that is not empty is refused, and so is one that\n"
               "another collector writes. _-_ is standard output, which must not be a\n"
               "terminal. All interfaces have one snaplen in the file, so that programs that\n"
               "use libpcap read it; what a tap cuts frames to is in its interface's\n"
               "description. A file of another program whose first interface has less than\n"
               "262144 is refused. What a tunnel without Ethernet carries is raw IP in the\n"
               "file, and PPP, GRE and the like are \"Linux cooked\", as *tcpdump*(8) has it, if\n"
               "the first interface of the file has that link type too: libpcap reads no file\n"
               "with several. Otherwise they are Ethernet with addresses of zero, as always on\n"
               "a device."},
    {'o', "output", "OUTPUT", output_help, collector_add_output, .flags = CONF_REPEAT | CONF_LIVE,
     .manual = output_manual},
    {0, "order", "TIME",
     "put frames in order of their timestamps, within this window,\n"
     "such as 50ms (default: in order of arrival)",
     CONF_MS_AT(struct collector_line, conf.order_ms), .min = 1, .max = ORDER_MS_MAX,
     .manual = "Give frames out in the order of their timestamps, those of all taps and\n"
               "interfaces together (with *%t* in the device's name: those of each tap). A\n"
               "frame waits for up to _TIME_ for earlier ones, and no longer, such as _50ms_.\n"
               "By default frames are given out as they arrive. What comes so late that a\n"
               "later frame is out already is given out at once and counted as _late_. Where\n"
               "the output's queue is too small for what arrives in that time, frames go out\n"
               "before it is over, and are counted as _early_. The clocks are the taps' own,\n"
               "unless *--align* corrects them: a tap's frames are shifted against another's by\n"
               "as much as the clocks differ. Where one is ahead of most others by more than\n"
               "_TIME_, its frames get the places of their arrival and are counted as\n"
               "_clock_ahead_; where one is behind by that much, they are late."},
    {0, "output-queue", "SIZE",
     "memory for frames that an output has not taken yet (default: 32M\n"
     "for devices, 68M for a file)",
     CONF_SIZE_AT(struct collector_line, conf.output_queue), .min = QUEUE_BYTES_MIN,
     .max = QUEUE_BYTES_MAX,
     .manual = "The memory for frames that an output has not taken yet; when it is full,\n"
               "frames are dropped at this output alone and counted there as _queue_full_. By\n"
               "default 32M before a device and 68M before a file, which always has 8M. With\n"
               "*%t* in the device's name, each tap's device has a queue of its own of an\n"
               "eighth of that, at least 2M. Only what is used becomes memory. *--order* keeps\n"
               "as much again."},
};

const struct conf_group collector_to_group = {"Where to, one at least:", collector_to_rows,
                                              ARRAY_SIZE(collector_to_rows)};
