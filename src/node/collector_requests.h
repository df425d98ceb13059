/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector's requests to its broker, both ends: the closed table, which the privileged process
 * serves, and the functions by which the engine asks (node/devices.c and node/collector.c do). What
 * each request may open was decided by the user's options before the split: those are the grants.
 */
#pragma once

#include "data/link/listen/listener.h"
#include "data/output_list.h"
#include "node/export_grants.h"
#include "node/reload_grant.h"
#include "node/teller.h"
#include "sys/broker.h"
#include "sys/owndev.h"

enum collector_request {
    COLLECTOR_DEVICE, /* a tap's name, or nothing where one device serves all: makes or takes the
                       * device; gives it, u8: its name does not hold the tap's whole, its name */
    COLLECTOR_ALLOW,  /* the list of taps, open for reading */
    COLLECTOR_OUTPUT, /* u8, a place in the list of -o: what that output needs, opened again */
    COLLECTOR_EXPORT, /* u8, a place in the list of collectors of flow records: a socket for
                       * another connection to it */
    COLLECTOR_RELOAD, /* gives the configuration file as it is now (node/reload_grant.h) */
    COLLECTOR_REQUESTS,
};

/* The ctx of the table's handlers. */
struct collector_grants {
    const char *device;                /* a device's name, or a pattern with %t; NULL: none */
    bool one_each;                     /* it is a pattern: each tap has a device of its own */
    bool keep_device;                  /* leave it when the collector ends */
    const char *allow;                 /* the path of the list of taps; NULL: none */
    const struct output_list *outputs; /* of -o */
    struct export_grants exports;      /* of flow records */
    const char *user;                  /* as whom names of hosts are looked up; NULL: the default */
    const struct teller *teller;
    struct owndev *own; /* the list of devices; NULL in the engine, and where none could be made */
    struct reload_grant reload; /* no other grant changes with it */
    bool told_heard;            /* that the host's network stack hears what is on a device */
};

extern const struct broker_request collector_requests[COLLECTOR_REQUESTS];

/* With privileges, at the start: the list of devices, and the device where it serves all taps. A
 * pattern that cannot be is found now, not with the first tap. */
int collector_open_devices(struct collector_grants *g, struct listener_device *ret,
                           struct error *err);

/* ---- in the engine; as broker_call ---- */

/* `tap`: "" where one device serves all. */
int collector_request_device(struct broker *b, const char *tap, struct listener_device *ret,
                             struct error *err);
int collector_request_allow(struct broker *b, int *ret_fd, struct error *err);
/* `i`: of the list. */
int collector_request_output(struct broker *b, unsigned i, int *ret_fd, struct error *err);
export_request collector_request_export;
reload_request collector_request_reload;
