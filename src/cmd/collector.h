/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures and functions that collector.c (start and end), collector_options.c (command
 * line), collector_outputs.c and collector_reload.c (SIGHUP) share.
 */
#pragma once

#include "base/parse.h"
#include "cmd/cmd.h"
#include "node/report.h"
#include "node/status_socket.h"
#include "sys/broker.h"
#include "sys/owndev.h"
#include "sys/tapdev.h"

enum collector_request {
    COLLECTOR_DEVICE, /* a tap's name, or nothing where one device serves all: makes or takes the
                       * device; gives it, u8: its name does not hold the tap's whole, its name */
    COLLECTOR_ALLOW,  /* the file of --allow, open for reading */
    COLLECTOR_REQUESTS,
};

struct collector_conf {
    uint16_t port;
    const char *device; /* -i: a name, or a pattern with %t */
    bool keep_device;   /* --keep-device */
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
    struct status_socket control;
    struct broker *broker;
    struct loop *loop;
    struct listener *listener;
    struct status_server *status;
    struct loop_timer *timer;
    int fd[RECEIVER_THREADS]; /* of each receiving thread; -1: none, also below */
    int file_fd;
    int lock_fd;                   /* -w: keeps another collector from that file while it is open */
    struct listener_device device; /* of all taps */
    struct owndev *own;            /* the list of devices; the broker's, NULL in the engine */
    bool one_each;                 /* -i is a pattern */
    bool told_heard;               /* that the host's network stack hears what is on a device */
    struct sink *device_sink;      /* behind its queue; NULL: there is none */
    struct sink *output[2];
    struct sink *writer[2 * RECEIVER_THREADS]; /* each receiving thread's sinks for them */
    bool told[2];                              /* that it has failed */
    bool told_refused[2];                      /* that it has no room for interfaces of taps */
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

/* ---- collector_devices.c ---- */

/* With privileges, at the start: the list of devices, and the device where it serves all taps. */
int collector_open_devices(struct collector *c, struct error *err);
/* With privileges: makes or takes the device of that name. */
int collector_open_device(struct collector *c, const char *name, struct tapdev *ret,
                          struct error *err);
/* In the broker. */
int collector_device_request(void *ctx, const void *args, size_t len, struct broker_reply *reply);
/* In the engine: a device for a tap, as listener_ops wants it. */
int collector_device(void *user, const char *tap, struct listener_device *ret, struct error *err);
/* Notices devices that are down or were removed, and has the latter made again. */
void collector_look_at_devices(struct collector *c);

/* ---- collector_outputs.c ---- */

/* With privileges: the socket, the device, the file. */
int collector_open(struct collector *c, struct error *err);
/* In the engine, behind the wall: the outputs on top of them. */
int collector_make_outputs(struct collector *c, struct error *err);
/* Says which outputs have failed since; false when none is left. */
bool collector_outputs_alive(struct collector *c);
/* Writes out what is buffered; says what went wrong. */
void collector_finish_outputs(struct collector *c);
