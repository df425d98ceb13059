/* SPDX-License-Identifier: Apache-2.0
 *
 * What collector.c (start and end), collector_options.c (command line), collector_outputs.c and
 * collector_reload.c (SIGHUP) share.
 */
#pragma once

#include "base/parse.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/report.h"
#include "sys/broker.h"
#include "sys/tapdev.h"

enum collector_request {
    COLLECTOR_DEVICE, /* a tap's name: gives a TAP device named after the pattern */
    COLLECTOR_ALLOW,  /* the file of --allow, open for reading */
    COLLECTOR_REQUESTS,
};

enum {
    COLLECTOR_DEVICES = 4096, /* at a time: as many as there may be taps with a name */
};

struct collector_conf {
    uint16_t port;
    const char *device; /* -i: a name, or a pattern with %t */
    const char *file;   /* -w: a path, or "-" */
    const char *bind;   /* --bind: an address */
    bool json;
    unsigned threads;      /* that receive */
    uint32_t order_ms;     /* --order: the window; 0: as frames arrive */
    uint64_t output_queue; /* --output-queue: bytes before each output; 0: as they like */
    const char *user;
    struct secret_options secret;
};

struct collector {
    struct collector_conf conf;
    struct secrets secrets;
    struct control control;
    struct broker *broker;
    struct loop *loop;
    struct server *server;
    struct control_server *status;
    struct loop_timer *timer;
    int fd[RECEIVER_THREADS]; /* of each receiving thread; -1: none, also below */
    int device_fd, file_fd;
    bool one_each;               /* -i is a pattern */
    int made[COLLECTOR_DEVICES]; /* the broker's: indexes of the devices that it has made for taps
                                  */
    unsigned n_made;
    struct sink *output[2];
    struct sink *writer[2 * RECEIVER_THREADS]; /* each receiving thread's sinks for them */
    bool told[2];                              /* that it has failed */
    unsigned n_outputs;
    int status_code;
    char name[64], os[128];
};

/* Reads argv; EXIT_SUCCESS to go on, else -1 - exit status. */
int collector_parse(struct collector_conf *c, int argc, char **argv);

extern const struct broker_request collector_requests[COLLECTOR_REQUESTS];

/* Reads the file of --allow again, says what came of it, and keeps the old list if it is wrong. */
void collector_reload(struct collector *c);
/* In the broker: the file of --allow, whatever it is now. */
int collector_allow_request(void *ctx, const void *args, size_t len, struct broker_reply *reply);

/* With privileges: the socket, the device, the file. */
int collector_open(struct collector *c, struct error *err);
/* In the engine, behind the wall: the outputs on top of them. */
int collector_make_outputs(struct collector *c, struct error *err);
/* Says which outputs have failed since; false when none is left. */
bool collector_outputs_alive(struct collector *c);
/* Writes out what is buffered; says what went wrong. */
void collector_finish_outputs(struct collector *c);
