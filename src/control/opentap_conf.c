/* SPDX-License-Identifier: Apache-2.0 */
#include "control/opentap_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/kinds.h"

enum {
    LINE_MAX = 1024,          /* bytes, its end included */
    RETENTION_MAX = 52560000, /* minutes: 100 years */
    SENSOR_PORT_MAX = 255,
    COLUMNS = 5,
};

#define TABLE_HEAD "interface_serial_num"

struct reader {
    struct opentap_conf conf;
    opentap_warn *warn;
    void *user;
    unsigned line;
    bool pointed; /* there is a default point under its newer word */
};

/* A sentence that begins with a word of the line, which may be any bytes; NULL: it has none. */
static void warn(struct reader *r, const char *word, const char *what)
{
    char begin[64] = "", sentence[256];
    if (word) {
        text_name(begin, sizeof(begin), word, strnlen(word, 40));
    }
    (void)snprintf(sentence, sizeof(sentence), "%s%s%s", begin, word ? " " : "", what);
    r->warn(r->user, r->line, sentence);
}

/* Blanks at both ends do not count; the end is cut in place. */
static char *trim(char *s)
{
    s += strspn(s, " \t\r");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1])) {
        s[--n] = '\0';
    }
    return s;
}

/* A name is text as aliases are: no control characters, UTF-8, at most 64 bytes. */
static bool take_name(char to[OPENTAP_NAME], char *from)
{
    const struct value v = {.set = true, .text = from};
    if (field_check(&kind_port.field[PORT_F_ALIAS], &v, NULL) < 0) {
        return false;
    }
    (void)snprintf(to, OPENTAP_NAME, "%s", from);
    return true;
}

/* ---- the words of opentap.conf ---- */

static int no_name(const char *what, struct error *err)
{
    return error_set(err, EINVAL, "%s is no name: one has up to 64 bytes of text", what);
}

static int set_name(struct reader *r, char *value, struct error *err)
{
    return take_name(r->conf.name, value) ? 0 : no_name("this", err);
}

static int set_retention(struct reader *r, char *value, struct error *err)
{
    uint64_t n = 0;
    int e = parse_u64(value, "minutes", 1, RETENTION_MAX, &n, err);
    if (e == 0) {
        r->conf.retention_min = (uint32_t)n;
    }
    return e;
}

static int set_address(struct reader *r, char *value, struct error *err)
{
    return parse_host_port(value, &r->conf.address, err);
}

static int set_point(struct reader *r, char *value, struct error *err)
{
    r->pointed = true;
    return take_name(r->conf.default_point, value) ? 0 : no_name("this", err);
}

static int set_listen(struct reader *r, char *value, struct error *err)
{
    return r->pointed ? 0 : take_name(r->conf.default_point, value) ? 0 : no_name("this", err);
}

