/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan meter` about records as IPFIX and NetFlow, and the collectors that get
 * them.
 */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "cmd/meter_line.h"

enum {
    RATE_MIN = 100, /* fewer records than a few messages hold would never fill one */
    RATE_MAX = 100000000,
};

static int add(struct exports_conf *c, enum encode_form form, const struct conf_given *given,
               struct error *err)
{
    const int r = export_list_add(&c->net, form, given->text, err);
    if (r < 0) {
        error_prefix(err, "%s", given->label);
    }
    return r;
}

static int set_netflow5(void *to, const struct conf_given *given, struct error *err)
{
    return add(to, ENCODE_NETFLOW5, given, err);
}

static int set_netflow9(void *to, const struct conf_given *given, struct error *err)
{
    return add(to, ENCODE_NETFLOW9, given, err);
}

static int set_ipfix(void *to, const struct conf_given *given, struct error *err)
{
    static const char scheme[] = "file:";
    const size_t n = sizeof(scheme) - 1;
    struct exports_conf *c = to;
    if (strncmp(given->text, scheme, n) != 0) {
        return add(c, ENCODE_IPFIX, given, err);
    }
    if (given->text[n] == '\0' || c->file[EXPORT_IPFIX]) {
        return error_set(err, EINVAL, "%s: %s", given->label,
                         given->text[n] ? "only one file can be written as IPFIX"
                                        : "\"file:\" is no file:PATH");
    }
    c->file[EXPORT_IPFIX] = given->text + n;
    return 0;
}

static int set_rate(void *to, const struct conf_given *given, struct error *err)
{
    struct exports_conf *c = to;
    uint64_t v = 0;
    int r = parse_u64(given->text, given->label, 0, RATE_MAX, &v, err);
    if (r == 0 && v > 0 && v < RATE_MIN) {
        r = error_set(err, ERANGE, "%s: %s is less than %d records a second, and not 0",
                      given->label, given->text, RATE_MIN);
    }
    if (r == 0) {
        c->net.rate = (uint32_t)v;
        c->net.has_rate = true;
    }
    return r;
}

static int set_kafka(void *to, const struct conf_given *given, struct error *err)
{
    struct exports_conf *c = to;
    const int r = kafka_parse(given->text, &c->kafka, err);
    c->has_kafka |= r == 0;
    if (r < 0) {
        error_prefix(err, "%s", given->label);
    }
    return r;
}

static const struct conf_row rows[] = {
    {0, "ipfix", "WHERE",
     "send records as IPFIX messages to HOST[:PORT] (4739), to\n"
     "tcp:HOST[:PORT], or write them into file:PATH",
     set_ipfix, .flags = CONF_REPEAT,
     .manual =
         "Send the records as IPFIX messages (RFC 7011) to a collector: in datagrams to\n"
         "\"HOST\" or \"HOST:PORT\" (by default 4739), over a connection with \"tcp:\" before\n"
         "that. An IPv6 address stands in brackets. \"file:PATH\" writes them into a file\n"
         "(RFC 5655), which must not be there yet; \"file:-\" is standard output. See\n"
         "*COLLECTORS* and *RECORDS*. May be given several times, as the next two."},
    {0, "ipfix-ns", NULL, "IPFIX with times in nanoseconds too",
     CONF_FLAG_AT(struct exports_conf, ns),
     .manual = "IPFIX records have their times in nanoseconds too (156, 157), beside those in\n"
               "milliseconds (152, 153), which are all that some collectors read."},
    {0, "netflow9", "HOST[:PORT]", "send records as NetFlow 9 (port 2055)", set_netflow9,
     .flags = CONF_REPEAT, .offer = CONF_HOST,
     .manual = "Send the records as NetFlow version 9 (RFC 3954) in datagrams to a collector,\n"
               "by default to port 2055."},
    {0, "netflow5", "HOST[:PORT]", "send records as NetFlow 5 (port 2055): IPv4 only", set_netflow5,
     .flags = CONF_REPEAT, .offer = CONF_HOST,
     .manual = "Send the records as NetFlow version 5 in datagrams to a collector, by default\n"
               "to port 2055. It has no IPv6: those records count as _cannot_carry_."},
    {0, "kafka", "BROKERS/TOPIC",
     "send records to Kafka, as JSON: BROKER:PORT[,BROKER:PORT...]/TOPIC", set_kafka,
     .manual = "Send the records to a topic of Kafka, as JSON, by a list of brokers of which one\n"
               "at least is to be reached: BROKER:PORT[,BROKER:PORT...]/TOPIC. See *KAFKA*."},
    {0, "kafka-config", "FILE", "properties of librdkafka, name=value a line",
     CONF_TEXT_AT(struct exports_conf, kafka.properties), .offer = CONF_FILE,
     .manual =
         "Properties of librdkafka for *--kafka*, a line each: TLS, SASL and so on. The file\n"
         "is read with the privileges of who starts the program, files that it names as\n"
         "the unprivileged user. See *KAFKA*."},
    {0, "export-rate", "N",
     "records a second to each collector (default: 50000 in\n"
     "datagrams from a file); 0: as fast as it goes",
     set_rate,
     .manual = "The number of records a second that go to each collector; 0 is as fast as it\n"
               "goes. By default 50000 in datagrams from a file, as a collector that is slower\n"
               "loses them without a word, and else no limit. It is 0, or 100 at least."},
};

const struct conf_group meter_net_group = {"Flow records:", rows, ARRAY_SIZE(rows)};
