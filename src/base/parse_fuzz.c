/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as each of the values that a command line has. What is accepted is written out again in
 * the plainest form, and that must be read as the same value.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
    if (!ok) {
        abort();
    }
}

static void number(const char *text)
{
    struct error err = {""};
    char plain[24];
    uint64_t v = 0, again = 0;
    if (parse_u64(text, "it", 3, UINT64_MAX - 3, &v, &err) < 0) {
        must(err.text[0] != '\0');
        return;
    }
    must(v >= 3 && v <= UINT64_MAX - 3);
    snprintf(plain, sizeof(plain), "%" PRIu64, v);
    must(parse_u64(plain, "it", v, v, &again, &err) == 0 && again == v);
}

static void bytes(const char *text)
{
    struct error err = {""};
    char plain[24];
    uint64_t v = 0, again = 0;
    const uint64_t most = UINT64_C(1) << 36;
    if (parse_size(text, "it", true, 1 << 20, most, &v, &err) < 0) {
        must(err.text[0] != '\0');
        return;
    }
    must(v == 0 || (v >= 1 << 20 && v <= most));
    snprintf(plain, sizeof(plain), "%" PRIu64, v);
    must(parse_size(plain, "it", true, 1 << 20, most, &again, NULL) == 0 && again == v);
}

static void rate(const char *text)
{
    struct error err = {""};
    char plain[32];
    uint64_t v = 0, again = 0;
    const uint64_t most = UINT64_C(100000000000);
    if (parse_rate(text, "it", 64000, most, &v, &err) < 0) {
        must(err.text[0] != '\0');
        return;
    }
    must(v >= 64000 && v <= most);
    parse_rate_words(v, plain);
    must(parse_rate(plain, "it", v, v, &again, NULL) == 0 && again == v);
}

static void duration(const char *text)
{
    struct error err = {""};
    char plain[24];
    uint32_t v = 0, again = 0;
    if (parse_ms(text, "it", 3, UINT32_MAX - 3, &v, &err) < 0) {
        must(err.text[0] != '\0');
        return;
    }
    must(v >= 3 && v <= UINT32_MAX - 3);
    snprintf(plain, sizeof(plain), "%" PRIu32 "ms", v);
    must(parse_ms(plain, "it", v, v, &again, &err) == 0 && again == v);
}

static void host(const char *text)
{
    struct error err = {""};
    struct host_port hp, again;
    char plain[sizeof(hp.host) + 16];
    if (parse_host_port(text, &hp, &err) < 0) {
        must(err.text[0] != '\0');
        return;
    }
    must(hp.port > 0 && hp.host[0] && strnlen(hp.host, sizeof(hp.host)) < sizeof(hp.host));
    snprintf(plain, sizeof(plain), "[%s]:%u", hp.host, hp.port);
    if (!strchr(hp.host, ']')) {
        must(parse_host_port(plain, &again, &err) == 0);
        must(strcmp(again.host, hp.host) == 0 && again.port == hp.port);
    }
}

static void vlans(const char *text)
{
    struct error err = {""};
    struct vlan_set set, again;
    static char plain[VLAN_IDS * 5 + 1];
    size_t at = 0;
    if (parse_vlan_list(text, &set, &err) < 0) {
        must(err.text[0] != '\0');
        return;
    }
    for (unsigned id = 0; id < VLAN_IDS; id++) {
        if (vlan_set_has(&set, id)) {
            at += (size_t)snprintf(plain + at, sizeof(plain) - at, "%s%u", at ? "," : "", id);
        }
    }
    must(at > 0 && !vlan_set_has(&set, VLAN_IDS - 1) && !vlan_set_has(&set, VLAN_IDS));
    must(parse_vlan_list(plain, &again, &err) == 0 && memcmp(&set, &again, sizeof(set)) == 0);
}

/* Any bytes but 0 are a name, and none is that of another text. */
static void name(const char *text)
{
    char shown[1024], plain[256], again[256];
    const size_t len = strlen(text);
    if (text_name_read(plain, sizeof(plain), text) >= 0) {
        text_name(shown, sizeof(shown), plain, strlen(plain));
        must(strcmp(shown, text) == 0);
    }
    if (len < sizeof(again)) {
        text_name(shown, sizeof(shown), text, len);
        must(text_name_read(again, sizeof(again), shown) == (int)len);
        must(strcmp(again, text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    number(text);
    bytes(text);
    rate(text);
    duration(text);
    host(text);
    vlans(text);
    name(text);
    free(text);
    return 0;
}
