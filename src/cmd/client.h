/* SPDX-License-Identifier: Apache-2.0
 *
 * The common part of the commands that ask a service: where it is, who asks, its answers, and
 * tables of what it has. client_answer.c, client_data.c and client_table.c have parts of it.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/conf.h"
#include "model/kind.h"
#include "sys/http_client.h"

struct client_options {
    const char *server;     /* --server; NULL: FARSPAN_SERVER, or the local socket */
    const char *token_file; /* --token-file; NULL: FARSPAN_TOKEN, or none */
    bool json;
};

extern const struct conf_group client_group;

struct client {
    struct http_client *http;
    volatile sig_atomic_t *stop; /* set by Ctrl-C; requests end then */
};

/* 0 or -errno with a sentence. */
int client_open(struct client *c, const struct client_options *o, struct error *err);
void client_close(struct client *c);

/* Asks for JSON: *ret is the document, or NULL where an answer has none; `body` is borrowed, NULL:
 * none. An answer of 400 or more is -EPROTO, with the service's own words for each fault; -ENOENT
 * for 404, -EBUSY for 409, -EACCES for 401 and 403. */
int client_ask(struct client *c, const char *method, const char *path, const json_t *body,
               json_t **ret, struct error *err);
/* A taker gets an answer's bytes as they come. */
struct client_taker {
    int (*take)(void *user, const void *bytes, size_t len); /* other than 0 ends it */
    void (*tick)(void *user);                               /* now and then; may be NULL */
    void *user;
};
/* The same as client_ask for an answer that is taken as it comes. */
int client_take(struct client *c, const char *path, const char *accept,
                const struct client_taker *taker, struct error *err);
/* All pages of a list into one array: `path` without limit and marker, `name` as in "captures". */
int client_list(struct client *c, const char *path, const char *name, json_t **ret,
                struct error *err);

/* Does the word mean that port of the list: its name, with that of its agent, its alias, or its id?
 */
bool client_means_port(const json_t *port, const char *word);

/* The object of that name or id, borrowed from the array; `what`, as "token", is for sentences.
 * NULL with a sentence: none (ENOENT), or several have that name. */
const json_t *client_named(const json_t *all, const char *what, const char *word,
                           struct error *err);

/* A text of the document; "": there is none. */
const char *client_text(const json_t *o, const char *name);
int64_t client_int(const json_t *o, const char *name);

/* A word of a path, with all that is no letter, digit, dash, dot or underscore as %XX. -EMSGSIZE.
 */
int client_escape(const char *from, char *to, size_t cap);

/* ---- tables ---- */

struct client_column {
    const char *title;
    bool right;        /* numbers */
    const char *field; /* that has the text, list, number or truth */
    /* Or the cell's text made of several; whoever prints it cleans it. */
    void (*cell)(const json_t *o, char *ret, size_t cap);
    bool time; /* the field is RFC 3339; without the part of a second */
};

/* Prints the array as a table with columns as wide as they have to be. */
void client_table(const json_t *array, const struct client_column *columns, size_t n, FILE *to);
/* The document on standard output. */
void client_json(const json_t *doc);
/* Each field of the object on a line, cleaned, except those that are null. */
void client_whole(const json_t *o, FILE *to);
/* One of both, on standard output. */
void client_show(const json_t *o, bool json);
/* "1.1 MB", "10 s" and "-", for cells. */
void client_size_words(int64_t bytes, char *ret, size_t cap);
void client_span_words(int64_t ns, char *ret, size_t cap);
/* RFC 3339 without the part of a second; "" stays. */
void client_time_words(const char *text, char *ret, size_t cap);
/* RFC 3339 into nanoseconds; INT64_MIN: it is none. */
int64_t client_time(const char *text);

/* "10s", "5min", "2h", "90d" and "500ms" in ns. -EINVAL. */
int client_duration(const char *text, int64_t *ret_ns);
/* Ctrl-C and SIGTERM set a flag, once, for struct client. */
volatile sig_atomic_t *client_catch_signals(void);
/* The captures whose ids begin so: exactly one, whose whole id comes back. -ENOENT, -EEXIST. */
int client_capture_id(struct client *c, const char *word, char ret[KIND_ID], struct error *err);

/* An exit status: a failure is told as that command's, -EINVAL as its wrong usage; so is standard
 * output that has not taken all. */
int client_exit(const char *command, int r, const struct error *err);
