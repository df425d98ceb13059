/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/import_ivtap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/import_names.h"
#include "proto/properties.h"

bool ivtap_address(const char *name, char ret[IVTAP_ADDRESS_TEXT])
{
    struct in6_addr any;
    for (unsigned i = 0; i < 2; i++) {
        const int family = i == 0 ? AF_INET : AF_INET6;
        if (inet_pton(family, name, &any) == 1) {
            return inet_ntop(family, &any, ret, IVTAP_ADDRESS_TEXT) != NULL;
        }
    }
    return false;
}

int ivtap_recognise(const char *text, size_t len, enum ivtap_file *ret, struct error *err)
{
    struct properties p;
    struct property it;
    bool described = false;
    int r = properties_begin(&p, text, len, err);
    while (r == 0 && (r = properties_next(&p, &it, NULL)) != 0) {
        char address[IVTAP_ADDRESS_TEXT];
        const enum ivtap_setting known = r > 0 ? ivtap_find(it.name) : IVTAP_SETTINGS;
        if (known < IVTAP_SETTINGS) {
            *ret = ivtap_file_of(known);
            return 0;
        }
        described |= r > 0 && ivtap_address(it.name, address);
        r = 0;
    }
    if (r < 0) {
        return r;
    }
    *ret = IVTAP_DESCRIPTIONS;
    return described ? 0
                     : error_set(err, EINVAL,
                                 "nothing of ivTAP's is in it, such as %s of a client, %s of a "
                                 "server, or the description of an address",
                                 ivtap_name(IVTAP_INTERFACE), ivtap_name(IVTAP_OUT));
}

static void unknown(struct import *m, enum ivtap_file file, unsigned line, const char *name)
{
    static const char *const whose[] = {[IVTAP_CLIENT] = "client", [IVTAP_SERVER] = "server"};
    const char *nearest = ivtap_nearest(name, file);
    if (ivtap_find(name) < IVTAP_SETTINGS) {
        import_mistake(m, line, "%s is a setting of ivTAP's %s, and is not converted here", name,
                       whose[file == IVTAP_CLIENT ? IVTAP_SERVER : IVTAP_CLIENT]);
    } else {
        import_mistake(m, line, "ivTAP's %s has no setting \"%s\"%s%s%s", whose[file], name,
                       nearest ? ": did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?" : "");
    }
}

char *ivtap_trimmed(const char *text)
{
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) {
        n--;
    }
    return n > 0 ? strndup(text, n) : NULL;
}

static void take(struct import *m, struct ivtap *t, enum ivtap_file file, unsigned line,
                 const struct property *it)
{
    const enum ivtap_setting i = ivtap_find(it->name);
    if (i == IVTAP_SETTINGS || ivtap_file_of(i) != file) {
        unknown(m, file, line, it->name);
        return;
    }
    if (t->of[i].line > 0) {
        import_mistake(m, line,
                       "%s is set a second time, first in line %u: this one holds, as for "
                       "Java",
                       it->name, t->of[i].line);
    }
    free(t->of[i].value);
    t->of[i].value = ivtap_trimmed(it->value);
    t->of[i].line = line;
}

void ivtap_each(struct import *m, const char *text, size_t len, ivtap_take *fn, void *user)
{
    struct properties p;
    struct property it;
    struct error why = {""};
    if (properties_begin(&p, text, len, &why) < 0) {
        return; /* it was recognised, so that this cannot be */
    }
    m->told_most = IVTAP_MISTAKES;
    for (int r; (r = properties_next(&p, &it, &why)) != 0;) {
        if (r < 0) {
            import_mistake(m, p.line, "%s", why.text);
        } else {
            fn(user, p.line, &it);
        }
    }
    import_told_rest(m, IVTAP_MISTAKES);
}

/* A file that is being read. */
struct reading {
    struct import *m;
    enum ivtap_file file;
    struct ivtap *t;
};

static void take_into(void *user, unsigned line, const struct property *it)
{
    const struct reading *r = user;
    take(r->m, r->t, r->file, line, it);
}

void ivtap_read(struct import *m, enum ivtap_file file, const char *text, size_t len,
                struct ivtap *ret)
{
    struct reading r = {m, file, ret};
    *ret = (struct ivtap){0};
    ivtap_each(m, text, len, take_into, &r);
}

void ivtap_done(struct ivtap *t)
{
    for (size_t i = 0; i < IVTAP_SETTINGS; i++) {
        free(t->of[i].value);
    }
}
