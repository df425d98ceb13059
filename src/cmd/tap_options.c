/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan tap`.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/tap.h"
#include "model/pmtu.h"

static const char help[] =
    "Usage: farspan tap -i INTERFACE... -c HOST:PORT [OPTION...] [FILTER]\n"
    "       farspan tap --list [--netns NAME|PID]\n"
    "\n"
    "Captures from interfaces and sends the frames to a collector through an encrypted link.\n"
    "FILTER is a pcap-filter(7) expression, run in the kernel.\n"
    "\n"
    "What to tap:\n"
    "  -i INTERFACE            tap this interface; may be given several times; \"any\": all;\n"
    "                          a pattern, such as 'veth*': each that matches, as they come and go\n"
    "      --netns NAME|PID    the interfaces of another network namespace\n"
    "  -l, --list              list the interfaces and exit\n"
    "  -f FILTER               the filter as an option\n"
    "      --direction DIR     in, out, or both (default both)\n"
    "      --vlan LIST         only these VLANs, such as 100,200-210\n"
    "  -s SNAPLEN              send only the first SNAPLEN bytes of a frame (default: all)\n"
    "      --keep-super        send super-packets of segmentation offload whole, as the kernel "
    "has\n"
    "                          them (default: cut into the frames on the wire)\n"
    "      --take-links        also what farspan's links carry, but this tap's own (default: no\n"
    "                          tap captures what taps send)\n"
    "  -p, --no-promiscuous-mode\n"
    "                          only frames that the interface takes in for this host; by default\n"
    "                          all that it sees, but not with \"any\"\n"
    "  -B KIB                  kernel buffer for each interface, in KiB (default 32768)\n"
    "\n"
    "Where to:\n"
    "  -c HOST:PORT            the collector; an IPv6 address in brackets\n"
    "      --backlog SIZE      memory for frames that wait while the collector cannot be\n"
    "                          reached, such as 512M; 0: none (default 64M)\n"
    "      --mtu BYTES         send packets of at most so many bytes (default: as many as pass)\n"
    "      --name NAME         what the collector calls this tap (default: the host's name)\n"
    "\n"
    "Keys, one of:\n"
    "  -k PASSPHRASE           shared with the collector\n"
    "      --key-file FILE     the same, in the first line of a file; or FARSPAN_KEY in the\n"
    "                          environment\n"
    "      --identity FILE     this tap's own key (farspan keygen), with --peer\n"
    "      --peer KEY          the collector's public key\n"
    "  -K                      no encryption at all; the collector must be started with -K too\n"
    "\n"
    "Other:\n"
    "      --user USER         the unprivileged user to run as (default: farspan, else nobody)\n"
    "      --json              print the ledger at the end, as JSON\n"
    "      --strict            exit with 1 if the collector did not confirm every frame that was\n"
    "                          sent\n"
    "  -h, --help              print this help\n"
    "  -V, --version           print the version\n";

enum {
    OPT_DIRECTION = 256,
    OPT_VLAN,
    OPT_NAME,
    OPT_MTU,
    OPT_USER,
    OPT_JSON,
    OPT_KEEP_SUPER,
    OPT_TAKE_LINKS,
    OPT_BACKLOG,
    OPT_NETNS,
    OPT_STRICT,
};

static const struct option options[] = {
    {"list", no_argument, NULL, 'l'},
    {"direction", required_argument, NULL, OPT_DIRECTION},
    {"vlan", required_argument, NULL, OPT_VLAN},
    {"no-promiscuous-mode", no_argument, NULL, 'p'},
    {"mtu", required_argument, NULL, OPT_MTU},
    {"name", required_argument, NULL, OPT_NAME},
    {"key-file", required_argument, NULL, OPT_KEY_FILE},
    {"identity", required_argument, NULL, OPT_IDENTITY},
    {"peer", required_argument, NULL, OPT_PEER},
    {"user", required_argument, NULL, OPT_USER},
    {"json", no_argument, NULL, OPT_JSON},
    {"strict", no_argument, NULL, OPT_STRICT},
    {"keep-super", no_argument, NULL, OPT_KEEP_SUPER},
    {"take-links", no_argument, NULL, OPT_TAKE_LINKS},
    {"backlog", required_argument, NULL, OPT_BACKLOG},
    {"netns", required_argument, NULL, OPT_NETNS},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

/* Of the namespace that --netns names; NULL: of this one. */
static int list_interfaces(const char *netns)
{
    _cleanup_(netns_freep) struct netns *there = NULL;
    struct netif *links = NULL;
    size_t n = 0;
    struct error err = {""};
    int r = netns ? netns_open(netns, &there, &err) : 0;
    if (r == 0 && there) {
        r = netns_enter(there, &err);
    }
    r = r < 0 ? r : netif_list(&links, &n, &err);
    if (r < 0) {
        say("tap", "%s", err.text);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < n; i++) {
        const struct netif *l = &links[i];
        bool other = netif_framing(l->arphrd, l->flags) == NETIF_OTHER;
        const char *kind = other ? "cannot be tapped" : "";
        char name[TEXT_ESCAPE * sizeof(l->name)], alias[TEXT_ESCAPE * sizeof(l->alias)];
        text_name(name, sizeof(name), l->name, strlen(l->name));
        text_line(alias, sizeof(alias), l->alias);
        printf("%-16s %-5s mtu %-6u %s", name, l->flags & IFF_UP ? "up" : "down", l->mtu, kind);
        for (unsigned a = 0; a < l->n_addrs; a++) {
            char text[INET6_ADDRSTRLEN];
            if (inet_ntop(l->addrs[a].family, l->addrs[a].addr, text, sizeof(text))) {
                printf(" %s/%u", text, l->addrs[a].prefix);
            }
        }
        printf("%s%s\n", alias[0] ? "  # " : "", alias);
    }
    printf("%-16s all of them\n", "any");
    free(links);
    return EXIT_SUCCESS;
}

static int set_direction(struct tap_conf *c, const char *word)
{
    static const struct {
        const char *word;
        enum frame_dir dir;
    } words[] = {{"both", FRAME_DIR_UNKNOWN}, {"in", FRAME_DIR_IN}, {"out", FRAME_DIR_OUT}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            c->select.dir = words[i].dir;
            return 0;
        }
    }
    return usage_error("tap", "--direction is in, out or both, not \"%s\"", word);
}

static int add_interface(struct tap_conf *c, const char *name)
{
    for (unsigned i = 0; i < c->select.n_words; i++) {
        if (strcmp(c->select.word[i].text, name) == 0) {
            return usage_error("tap", "-i %s is given twice", name);
        }
    }
    if (c->select.n_words == SELECTION_WORDS) {
        return usage_error("tap", "-i at most %d times; a pattern matches many, \"any\" taps all",
                           SELECTION_WORDS);
    }
    bool any = strcmp(name, "any") == 0; /* as it is for tcpdump */
    const char *pattern = any ? "*" : strpbrk(name, "*?[") ? name : NULL;
    if (name[0] == '\0' || (!pattern && strlen(name) >= IFNAMSIZ)) {
        return usage_error("tap", "-i \"%s\" is no interface's name: 1 to %d characters", name,
                           IFNAMSIZ - 1);
    }
    c->select.word[c->select.n_words++] = (struct selection_word){name, pattern, any};
    return 0;
}

/* The options whose value is a number or a form; 0, EXIT_USAGE, or -1: another option. */
static int checked_option(struct tap_conf *c, int opt, char *arg)
{
    struct error err = {""};
    uint64_t v = 0;
    int r = 0;
    switch (opt) {
    case 's':
        r = parse_u64(arg, "-s", 0, FRAME_LEN_MAX, &v, &err);
        c->select.snaplen = (uint32_t)v;
        break;
    case 'B':
        r = parse_u64(arg, "-B", 64, 1 << 20, &v, &err);
        c->select.ring_bytes = (uint32_t)MIN(v << 10, UINT64_C(1) << 30);
        break;
    case OPT_BACKLOG:
        r = parse_size(arg, "--backlog", true, BACKLOG_MIN, UINT64_C(64) << 30, &c->backlog_bytes,
                       &err);
        break;
    case 'c':
        r = parse_host_port(arg, &c->collector, &err);
        c->collector_text = arg;
        break;
    case OPT_MTU:
        r = parse_u64(arg, "--mtu", PMTU_MIN_V4, PMTU_MAX, &v, &err);
        c->mtu = (uint32_t)v;
        break;
    case OPT_VLAN:
        r = parse_vlan_list(arg, &c->select.vlans, &err);
        c->select.has_vlans = true;
        break;
    case OPT_NAME:
        if (!link_name_ok(arg, strlen(arg))) {
            return usage_error(
                "tap", "--name \"%s\": 1 to %d letters, digits, dots, dashes and underscores", arg,
                LINK_NAME_MAX);
        }
        snprintf(c->name, sizeof(c->name), "%s", arg);
        break;
    default:
        return -1;
    }
    return r < 0 ? usage_error("tap", "%s", err.text) : 0;
}

static int plain_option(struct tap_line *l, int opt, char *arg)
{
    struct tap_conf *c = &l->conf;
    switch (opt) {
    case 'i':
        return add_interface(c, arg);
    case OPT_DIRECTION:
        return set_direction(c, arg);
    case 'f':
        l->filter_option = arg;
        break;
    case 'p':
        c->select.not_promiscuous = true;
        break;
    case OPT_USER:
        c->user = arg;
        break;
    case OPT_KEEP_SUPER:
        c->select.keep_super = true;
        break;
    case OPT_TAKE_LINKS:
        c->select.take_links = true;
        break;
    case OPT_NETNS:
        c->select.netns = arg;
        break;
    case OPT_JSON:
        l->json = true;
        break;
    case OPT_STRICT:
        l->strict = true;
        break;
    default:
        return -1;
    }
    return 0;
}

/* Options end where the filter begins. A word of a filter does not begin with a dash and a letter;
 * where an expression has to, it stands in quotes, with others. */
static int check_filter_words(int n, char **words)
{
    for (int i = 0; i < n; i++) {
        const char *w = words[i] + strspn(words[i], "-");
        if (w > words[i] && ((*w | 0x20) >= 'a' && (*w | 0x20) <= 'z')) {
            return usage_error("tap",
                               "\"%s\" stands behind the filter, where no option is read: options "
                               "come first, the filter is the end",
                               words[i]);
        }
    }
    return 0;
}

static int finish(struct tap_line *l, int argc, char **argv)
{
    struct tap_conf *c = &l->conf;
    int r = check_filter_words(argc - optind, argv + optind);
    if (r != 0) {
        return r;
    }
    if (c->select.n_words == 0) {
        return usage_error("tap", "an interface is needed: -i INTERFACE (--list shows them)");
    }
    if (!c->collector_text) {
        return usage_error("tap", "a collector is needed: -c HOST:PORT");
    }
    if (l->filter_option && optind < argc) {
        return usage_error("tap", "the filter stands either behind -f or in the last words");
    }
    if (l->filter_option) {
        c->select.filter = strdup(l->filter_option);
    } else if (optind < argc) {
        c->select.filter = filter_join(argv + optind, argc - optind);
    }
    return secret_check(&l->secret, "tap", false);
}

int tap_parse(struct tap_line *l, int argc, char **argv)
{
    struct tap_conf *c = &l->conf;
    int opt;
    bool list = false;
    struct option_seen seen = {0};
    host_name(c->name);
    while ((opt = getopt_long(argc, argv, "+:i:lf:s:pB:c:k:KhV", options, NULL)) != -1) {
        if (help_option(opt, help)) {
            return -1 - EXIT_SUCCESS;
        }
        if (opt == 'l') {
            list = true;
            continue;
        }
        int r = opt == '?' || opt == ':' ? option_error("tap", argv, opt)
                                         : option_once(&seen, "tap", options, opt, optarg, "i");
        r = r == 0 ? checked_option(c, opt, optarg) : r;
        r = r == -1 ? plain_option(l, opt, optarg) : r;
        r = r == -1 ? secret_option(&l->secret, opt, optarg) : r;
        if (r != 0) {
            return -1 - r;
        }
    }
    if (list) {
        return -1 - list_interfaces(c->select.netns);
    }
    int r = finish(l, argc, argv);
    return r != 0 ? -1 - r : 0;
}
