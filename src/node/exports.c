/* SPDX-License-Identifier: Apache-2.0 */
#include "node/exports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/meter/ipfix_file.h"
#include "data/meter/kafka.h"
#include "node/report.h"
#include "node/report_parts.h"
#include "proto/ipfix.h"
#include "sys/write_file.h"

enum {
    ASK_MS = 1000, /* between two questions for a connection */
};

_Static_assert((int)EXPORT_FORMS == 4 && (int)EXPORT_LIST_MAX == 8,
               "each has a place in EXPORTS_NOT_OPENED");

void exports_remove(const struct exports_conf *conf, const struct exports_opened *o)
{
    for (size_t i = 0; i < EXPORT_FORMS; i++) {
        if (o->file[i] >= 0 && conf->file[i] && strcmp(conf->file[i], "-") != 0) {
            (void)unlink(conf->file[i]);
        }
    }
}

unsigned exports_count(const struct exports_conf *conf)
{
    unsigned n = conf->net.n + (conf->has_kafka ? 1 : 0);
    for (size_t i = 0; i < EXPORT_FORMS; i++) {
        n += conf->file[i] != NULL;
    }
    return n;
}

/* Its process, as the engine's user. */
static int open_kafka(const struct exports_conf *conf, struct exports_opened *ret,
                      struct error *err)
{
    struct sandbox_conf child;
    struct kafka_conf c = conf->kafka;
    c.waits = conf->net.waits;
    const int r = broker_find_user(conf->net.user, &child, err);
    return r < 0 ? r : kafka_start(&c, &child, &ret->kafka, &ret->kafka_pid, err);
}

int exports_open(const struct exports_conf *conf, struct exports_opened *ret, struct error *err)
{
    int r = 0;
    for (unsigned i = 0; i < conf->net.n && r == 0; i++) {
        r = export_list_open(&conf->net, i, 0, &ret->net[i], err);
    }
    for (size_t i = 0; i < EXPORT_FORMS && r == 0; i++) {
        if (conf->file[i]) {
            ret->file[i] = new_file(conf->file[i], err);
            r = ret->file[i] < 0 ? ret->file[i] : 0;
        }
    }
    r = r < 0 || !conf->has_kafka ? r : open_kafka(conf, ret, err);
    if (r < 0) {
        exports_remove(conf, ret);
    }
    return r;
}

void exports_over(const struct exports_opened *o)
{
    kafka_wait(o->kafka_pid);
}

void exports_opened_done(struct exports_opened *o)
{
    for (size_t i = 0; i < EXPORT_FORMS; i++) {
        closep(&o->file[i]);
    }
    for (size_t i = 0; i < EXPORT_LIST_MAX; i++) {
        closep(&o->net[i]);
    }
    closep(&o->kafka);
}

/* Fields of IPFIX. */
static unsigned fields_of(const struct exports_conf *conf)
{
    return (conf->tunnels ? IPFIX_TUNNEL : 0u) | (conf->biflow ? IPFIX_BIFLOW : 0u) |
           (conf->ns ? IPFIX_NS : 0u);
}

static int make_one(const struct exports_conf *conf, enum export_form form, int fd, bool each,
                    bool live, struct exporter **ret)
{
    const char *name = strcmp(conf->file[form], "-") == 0 ? "standard output" : conf->file[form];
    return form == EXPORT_IPFIX ? ipfix_file_exporter_new(fd, name, fields_of(conf), each, live,
                                                          &conf->net.sampling, ret)
                                : lines_exporter_new((enum lines_form)form, fd, name, live, ret);
}

static int make_kafka(const struct exports_conf *conf, int fd, struct exporter **ret)
{
    char name[sizeof(conf->kafka.brokers) + sizeof(conf->kafka.topic)];
    (void)snprintf(name, sizeof(name), "%s/%s", conf->kafka.brokers, conf->kafka.topic);
    return kafka_exporter_new(
        &(struct kafka_exporter_conf){.fd = fd, .name = name, .waits = conf->net.waits}, ret);
}

/* The exporters to collectors stand behind those to files. */
int exports_make(const struct exports_conf *conf, struct exports_opened *o, bool each, bool live,
                 struct exporter *ret[EXPORTERS_MAX], unsigned *ret_n)
{
    unsigned n = 0;
    int r = exports_count(conf) <= EXPORTERS_MAX ? 0 : -ENOSPC;
    for (size_t i = 0; i < EXPORT_FORMS && r == 0; i++) {
        if (o->file[i] >= 0) {
            r = make_one(conf, (enum export_form)i, o->file[i], each, live, &ret[n]);
            o->file[i] = r == 0 ? -1 : o->file[i];
            n += r == 0;
        }
    }
    if (o->kafka >= 0 && r == 0) {
        r = make_kafka(conf, o->kafka, &ret[n]);
        o->kafka = r == 0 ? -1 : o->kafka;
        n += r == 0;
    }
    for (unsigned i = 0; i < conf->net.n && r == 0; i++) {
        r = export_list_make(&conf->net, i, o->net[i], fields_of(conf), each, &ret[n]);
        o->net[i] = r == 0 ? -1 : o->net[i];
        n += r == 0;
    }
    if (r < 0) {
        while (n > 0) {
            exporter_free(ret[--n]);
        }
        return r;
    }
    *ret_n = n;
    return 0;
}

void exports_tend(const struct exports_conf *conf, struct exporter *const x[], unsigned n,
                  struct mono asked[EXPORT_LIST_MAX], export_request *request, struct broker *b,
                  struct mono now)
{
    for (unsigned i = 0; i < conf->net.n; i++) {
        struct exporter *e = x[n - conf->net.n + i];
        struct error err = {""};
        int fd = -1;
        if (!network_exporter_wants(e) || now.ns < mono_add_ms(asked[i], ASK_MS).ns) {
            continue;
        }
        asked[i] = now;
        if (request(b, i, &fd, &err) == 0) {
            network_exporter_give(e, fd);
        }
    }
}

json_t *exports_document(struct exporter *const x[], unsigned n)
{
    json_t *list = json_array();
    for (unsigned k = 0; k < n; k++) {
        json_t *v = report_stage(&x[k]->ledger, NULL, LEDGER_EXPORT);
        report_set_str(v, "name", x[k]->name);
        report_set_str(v, "kind", x[k]->ops->kind);
        (void)json_array_append_new(list, v);
    }
    return list;
}
