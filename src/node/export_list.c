/* SPDX-License-Identifier: Apache-2.0 */
#include "node/export_list.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/broker.h"
#include "sys/peer.h"
#include "sys/resolve.h"

enum {
    RESOLVE_MS = 3000,
    NAME = 300,
};

int export_list_add(struct export_list *l, enum encode_form form, const char *text,
                    struct error *err)
{
    static const char scheme[] = "tcp:";
    struct export_to to = {.form = form};
    if (l->n == EXPORT_LIST_MAX) {
        return error_set(err, ENOSPC, "records can go to %d places, and no more", EXPORT_LIST_MAX);
    }
    to.tcp = form == ENCODE_IPFIX && strncmp(text, scheme, sizeof(scheme) - 1) == 0;
    const int r = parse_host_port_or(text + (to.tcp ? sizeof(scheme) - 1 : 0),
                                     form == ENCODE_IPFIX ? EXPORT_PORT_IPFIX : EXPORT_PORT_NETFLOW,
                                     &to.at, err);
    if (r == 0) {
        l->to[l->n++] = to;
    }
    return r;
}

static int look_up(const struct export_list *l, const struct export_to *to,
                   struct sockaddr_storage ret[RESOLVE_MAX], size_t *ret_n, struct error *err)
{
    struct resolve_conf rc = {.lookup = NULL};
    const int r = geteuid() == 0 ? broker_find_user(l->user, &rc.child, err) : 0;
    return r < 0 ? r
                 : resolve_host(&rc, to->at.host, to->at.port, mono_add_ms(mono_now(), RESOLVE_MS),
                                ret, RESOLVE_MAX, ret_n, err);
}

static struct udp_addr address_of(const struct sockaddr_storage *s)
{
    struct udp_addr a = {.len = s->ss_family == AF_INET6 ? sizeof(a.v6) : sizeof(a.v4)};
    memcpy(&a.v6, s, a.len);
    return a;
}

int export_list_open(const struct export_list *l, unsigned i, unsigned tried, int *ret_fd,
                     struct error *err)
{
    struct sockaddr_storage found[RESOLVE_MAX];
    size_t n = 0;
    int r = look_up(l, &l->to[i], found, &n, err);
    if (r < 0) {
        return r;
    }
    for (size_t k = 0; k < n; k++) {
        const struct udp_addr a = address_of(&found[(tried + k) % n]);
        r = peer_open(l->to[i].tcp, &a, l->mark, ret_fd, err);
        if (r == 0) {
            break;
        }
    }
    return r;
}

bool export_is_named(const struct export_to *to)
{
    struct udp_addr a;
    return udp_addr_parse(to->at.host, &a) < 0;
}

int export_list_make(const struct export_list *l, unsigned i, int fd, unsigned with, bool each,
                     struct exporter **ret)
{
    char name[NAME];
    const struct export_to *to = &l->to[i];
    const char *form = strchr(to->at.host, ':') ? "%s[%s]:%u" : "%s%s:%u";
    (void)snprintf(name, sizeof(name), form, to->tcp ? "tcp:" : "", to->at.host, to->at.port);
    const struct network_conf nc = {.form = to->form,
                                    .tcp = to->tcp,
                                    .named = !to->tcp && export_is_named(to),
                                    .fd = fd,
                                    .name = name,
                                    .rate = l->has_rate            ? l->rate
                                            : l->waits && !to->tcp ? EXPORT_RATE
                                                                   : 0,
                                    .waits = l->waits,
                                    .with = with,
                                    .each = each,
                                    .sampling = l->sampling,
                                    .source = 1};
    return network_exporter_new(&nc, ret);
}
