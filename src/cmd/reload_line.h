/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of a command whose file is read again (cmd/reload.h): how they are read, and which one
 * holds.
 */
#pragma once

#include <stddef.h>

#include "cmd/config.h"
#include "cmd/reload_bytes.h"
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
    /* In the engine, for reload_ask: has the tap or the collector be as the line says. */
    void (*become)(void *node, const void *line);
    reload_request *request;
};

/* Lives in both halves, and each has its own. */
struct reload {
    const struct reload_ops *ops;
    int argc;
    char **argv;
    void *line;               /* as it holds; the first one is the caller's */
    void *grants;             /* the broker's, of reload_grant */
    struct reloaded *lines;   /* that were read again: somebody may look at each of them still */
    struct reload_bytes read; /* the broker's, of reload_read: the file as it holds */
};

/* A line that was read again. */
struct reloaded {
    struct reloaded *before;
    _Alignas(max_align_t) char line[];
};

/* The file of a line. */
struct options_file *reload_file(const struct reload *r, void *line);
/* The file's path, which is the same in all lines; NULL: there is none. */
const char *reload_path(const struct reload *r);
/* Reads the line with the file's text, as its filters are recorded or played. -errno with a
 * sentence. */
int reload_line_read(const struct reload *r, struct reload_bytes *from, struct reloaded **ret,
                     struct error *err);
/* It is the line that holds from now on. */
void reload_line_take(struct reload *r, struct reloaded *n);
/* One that was not taken. Takes NULL. */
void reload_line_free(const struct reload *r, struct reloaded *n);
