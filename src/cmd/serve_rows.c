/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan serve`.
 */
#include <errno.h>
#include <string.h>

#include "cmd/select_values.h"
#include "cmd/serve_line.h"
#include "cmd/tables.h"
#include "sys/cidr.h"
#include "sys/udp.h"

static const char intro[] =
    "Usage: farspan serve [OPTION...]\n"
    "\n"
    "Captures for others: they ask over HTTP, or by farspan capture, for packets of this host's\n"
    "interfaces, and get them as files. What they asked for goes on over crashes and restarts.\n";

/* An address in numbers that no other host can reach. */
static bool is_loopback(const char *host)
{
    struct udp_addr a;
    uint8_t ip[16];
    if (udp_addr_parse(host, &a) < 0) {
        return false;
    }
    udp_addr_ip(&a, ip);
    return cidr_is_loopback(ip);
}

int serve_add_listen(struct serve_line *l, const char *label, const struct host_port *at,
                     struct error *err)
{
    if (l->n_listen == SERVE_LISTEN) {
        return error_set(err, EINVAL, "%s at most %d times", label, SERVE_LISTEN);
    }
    if (!is_loopback(at->host)) {
        return error_set(err, EINVAL,
                         "%s \"%s\": a loopback address in numbers, such as 127.0.0.1:2020: "
                         "without encryption no other is listened on",
                         label, at->host);
    }
    l->listen[l->n_listen++] = *at;
    return 0;
}

static int set_listen(void *to, const struct conf_given *given, struct error *err)
{
    struct host_port at;
    int r = parse_host_port_or(given->text, SERVE_PORT, &at, err);
    if (r < 0) {
        error_prefix(err, "%s", given->label);
        return r;
    }
    return serve_add_listen(to, given->label, &at, err);
}

static int set_anonymous(void *to, const struct conf_given *given, struct error *err)
{
    const int at = parse_word(given->text, given->label, given->row->words, err);
    *(enum serve_anonymous *)to = (enum serve_anonymous)MAX(at, 0); /* in their order */
    return at < 0 ? at : 0;
}

static int set_host(void *to, const struct conf_given *given, struct error *err)
{
    struct serve_line *l = to;
    const size_t len = strlen(given->text);
    if (l->n_hosts == SERVE_HOSTS) {
        return error_set(err, EINVAL, "%s at most %d times", given->label, SERVE_HOSTS);
    }
    if (len == 0 || len > 253 ||
        strspn(given->text, "abcdefghijklmnopqrstuvwxyz0123456789.-") != len) {
        return error_set(err, EINVAL,
                         "%s \"%s\" is no host's name: small letters, digits, dots and "
                         "dashes",
                         given->label, given->text);
    }
    l->host[l->n_hosts++] = given->text;
    return 0;
}

static const struct conf_row rows[] = {
    {0, "listen", "ADDRESS[:PORT]",
     "listen for HTTP on this loopback address (default 127.0.0.1:2020);\n"
     "up to four times",
     set_listen, .flags = CONF_REPEAT,
     .manual = "Listen for HTTP on this address, which has to be one of loopback. May be given up\n"
               "to four times; without it, _127.0.0.1:2020_. The same API is on the Unix socket\n"
               "_/run/farspan/serve.api_."},
    {'i', "interface", "INTERFACE",
     "this interface is a port that may be captured; may be given several\n"
     "times; a pattern, such as 'veth*': each that matches (default: all)",
     select_set_interface, .to = offsetof(struct serve_line, select),
     .flags = CONF_REPEAT | CONF_LIVE, .offer = CONF_INTERFACE,
     .manual = "This interface, or each whose name matches the pattern of the shell, is a port\n"
               "that captures may name. May be given several times. They may come and go.\n"
               "Without it, all interfaces are ports."},
    {0, "netns", "NAME|PID", "the interfaces of another network namespace",
     CONF_TEXT_AT(struct serve_line, select.netns), .offer = CONF_NETNS,
     .manual = "The interfaces of another network namespace: one that *ip-netns*(8) knows by\n"
               "_NAME_, or that of the process _PID_."},
    {0, "data", "FOLDER", "what is captured and the store", CONF_TEXT_AT(struct serve_line, data),
     .dflt = "/var/lib/farspan", .offer = CONF_FILE,
     .manual = "The folder with the store and the captures. It is made where it is missing."},
    {0, "anonymous", "RIGHT",
     "none, read or capture: what requests of this host without a token may", set_anonymous,
     .to = offsetof(struct serve_line, anonymous), .flags = CONF_LIVE, .dflt = "none",
     .words = "none|read|capture",
     .manual = "What requests that come by a loopback address without a token may do: nothing,\n"
               "look, or capture. They need a Host header that is localhost, a loopback address,\n"
               "or a name of *--host*, so that no web page can send them."},
    {0, "opentap-conf", "FILE", "take the settings of an OpenTap from its own file",
     CONF_TEXT_AT(struct serve_line, opentap), .offer = CONF_FILE,
     .manual = "Take the settings of an OpenTap that was here before from its own file, usually\n"
               "_/etc/opentap/opentap.conf_: name, retention, default port, aliases, and, without\n"
               "*--listen*, the address. _opentapSensorConf.csv_ beside it is looked at too. Both\n"
               "are read again on SIGHUP; another address needs a restart."},
    {0, "host", "NAME", "such requests may name this host", set_host,
     .flags = CONF_REPEAT | CONF_LIVE,
     .manual = "A name that requests without a token may give in their Host header, beside\n"
               "localhost and loopback addresses. May be given several times."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part parts[] = {
    {&group, 0},
    {&common_group, offsetof(struct serve_line, common)},
};
const struct conf_table serve_table = {"serve", parts, ARRAY_SIZE(parts)};
const struct options serve_options = {&serve_table,  intro, 26,          NULL,
                                      config_tables, NULL,  CONF_NOTHING};
