/* SPDX-License-Identifier: Apache-2.0
 *
 * The descriptions of ivTAP's clients as a section [describe]; cmd/import.c calls it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/import_tap.h"
#include "cmd/tables.h"
#include "node/describe.h"
#include "proto/properties.h"

enum {
    DESCRIBED_MAX = 4096, /* of a file of PROPERTIES_MAX bytes */
};

struct described {
    char address[IVTAP_ADDRESS_TEXT];
    char *words; /* owned */
    unsigned line;
};

struct list {
    struct described *at;
    unsigned n;
};

static struct described *find(const struct list *l, const char *address)
{
    for (unsigned i = 0; i < l->n; i++) {
        if (strcmp(l->at[i].address, address) == 0) {
            return &l->at[i];
        }
    }
    return NULL;
}

/* Of an address that comes twice the last holds, as for Java. */
static void take(struct import *m, struct list *l, unsigned line, const struct property *it)
{
    struct error err = {""};
    char address[IVTAP_ADDRESS_TEXT];
    char *words = ivtap_trimmed(it->value);
    struct described *d = NULL;
    if (!ivtap_address(it->name, address)) {
        import_mistake(m, line, "\"%.80s\" is no address of a client", it->name);
    } else if (!words) {
        import_mistake(m, line, "%s has no description", address);
    } else if (import_check(&tap_table, "description", words, &err) < 0) {
        import_mistake(m, line, "%s: %s", address, err.text);
    } else if (strlen(words) > DESCRIBE_TEXT) {
        import_mistake(m, line, "%s: a description has %d bytes at most", address, DESCRIBE_TEXT);
    } else if ((d = find(l, address)) != NULL) {
        import_mistake(m, line,
                       "%s is described a second time, first in line %u: this one holds, "
                       "as for Java",
                       address, d->line);
    } else if (l->n < DESCRIBED_MAX) {
        d = &l->at[l->n++];
        d->line = line;
        snprintf(d->address, sizeof(d->address), "%s", address);
    } else {
        import_mistake(m, line, "at most %d clients are described", DESCRIBED_MAX);
    }
    if (d) {
        free(d->words);
        d->words = words;
    } else {
        free(words);
    }
}

/* The list that a file becomes. */
struct reading {
    struct import *m;
    struct list *l;
};

static void take_into(void *user, unsigned line, const struct property *it)
{
    const struct reading *r = user;
    take(r->m, r->l, line, it);
}

void import_describe(struct import *m, const char *text, size_t len)
{
    struct list l = {calloc(DESCRIBED_MAX, sizeof(*l.at)), 0};
    if (!l.at) {
        import_mistake(m, 0, "there is no memory");
        return;
    }
    struct reading r = {m, &l};
    ivtap_each(m, text, len, take_into, &r);
    import_comment("Made by farspan import of %s", m->path);
    printf("[describe]\n");
    for (unsigned i = 0; i < l.n; i++) {
        import_setting(l.at[i].address, l.at[i].words);
        free(l.at[i].words);
    }
    free(l.at);
}
