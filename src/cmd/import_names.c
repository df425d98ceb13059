/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/import_names.h"

#include <string.h>

#include "base/conf.h"

/* As ivTAP spells them. */
static const char *const names[IVTAP_SETTINGS] = {
    [IVTAP_INTERFACE] = "sIntName",
    [IVTAP_FILTER] = "filterString",
    [IVTAP_ADDRESS] = "srvAddr",
    [IVTAP_PORT] = "srvPort",
    [IVTAP_SPEED] = "speedLimit",
    [IVTAP_INTERVAL] = "bandwidthCheckInterval",
    [IVTAP_BREACHES] = "bandwidthBreachIntervals",
    [IVTAP_IDLE] = "maxIdleIntervals",
    [IVTAP_RESTARTS] = "maxRestarts",
    [IVTAP_DAYS] = "businessDaysNumbers",
    [IVTAP_OUT] = "dIntName",
    [IVTAP_BIND] = "bindAddress",
    [IVTAP_BIND_PORT] = "bindPort",
    [IVTAP_CHECK] = "tenantsCheckInterval",
    [IVTAP_SMTP] = "smptRelayServer",
    [IVTAP_MAIL] = "alertEmailRecipient",
    [IVTAP_SILENT] = "controlMsgIdleTimeout",
    [IVTAP_NO_DATA] = "clientBytesIdleTimeout",
};

const char *ivtap_name(enum ivtap_setting setting)
{
    return names[setting];
}

enum ivtap_setting ivtap_find(const char *name)
{
    unsigned i = 0;
    while (i < IVTAP_SETTINGS && strcmp(names[i], name) != 0) {
        i++;
    }
    return (enum ivtap_setting)i;
}

enum ivtap_file ivtap_file_of(enum ivtap_setting setting)
{
    return setting < IVTAP_OF_SERVER ? IVTAP_CLIENT : IVTAP_SERVER;
}

const char *ivtap_nearest(const char *name, enum ivtap_file file)
{
    const char *of_file[IVTAP_SETTINGS + 1] = {NULL};
    unsigned n = 0;
    for (unsigned i = 0; i < IVTAP_SETTINGS; i++) {
        if (ivtap_file_of((enum ivtap_setting)i) == file) {
            of_file[n++] = names[i];
        }
    }
    return conf_nearest_word(name, of_file);
}
