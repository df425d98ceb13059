/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/offnote.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* ---- features ---- */

/* Small letters, digits, '-' and '_', as all features of the kernel's have. */
static bool is_feature(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((at[i] >= 'a' && at[i] <= 'z') || (at[i] >= '0' && at[i] <= '9') || at[i] == '-' ||
              at[i] == '_')) {
            return false;
        }
    }
    return len > 0 && len < OFFNOTE_FEATURE;
}

bool offnote_has(const struct offnote *v, const char *feature)
{
    for (unsigned i = 0; i < v->n; i++) {
        if (strcmp(v->feature[i], feature) == 0) {
            return true;
        }
    }
    return false;
}

bool offnote_add(struct offnote *v, const char *feature)
{
    const size_t len = strlen(feature);
    if (offnote_has(v, feature)) {
        return true;
    }
    if (v->n == OFFNOTE_FEATURES || !is_feature((const uint8_t *)feature, len)) {
        return false;
    }
    memcpy(v->feature[v->n++], feature, len + 1);
    return true;
}

/* ---- writing ---- */

static void put_text(struct wr *w, const char *text)
{
    wr_copy(w, text, strlen(text));
}

static void put_mac(struct wr *w, const struct offnote *v)
{
    char byte[4];
    for (unsigned i = 0; i < v->mac_len && i < OFFNOTE_MAC; i++) {
        (void)snprintf(byte, sizeof(byte), "%s%02x", i > 0 ? ":" : "", v->mac[i]);
        put_text(w, byte);
    }
    if (v->mac_len == 0) {
        put_text(w, "-");
    }
}

int offnote_put(struct wr *w, const struct offnote *v)
{
    char number[16];
    (void)snprintf(number, sizeof(number), " %u ", v->ifindex);
    put_text(w, v->boot);
    put_text(w, number);
    put_mac(w, v);
    put_text(w, " ");
    put_text(w, v->name);
    for (unsigned i = 0; i < v->n; i++) {
        put_text(w, i == 0 ? " " : ",");
        put_text(w, v->feature[i]);
    }
    put_text(w, "\n");
    return wr_ok(w) ? 0 : -EMSGSIZE;
}

/* ---- reading ---- */

/* The field before the next such byte, behind which the cursor is then; bad: there is none. */
static struct rd until(struct rd *r, uint8_t end)
{
    const uint8_t *at = rd_left(r) > 0 ? memchr(r->p, end, rd_left(r)) : NULL;
    if (!at) {
        r->bad = true;
        return (struct rd){.bad = true};
    }
    const struct rd part = rd_sub(r, (size_t)(at - r->p));
    rd_skip(r, 1);
    return part;
}

/* The whole field as a text that fits. */
static bool get_text(struct rd f, char *ret, size_t cap)
{
    const size_t len = rd_left(&f);
    if (!rd_ok(&f) || len == 0 || len >= cap || memchr(f.p, '\0', len)) {
        return false;
    }
    memcpy(ret, f.p, len);
    ret[len] = '\0';
    return true;
}

static bool get_number(struct rd f, uint32_t *ret)
{
    uint64_t v = 0;
    const size_t len = rd_left(&f);
    if (!rd_ok(&f) || len == 0 || len > 10) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (f.p[i] < '0' || f.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(f.p[i] - '0');
    }
    *ret = (uint32_t)v;
    return f.p[0] != '0' && v <= INT32_MAX;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_mac(struct rd f, struct offnote *ret)
{
    const size_t len = rd_left(&f);
    if (len == 1 && f.p[0] == '-') {
        return true;
    }
    if (!rd_ok(&f) || len % 3 != 2 || len / 3 >= OFFNOTE_MAC) {
        return false;
    }
    for (size_t i = 0; i < len; i += 3) {
        const int high = digit(f.p[i]), low = digit(f.p[i + 1]);
        if (high < 0 || low < 0 || (i + 2 < len && f.p[i + 2] != ':')) {
            return false;
        }
        ret->mac[ret->mac_len++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool get_features(struct rd f, struct offnote *ret)
{
    char name[OFFNOTE_FEATURE];
    bool more = rd_ok(&f);
    while (more) {
        const uint8_t *comma = rd_left(&f) > 0 ? memchr(f.p, ',', rd_left(&f)) : NULL;
        more = comma != NULL;
        if (!get_text(comma ? until(&f, ',') : f, name, sizeof(name)) || !offnote_add(ret, name)) {
            return false;
        }
    }
    return ret->n > 0;
}

int offnote_get(struct rd *r, struct offnote *ret)
{
    struct offnote v = {.n = 0};
    struct rd line = until(r, '\n');
    if (!rd_ok(r)) {
        return -ENODATA;
    }
    const struct rd boot = until(&line, ' '), index = until(&line, ' '), mac = until(&line, ' '),
                    name = until(&line, ' ');
    if (!get_text(boot, v.boot, sizeof(v.boot)) || !get_number(index, &v.ifindex) ||
        !get_mac(mac, &v) || !get_text(name, v.name, sizeof(v.name)) || !get_features(line, &v)) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}
