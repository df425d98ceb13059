/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector, assembled: the listener that takes taps, the outputs their frames go to, and the
 * devices among these. It runs in the engine, in the control thread's loop, and asks the broker by
 * collector_requests.h. A command starts it (cmd/collector.c); several may live in one process.
 */
#pragma once

#include <jansson.h>

#include "data/stage_list.h"
#include "node/collector_requests.h"
#include "node/describe.h"
#include "node/meter.h"
#include "node/mirrors.h"
#include "node/outputs.h"
#include "node/ports.h"

enum {
    COLLECTOR_CAPS = 4,
    COLLECTOR_DEVICE_FILES = 16384, /* a device for each tap: each is open twice or more */
};

struct collector_conf {
    uint16_t port;
    const char *device; /* a name, or a pattern with %t; NULL: none */
    bool keep_device;
    const char *file;              /* a path, or "-"; NULL: none */
    struct output_list outputs;    /* of -o */
    const char *bind;              /* an address; NULL: all */
    unsigned threads;              /* that receive */
    bool align;                    /* times of frames become those of the collector's clock */
    uint32_t order_ms;             /* the window in which frames are ordered; 0: as they arrive */
    uint32_t log_ms;               /* between two lines of the log about a tap; 0: there are none */
    struct describe_list describe; /* words for taps */
    uint64_t output_queue;         /* bytes before each output; 0: as they like */
    const char *allow;             /* the path of the list of taps; NULL: none */
    struct stage_list stages;      /* that frames pass before the outputs */
    struct mirrors_conf mirrors;   /* frames that come without a tap */
    struct meter_conf meter;       /* flow records of the frames, if they go anywhere */
    bool reread;                   /* settings may be others later: stages, outputs of -o */
    const char *user;              /* whom the engine runs as; NULL: the default */
};

/* The pattern gives each tap a device of its own. */
bool collector_one_each(const struct collector_conf *c);

/* Opened with privileges; -1: none. */
struct collector_opened {
    int fd[RECEIVER_THREADS]; /* of each receiving thread */
    struct outputs_opened outputs;
    struct mirrors_opened mirrors;
    struct exports_opened exports;
    int watch;                     /* hears of interfaces, for ports */
    struct listener_device device; /* of all taps */
};

/* The socket, the device, the file, as long as privileges are there. The grants borrow from `c`.
 * Both results have to be given up also on failure: by collector_opened_done, and, in the process
 * that keeps the list of devices, by owndev_remove. */
int collector_prepare(const struct collector_conf *c, const struct teller *teller,
                      struct collector_opened *ret, struct collector_grants *ret_grants,
                      struct error *err);
/* It makes flow records. */
bool collector_meters(const struct collector_conf *c);
/* It has outputs of -o, or may have some later. */
bool collector_has_outputs(const struct collector_conf *c);
/* The capabilities that its broker keeps (CAP_… of linux/capability.h); their number. */
size_t collector_caps(const struct collector_conf *c, int ret[COLLECTOR_CAPS]);
/* Where its engine may send to. */
enum sandbox_sends collector_sends(const struct collector_conf *c);
void collector_opened_done(struct collector_opened *o);

/* All is borrowed, but the handshake's configuration, which is copied. */
struct collector_around {
    const struct collector_conf *conf;
    const struct handshake_conf *handshake; /* borrowed strings and lists */
    struct collector_opened *opened;
    struct loop *loop;
    struct broker *broker;
    const struct teller *teller;
    const char *name; /* in the ledger */
    const char *os;   /* of the host, for files */
    /* It cannot go on: nothing is received any more, or no output is left. */
    void (*over)(void *user, bool failed);
    void *user;
};

struct collector;

/* Receives from now on. */
int collector_new(const struct collector_around *around, struct collector **ret, struct error *err);
/* Takes NULL. */
void collector_free(struct collector *c);

/* Frames pass the stages of `conf` into its outputs from now on; it lives as long as the collector.
 */
void collector_become(struct collector *c, const struct collector_conf *conf);
/* Reads the list of taps again, says what came of it, and keeps the old list if it is wrong. True:
 * that of the handshake's configuration is not used any more. */
bool collector_reload(struct collector *c);
/* Tells the taps, closes all books and writes out what is buffered. */
void collector_stop(struct collector *c);

/* For what is told of it. */
const struct listener *collector_listener(const struct collector *c);
const struct outputs *collector_outputs(const struct collector *c);
const struct mirrors *collector_mirrors(const struct collector *c); /* NULL: there are none */
/* The ledger, as the status socket gives it (node/report.h). `collector` is a struct collector. */
json_t *collector_document(void *collector);
