/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of a service's roles to its broker, both ends. The data role opens rings and writes
 * captures' files; the control role reads them, and deletes them. Both have filters compiled, by a
 * child of the broker's that has no privileges. A file is known by its capture's id alone, in one
 * folder that was opened before the split.
 */
#pragma once

#include "node/mirror_requests.h"
#include "node/reload_grant.h"
#include "proto/wanted.h"
#include "sys/filter.h"

/* The roles, by their places. */
enum serve_role {
    SERVE_DATA,
    SERVE_CONTROL,
    SERVE_ROLES,
};

/* A file of a capture: its own, or that of a snapshot. */
enum serve_file {
    SERVE_FILE_MAIN,
    SERVE_FILE_SNAPSHOT,
    SERVE_FILES,
};

enum serve_data_request {
    SERVE_CREATE = MIRROR_REQUESTS, /* id 16, u8 file: gives a descriptor to read and write */
    SERVE_COUNTERS, /* gives a socket of sys/linkcount.h, in the namespace of the interfaces */
    SERVE_SPEED,    /* an interface's name, 16 bytes: gives u64 bit/s of its link, 0: unknown */
    SERVE_COMPILE,  /* a filter's text: gives its program, as bytes of a memfd */
    SERVE_DATA_SETTINGS, /* gives the configuration file as it was read again last */
    SERVE_DATA_REQUESTS,
};

enum serve_control_request {
    SERVE_OPEN,   /* id 16, u8 file: gives a descriptor to read */
    SERVE_DELETE, /* id 16: both files go */
    SERVE_CHECK,  /* a filter's text: is it one? */
    SERVE_LIST,   /* gives the ids of all captures' files, 16 bytes each, as bytes of a memfd */
    SERVE_CONTROL_SETTINGS, /* as SERVE_DATA_SETTINGS */
    SERVE_OTHER_SETTINGS,   /* gives those that were not in that file, as bytes of a memfd */
    SERVE_CONTROL_REQUESTS,
};

struct serve_grants {
    struct mirror_grants taps; /* first: the rows about them and interfaces have it as their ctx */
    int captures;              /* the folder of captures, O_PATH or for reading */
    struct reload_grant reload;
    const void *others; /* bytes for SERVE_OTHER_SETTINGS */
    size_t others_len;
};

extern const struct broker_request serve_data_requests[SERVE_DATA_REQUESTS];
extern const struct broker_request serve_control_requests[SERVE_CONTROL_REQUESTS];

/* ---- in the data role; as broker_call ---- */

int serve_request_create(struct broker *b, const uint8_t id[WANTED_ID], enum serve_file file,
                         int *ret_fd, struct error *err);
int serve_request_counters(struct broker *b, int *ret_fd, struct error *err);
/* 0: unknown, or the broker cannot tell. */
uint64_t serve_request_speed(struct broker *b, const char *name);
/* `fn` gets the descriptor of the program, for filter_of_memfd(); as broker_ask. */
int serve_ask_compile(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                      struct error *err);
reload_request serve_request_data_settings;

/* ---- in the control role ---- */

reload_request serve_request_control_settings;
/* Into `ret`, whose size they have. These wait, as broker_call. */
int serve_request_other_settings(struct broker *b, void *ret, size_t n, struct error *err);
int serve_request_list(struct broker *b, int *ret_fd, struct error *err);
int serve_request_open(struct broker *b, const uint8_t id[WANTED_ID], int *ret_fd,
                       struct error *err);
int serve_ask_open(struct broker *b, const uint8_t id[WANTED_ID], bool snapshot,
                   broker_answer_fn *fn, void *user, struct error *err);
int serve_ask_delete(struct broker *b, const uint8_t id[WANTED_ID], broker_answer_fn *fn,
                     void *user, struct error *err);
int serve_ask_check(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                    struct error *err);