static bool is_taken(const struct opentap_conf *c, const char *name)
{
    for (unsigned i = 0; i < c->n_aliases; i++) {
        if (strcmp(c->alias[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_alias(struct reader *r, char *value, struct error *err)
{
    char *name = value + strcspn(value, " \t");
    struct opentap_alias a;
    if (*name) {
        *name++ = '\0';
    }
    name = trim(name);
    if (!take_name(a.ifname, value) || !take_name(a.name, name)) {
        return error_set(err, EINVAL, "an alias is an interface and a name, as in \"eth0 uplink\"");
    }
    if (is_taken(&r->conf, a.name)) {
        warn(r, a.name, "is an alias already, and this one is left out");
        return 0;
    }
    if (r->conf.n_aliases == OPENTAP_ALIASES) {
        return error_set(err, EINVAL, "there are more than %d aliases", OPENTAP_ALIASES);
    }
    r->conf.alias[r->conf.n_aliases++] = a;
    return 0;
}

static const struct {
    const char *word;
    int (*set)(struct reader *r, char *value, struct error *err);
} words[] = {
    {"name", set_name},
    {"retention", set_retention},
    {"websrv-addr", set_address},
    {"default-network-observationpt", set_point},
    {"listen-interface", set_listen},
    {"alias", add_alias},
};

static int take_setting(struct reader *r, char *line, struct error *err)
{
    char *value = strchr(line, ':');
    if (!value) {
        warn(r, line, "has no colon, and is left out");
        return 0;
    }
    *value++ = '\0';
    line = trim(line);
    value = trim(value);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(words[i].word, line) == 0) {
            int e = words[i].set(r, value, err);
            if (e < 0) {
                error_prefix(err, "%s", words[i].word);
            }
            return e;
        }
    }
    warn(r, line, "is no setting, and is left out");
    return 0;
}

/* ---- the table of sensors ---- */

static bool take_number(const char *text, uint64_t max, uint32_t *ret)
{
    uint64_t n = 0;
    if (parse_u64(text, "", 0, max, &n, NULL) < 0) {
        return false;
    }
    *ret = (uint32_t)n;
    return true;
}

/* Cuts the line at its commas; how many parts it has, of which COLUMNS are in `part`. */
static unsigned cut(char *line, char *part[COLUMNS])
{
    unsigned n = 0;
    for (char *at = line; at; n++) {
        char *comma = strchr(at, ',');
        if (comma) {
            *comma = '\0';
        }
        if (n < COLUMNS) {
            part[n] = trim(at);
        }
        at = comma ? comma + 1 : NULL;
    }
    return n;
}

static int take_sensor(struct reader *r, char *line, struct error *err)
{
    struct opentap_sensor s;
    char *part[COLUMNS] = {NULL};
    unsigned n = cut(line, part);
    if (strcmp(part[0], TABLE_HEAD) == 0) {
        return 0;
    }
    if (n != COLUMNS || !take_number(part[0], UINT32_MAX, &s.serial) ||
        !take_number(part[1], SENSOR_PORT_MAX, &s.port) ||
        !take_number(part[2], UINT32_MAX, &s.id) || !take_name(s.type, part[3]) ||
        !take_name(s.point, part[4])) {
        warn(r, NULL,
             "this is no sensor: a row has a serial number, a port, an id, a type and a name");
        return 0;
    }
    if (r->conf.n_sensors == OPENTAP_SENSORS) {
        return error_set(err, EINVAL, "there are more than %d sensors", OPENTAP_SENSORS);
    }
    r->conf.sensor[r->conf.n_sensors++] = s;
    return 0;
}

/* ---- lines ---- */

static int read_lines(struct reader *r, const char *text, size_t len,
                      int (*take)(struct reader *r, char *line, struct error *err),
                      struct error *err)
{
    const char *at = text, *end = text + len;
    if (len > OPENTAP_FILE_MAX) {
        return error_set(err, EFBIG, "it has more than %d bytes", OPENTAP_FILE_MAX);
    }
    while (at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        const size_t n = (size_t)((next ? next : end) - at);
        char line[LINE_MAX];
        r->line++;
        if (n >= sizeof(line) || memchr(at, '\0', n)) {
            return error_set(err, EINVAL, "line %u: it is too long, or no text", r->line);
        }
        memcpy(line, at, n);
        line[n] = '\0';
        char *s = trim(line);
        if (*s && *s != '#' && take(r, s, err) < 0) {
            error_prefix(err, "line %u", r->line);
            return -EINVAL;
        }
        at += n + 1;
    }
    return 0;
}

static int read_file(const char *text, size_t len, struct opentap_conf *ret, opentap_warn *warned,
                     void *user, int (*take)(struct reader *r, char *line, struct error *err),
                     struct error *err)
{
    struct reader r = {.conf = *ret, .warn = warned, .user = user};
    int e = read_lines(&r, text, len, take, err);
    if (e == 0) {
        *ret = r.conf;
    }
    return e;
}

int opentap_conf_read(const char *text, size_t len, struct opentap_conf *ret, opentap_warn *warned,
                      void *user, struct error *err)
{
    return read_file(text, len, ret, warned, user, take_setting, err);
}

int opentap_conf_read_sensors(const char *text, size_t len, struct opentap_conf *ret,
                              opentap_warn *warned, void *user, struct error *err)
{
    return read_file(text, len, ret, warned, user, take_sensor, err);
}
