/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream of events as pages: history for all of a project, and with who and whence the audit
 * for admins.
 */
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "control/v1_impl.h"

const char *const v1_event_parameters[] = {"after", "limit", NULL};

enum {
    LIMIT = 100,
    LOOKED_AT = 10000, /* events that a page goes through for those of its project */
};

struct page {
    const struct api_turn *turn;
    bool audit;
    struct text rows;
    uint64_t last; /* number of the last that was looked at */
    unsigned n, limit, looked;
    bool more;
};

static void put_text(struct text *t, const char *name, const char *value)
{
    text_add(t, ",\"%s\":", name);
    text_add_json(t, value);
}

static int add(void *user, const struct store_event *e)
{
    struct page *p = user;
    if (p->n == p->limit || p->looked == LOOKED_AT) {
        p->more = true;
        return 1;
    }
    p->looked++;
    p->last = e->number;
    if (!api_sees_all(p->turn) && strcmp(e->project, p->turn->who.project) != 0) {
        return 0;
    }
    text_add(&p->rows, "%s{\"number\":%" PRIu64 ",\"time\":", p->n++ ? ",\n" : "\n", e->number);
    text_add_time(&p->rows, e->time_ns);
    put_text(&p->rows, "what", e->what);
    put_text(&p->rows, "kind", e->kind);
    put_text(&p->rows, "id", e->id);
    put_text(&p->rows, "project", e->project);
    put_text(&p->rows, "words", e->words);
    if (p->audit) {
        put_text(&p->rows, "who", e->who);
        put_text(&p->rows, "whence", e->whence);
    }
    text_add(&p->rows, "}");
    return 0;
}

static int take_number(struct api_turn *t, const char *name, uint64_t min, uint64_t max,
                       uint64_t *ret)
{
    const char *text = api_parameter(t, name);
    struct error err = {""};
    if (text && parse_u64(text, name, min, max, ret, &err) < 0) {
        (void)api_problem(t, 400, NULL, "%s", err.text);
        return -1;
    }
    return 0;
}

static enum api_result page(struct api_turn *t, bool audit)
{
    struct page p = {.turn = t, .audit = audit};
    struct text body = {0};
    struct error err = {""};
    struct store *s = api_conf_of(t)->store;
    uint64_t after = 0, limit = LIMIT;
    if (take_number(t, "after", 0, INT64_MAX, &after) < 0 ||
        take_number(t, "limit", 1, STORE_LIMIT_MAX, &limit) < 0) {
        return API_DONE;
    }
    p.limit = (unsigned)limit;
    p.last = after;
    int r = s->ops->events(s, after, LOOKED_AT + 1, add, &p, &err);
    if (r < 0) {
        text_free(&p.rows);
        return api_problem(t, 503, NULL, "the events cannot be read: %s", err.text);
    }
    text_add(&body, "{\"events\":[%s],\"last\":%" PRIu64, p.rows.len ? p.rows.p : "", p.last);
    if (p.more) {
        text_add(&body, ",\"next\":\"%s?after=%" PRIu64 "&limit=%u\"", t->route->path, p.last,
                 p.limit);
    }
    text_add(&body, "}\n");
    body.failed = body.failed || p.rows.failed;
    text_free(&p.rows);
    return api_json(t, 200, &body);
}

enum api_result v1_events(struct api_turn *t)
{
    return page(t, false);
}

enum api_result v1_audit(struct api_turn *t)
{
    return page(t, true);
}
