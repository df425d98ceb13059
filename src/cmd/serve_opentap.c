/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of an OpenTap, from its own files (serve_prepare.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/serve_prepare.h"
#include "sys/read_file.h"

#define SENSORS "opentapSensorConf.csv"

static void warn(void *user, unsigned line, const char *sentence)
{
    say("serve", "%s:%u: %s", (const char *)user, line, sentence);
}

/* The file of sensors stands beside the other; "": there is no room for its name. */
static void sensors_path(const char *conf, char *ret, size_t cap)
{
    const char *slash = strrchr(conf, '/');
    const int folder = slash ? (int)(slash - conf) + 1 : 0;
    const int n = snprintf(ret, cap, "%.*s%s", folder, conf, SENSORS);
    if (n < 0 || (size_t)n >= cap) {
        ret[0] = '\0';
    }
}

static int read_sensors(const char *conf, struct opentap_conf *ret, struct error *err)
{
    char path[4096];
    _cleanup_(freep) char *text = NULL;
    size_t len = 0;
    sensors_path(conf, path, sizeof(path));
    int r = read_file(path, OPENTAP_FILE_MAX, &text, &len, err);
    if (r == -ENOENT) {
        return 0; /* there need be none */
    }
    return r < 0 ? r : opentap_conf_read_sensors(text, len, ret, warn, path, err);
}

static int read_conf(struct serve_line *l, struct opentap_conf *ret, struct error *err)
{
    _cleanup_(freep) char *text = NULL;
    size_t len = 0;
    int r = read_file(l->opentap, OPENTAP_FILE_MAX, &text, &len, err);
    if (r == 0) {
        r = opentap_conf_read(text, len, ret, warn, (void *)(uintptr_t)l->opentap, err);
        if (r < 0) {
            error_prefix(err, "%s", l->opentap);
        }
    }
    r = r < 0 ? r : read_sensors(l->opentap, ret, err);
    if (r == 0 && ret->address.port != 0 && l->n_listen == 0) {
        r = serve_add_listen(l, "websrv-addr", &ret->address, err);
    }
    return r;
}

int serve_read_opentap(struct serve_line *l, struct error *err)
{
    const int r = l->opentap ? read_conf(l, &l->opentap_conf, err) : 0;
    if (r == 0 && l->n_listen == 0) {
        l->listen[l->n_listen++] = (struct host_port){"127.0.0.1", SERVE_PORT};
    }
    return r;
}
