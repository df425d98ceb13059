/* SPDX-License-Identifier: Apache-2.0
 *
 * IPFIX messages as lines of text.
 */
#include <errno.h>
#include <stdlib.h>

#include "control/convert_impl.h"
#include "proto/flowtext.h"
#include "proto/ipfix.h"
#include "proto/ipfix_read.h"

struct flows {
    struct ipfix_reader *reader;
    struct flowcsv_sums sums;
};

static int flows_begin(struct convert *c)
{
    struct flows *f = calloc(1, sizeof(*f));
    c->form = f;
    if (!f) {
        return -ENOMEM;
    }
    f->reader = ipfix_reader_new();
    return f->reader ? 0 : -ENOMEM;
}

static void flows_done(struct convert *c)
{
    struct flows *f = c->form;
    if (f) {
        ipfix_reader_free(f->reader);
        free(f);
    }
}

/* A message of nobody but the data role: one that is longer than it writes is damage. */
static int take(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used,
                void (*each)(void *user, const struct flowrec *r))
{
    struct flows *f = c->form;
    if (len < IPFIX_READ_HEAD) {
        c->need = IPFIX_READ_HEAD;
        return 0;
    }
    size_t n = ipfix_message_len(p);
    if (n == 0 || n > IPFIX_MESSAGE) {
        return -EBADMSG;
    }
    if (len < n) {
        c->need = n;
        return 0;
    }
    *ret_used = n;
    return ipfix_reader_take(f->reader, p, n, each, c);
}

/* ---- nfdump's columns ---- */

static void each_csv(void *user, const struct flowrec *r)
{
    struct convert *c = user;
    struct flows *f = c->form;
    struct flowrec ways[2];
    char row[FLOWCSV_ROW];
    unsigned n = flowrec_split(r, ways);
    for (unsigned i = 0; i < n; i++) {
        text_add_bytes(&c->out, row, flowcsv_row_in(&ways[i], c->conf.offset_ns, &f->sums, row));
    }
}

static int begin_csv(struct convert *c)
{
    char row[FLOWCSV_ROW];
    int r = flows_begin(c);
    text_add_bytes(&c->out, row, flowcsv_head(row));
    return r;
}

static int take_csv(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used)
{
    return take(c, p, len, ret_used, each_csv);
}

static int end_csv(struct convert *c)
{
    struct flows *f = c->form;
    char row[FLOWCSV_ROW];
    text_add_bytes(&c->out, row, flowcsv_tail(&f->sums, row));
    return 0;
}

const struct convert_ops convert_flows_csv = {begin_csv, take_csv, end_csv, flows_done};

/* ---- all fields ---- */

static void each_long(void *user, const struct flowrec *r)
{
    struct convert *c = user;
    char row[FLOWTEXT_ROW];
    text_add_bytes(&c->out, row, flowtext_row(r, NULL, row));
}

static int begin_long(struct convert *c)
{
    char row[FLOWTEXT_ROW];
    int r = flows_begin(c);
    text_add_bytes(&c->out, row, flowtext_head(row));
    return r;
}

static int take_long(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used)
{
    return take(c, p, len, ret_used, each_long);
}

const struct convert_ops convert_flows_long = {begin_long, take_long, NULL, flows_done};

static void each_json(void *user, const struct flowrec *r)
{
    struct convert *c = user;
    char row[FLOWTEXT_ROW];
    text_add_bytes(&c->out, row, flowtext_json(r, NULL, row));
}

static int take_json(struct convert *c, const uint8_t *p, size_t len, size_t *ret_used)
{
    return take(c, p, len, ret_used, each_json);
}

const struct convert_ops convert_flows_json = {flows_begin, take_json, NULL, flows_done};
