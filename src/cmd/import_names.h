/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of ivTAP's settings.
 */
#pragma once

#include <stdbool.h>

/* The files that ivTAP has. */
enum ivtap_file {
    IVTAP_CLIENT,       /* ivTAPclient.properties */
    IVTAP_SERVER,       /* ivTAP.properties */
    IVTAP_DESCRIPTIONS, /* tenantsDescription.properties: addresses and texts, no settings */
    IVTAP_FILES
};

enum ivtap_setting {
    IVTAP_INTERFACE,
    IVTAP_FILTER,
    IVTAP_ADDRESS,
    IVTAP_PORT,
    IVTAP_SPEED,
    IVTAP_INTERVAL,
    IVTAP_BREACHES,
    IVTAP_IDLE,
    IVTAP_RESTARTS,
    IVTAP_DAYS,
    IVTAP_OF_SERVER, /* from here on they are the server's */
    IVTAP_OUT = IVTAP_OF_SERVER,
    IVTAP_BIND,
    IVTAP_BIND_PORT,
    IVTAP_CHECK,
    IVTAP_SMTP,
    IVTAP_MAIL,
    IVTAP_SILENT,
    IVTAP_NO_DATA,
    IVTAP_SETTINGS
};

/* A setting, as ivTAP calls it. */
const char *ivtap_name(enum ivtap_setting setting);
/* The setting of that name, or IVTAP_SETTINGS. */
enum ivtap_setting ivtap_find(const char *name);
/* The file that the setting stands in. */
enum ivtap_file ivtap_file_of(enum ivtap_setting setting);
/* The setting of that file whose name is most like the word; NULL: none is. */
const char *ivtap_nearest(const char *name, enum ivtap_file file);
