/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file that is read again while its program runs: what `farspan tap` and `farspan
 * collector` do alike. The broker reads it, as it may, compiles the filters in it, and hands both
 * to the engine, which reads the same text by the same command line: so both halves come to the
 * same settings. tap_reload.c and collector_reload.c have what differs, as their operations.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "node/reload_grant.h"

/* A command whose file is read again. Its line is the structure that it reads its command line
 * into, all zeros before. */
struct reload_ops {
    const char *command; /* for what is told */
    size_t size;         /* bytes of a line; at these of its bytes are … */
    size_t file;   /* … its struct options_file, whose text is set before it is parsed, … */
    size_t config; /* … and the file's path, a const char *; NULL: it has none */
    /* Reads argv and the file's text into the line, and compiles the filters in them; done is due
     * after a failure, too. -errno with a sentence. */
    int (*parse)(void *line, int argc, char **argv, struct error *err);
    void (*done)(void *line);
    /* May one line become the other while the program runs? Settings that need a restart were
     * compared before. -EBUSY with a sentence. NULL: it may. */
    int (*may)(const void *from, const void *to, struct error *err);
    /* In the broker: another line holds from now on, which its grants may point into. NULL: they do
     * not. */
    void (*holds)(void *grants, const void *line);
    /* In the engine: has the tap or the collector be as the line says. */
    void (*become)(void *node, const void *line);
    reload_request *request;
};

/* Lives in both halves, and each has its own. */
struct reload {
    const struct reload_ops *ops;
    int argc;
    char **argv;
    void *line;             /* as it holds; the first one is the caller's */
    void *grants;           /* the broker's, of reload_grant */
    struct reloaded *lines; /* that were read again: somebody may look at each of them still */
};

/* Is there a file? */
bool reload_can(const struct reload *r);
/* Before the split: has the broker serve the request, if there is a file. `grants` are for holds();
 * both are borrowed. */
void reload_grant(struct reload *r, struct reload_grant *ret, void *grants);
/* In the engine: asks the broker for the file, and has `node` be as it says. What came of it is
 * told; what is wrong changes nothing. */
void reload_ask(struct reload *r, struct broker *b, void *node);
/* Frees the lines that were read again. */
void reload_done(struct reload *r);
