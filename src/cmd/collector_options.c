/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan collector`.
 */
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "cmd/collector.h"
#include "data/sink/queue/queue.h"
#include "sys/tapdev.h"

static const char help[] =
    "Usage: farspan collector -p PORT [-i DEVICE] [-w FILE] [OPTION...]\n"
    "\n"
    "Receives the frames of taps and makes them appear on a virtual interface, in a file, or "
    "both.\n"
    "\n"
    "Where from:\n"
    "  -p PORT                 the UDP port to listen on\n"
    "      --bind ADDRESS      listen on this address only\n"
    "\n"
    "Where to, one at least:\n"
    "  -i DEVICE               make this TAP device, or take a persistent one that is not in use;\n"
    "                          \"ntap-%t\" makes one for each tap\n"
    "      --keep-device       leave the device when the collector ends, for what listens on it\n"
    "  -w FILE                 write pcapng; an existing file is continued; \"-\": standard "
    "output\n"
    "      --order TIME        put frames in order of their timestamps, within this window,\n"
    "                          such as 50ms (default: in order of arrival)\n"
    "      --output-queue SIZE memory for frames that an output has not taken yet (default: 32M\n"
    "                          for devices, 68M for a file)\n"
    "\n"
    "Keys, one of:\n"
    "  -k PASSPHRASE           shared with the taps\n"
    "      --key-file FILE     the same, in the first line of a file; or FARSPAN_KEY in the\n"
    "                          environment\n"
    "      --identity FILE     the collector's own key (farspan keygen), with --allow\n"
    "      --allow FILE        the public keys of the taps that may connect, with their names\n"
    "  -K                      no encryption at all; the taps must be started with -K too\n"
    "\n"
    "Other:\n"
    "      --threads N         threads that receive, 1 to 16 (default: 1)\n"
    "      --user USER         the unprivileged user to run as (default: farspan, else nobody)\n"
    "      --json              print the ledger at the end, as JSON\n"
    "  -h, --help              print this help\n"
    "  -V, --version           print the version\n";

enum {
    OPT_BIND = 256,
    OPT_THREADS,
    OPT_USER,
    OPT_JSON,
    OPT_ORDER,
    OPT_OUTPUT_QUEUE,
    OPT_KEEP_DEVICE,
    ORDER_MS_MAX = 60000,
};

static const struct option options[] = {
    {"bind", required_argument, NULL, OPT_BIND},
    {"key-file", required_argument, NULL, OPT_KEY_FILE},
    {"identity", required_argument, NULL, OPT_IDENTITY},
    {"allow", required_argument, NULL, OPT_ALLOW},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"user", required_argument, NULL, OPT_USER},
    {"json", no_argument, NULL, OPT_JSON},
    {"order", required_argument, NULL, OPT_ORDER},
    {"output-queue", required_argument, NULL, OPT_OUTPUT_QUEUE},
    {"keep-device", no_argument, NULL, OPT_KEEP_DEVICE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static int set_port(struct collector_conf *c, const char *arg)
{
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(arg, "-p", 1, UINT16_MAX, &v, &err);
    c->port = (uint16_t)v;
    return r < 0 ? usage_error("collector", "%s", err.text) : 0;
}

static int set_threads(struct collector_conf *c, const char *arg)
{
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(arg, "--threads", 1, RECEIVER_THREADS, &v, &err);
    c->threads = (unsigned)v;
    return r < 0 ? usage_error("collector", "%s", err.text) : 0;
}

static int set_device(struct collector_conf *c, const char *arg)
{
    if (strcmp(arg, "any") == 0) {
        return usage_error("collector", "-i any: programs that capture call all interfaces that: "
                                        "choose another name for the device");
    }
    if (!strstr(arg, "%t") && !tapdev_name_valid(arg)) {
        return usage_error("collector",
                           "-i \"%s\": a device's name has 1 to 15 characters, without blanks, "
                           "'/', ':' and '%%' (but %%t for the tap's name)",
                           arg);
    }
    c->device = arg;
    return 0;
}

static int set_queue(struct collector_conf *c, int opt, const char *arg)
{
    struct error err = {""};
    int r = opt == OPT_ORDER ? parse_ms(arg, "--order", 1, ORDER_MS_MAX, &c->order_ms, &err)
                             : parse_size(arg, "--output-queue", false, QUEUE_BYTES_MIN,
                                          QUEUE_BYTES_MAX, &c->output_queue, &err);
    return r < 0 ? usage_error("collector", "%s", err.text) : 0;
}

static int set_option(struct collector_line *l, int opt, char *arg)
{
    struct collector_conf *c = &l->conf;
    switch (opt) {
    case 'p':
        return set_port(c, arg);
    case 'i':
        return set_device(c, arg);
    case 'w':
        c->file = arg;
        break;
    case OPT_BIND:
        c->bind = arg;
        break;
    case OPT_THREADS:
        return set_threads(c, arg);
    case OPT_USER:
        c->user = arg;
        break;
    case OPT_JSON:
        l->json = true;
        break;
    case OPT_KEEP_DEVICE:
        c->keep_device = true;
        break;
    case OPT_ORDER:
    case OPT_OUTPUT_QUEUE:
        return set_queue(c, opt, arg);
    default:
        return secret_option(&l->secret, opt, arg);
    }
    return 0;
}

static int finish(struct collector_line *l, int argc, char **argv)
{
    struct collector_conf *c = &l->conf;
    c->allow = l->secret.allow;
    if (optind < argc) {
        return usage_error("collector", "there is nothing to do with \"%s\"", argv[optind]);
    }
    if (c->port == 0) {
        return usage_error("collector", "a port to listen on is needed: -p PORT");
    }
    if (!c->device && !c->file) {
        return usage_error("collector", "an output is needed: -i DEVICE, -w FILE, or both");
    }
    if (c->keep_device && !c->device) {
        return usage_error("collector", "--keep-device is for the device of -i");
    }
    if (l->json && c->file && strcmp(c->file, "-") == 0) {
        return usage_error("collector", "--json and -w - both want standard output");
    }
    return secret_check(&l->secret, "collector", true);
}

int collector_parse(struct collector_line *l, int argc, char **argv)
{
    int opt;
    struct option_seen seen = {0};
    l->conf.threads = 1;
    while ((opt = getopt_long(argc, argv, ":p:i:w:k:KhV", options, NULL)) != -1) {
        if (help_option(opt, help)) {
            return -1 - EXIT_SUCCESS;
        }
        int r = opt == '?' || opt == ':'
                    ? option_error("collector", argv, opt)
                    : option_once(&seen, "collector", options, opt, optarg, "");
        r = r == 0 ? set_option(l, opt, optarg) : r;
        if (r != 0) {
            return -1 - r;
        }
    }
    int r = finish(l, argc, argv);
    return r != 0 ? -1 - r : 0;
}
