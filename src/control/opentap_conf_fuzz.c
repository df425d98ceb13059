/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as either of OpenTap's files. What is read ends within its bounds.
 */
#include <assert.h>
#include <string.h>

#include "control/opentap_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void warned(void *user, unsigned line, const char *sentence)
{
    assert(line > 0 && sentence[0]);
    ++*(unsigned *)user;
}

static void check(const struct opentap_conf *c)
{
    assert(c->n_aliases <= OPENTAP_ALIASES && c->n_sensors <= OPENTAP_SENSORS);
    assert(memchr(c->name, 0, sizeof(c->name)) &&
           memchr(c->default_point, 0, sizeof(c->default_point)));
    for (unsigned i = 0; i < c->n_aliases; i++) {
        assert(c->alias[i].name[0] && c->alias[i].ifname[0]);
    }
    for (unsigned i = 0; i < c->n_sensors; i++) {
        assert(c->sensor[i].point[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct opentap_conf conf;
    struct error err = {""};
    unsigned warnings = 0;
    conf = (struct opentap_conf){.name = ""};
    if (opentap_conf_read((const char *)data, size, &conf, warned, &warnings, &err) < 0) {
        assert(err.text[0] && conf.n_aliases == 0);
    }
    if (opentap_conf_read_sensors((const char *)data, size, &conf, warned, &warnings, &err) < 0) {
        assert(err.text[0] && conf.n_sensors == 0);
    }
    check(&conf);
    return 0;
}
