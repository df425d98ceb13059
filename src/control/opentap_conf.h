/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of an OpenTap that was here before: its settings, "word: value" a line, and its table
 * of sensors. Both are read as they are. A line that begins with '#' is a comment. What nobody
 * knows is warned of and left out; a value that cannot be is an error. Pure: the caller has read
 * the files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/parse.h"

enum {
    OPENTAP_FILE_MAX = 64 << 10, /* bytes of either file */
    OPENTAP_ALIASES = 64,
    OPENTAP_SENSORS = 64,
    OPENTAP_NAME = 65, /* bytes of a name, its end included */
};

struct opentap_alias {
    char ifname[OPENTAP_NAME], name[OPENTAP_NAME];
};

/* A row of the table of sensors. */
struct opentap_sensor {
    uint32_t serial; /* of the interface that it is connected to */
    uint32_t port, id;
    char type[OPENTAP_NAME], point[OPENTAP_NAME];
};

struct opentap_conf {
    char name[OPENTAP_NAME];          /* "": not given */
    uint32_t retention_min;           /* 0: not given */
    struct host_port address;         /* port 0: not given */
    char default_point[OPENTAP_NAME]; /* an interface or alias; "": not given */
    struct opentap_alias alias[OPENTAP_ALIASES];
    unsigned n_aliases;
    struct opentap_sensor sensor[OPENTAP_SENSORS];
    unsigned n_sensors;
};

/* A sentence about a line that was left out. */
typedef void opentap_warn(void *user, unsigned line, const char *sentence);

/* Reads opentap.conf, or opentapSensorConf.csv, into *ret, which begins as zeros. -EFBIG, -EINVAL
 * with a sentence that has the line's number: *ret is as before. */
int opentap_conf_read(const char *text, size_t len, struct opentap_conf *ret, opentap_warn *warn,
                      void *user, struct error *err);
int opentap_conf_read_sensors(const char *text, size_t len, struct opentap_conf *ret,
                              opentap_warn *warn, void *user, struct error *err);
