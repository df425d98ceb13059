/* SPDX-License-Identifier: Apache-2.0
 *
 * The data of a capture. Bytes of its file that are published never change, so ranges of them can
 * be had while it runs; without a range the answer follows the file to its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "control/captures.h"
#include "control/negotiate.h"
#include "control/v1_impl.h"

const char *const v1_data_parameters[] = {"format", "follow", NULL};

/* A form that the data of a type can have. */
struct form {
    const char *of, *name, *type;
    bool converted; /* not the file as it is: made for each answer */
    bool there;
};

static const struct form forms[] = {
    {.of = "packet", .name = "pcapng", .type = "application/x-pcapng", .there = true},
    {.of = "packet",
     .name = "pcap",
     .type = "application/vnd.tcpdump.pcap",
     .converted = true,
     .there = false},
    {.of = "netflow", .name = "csv", .type = "text/csv", .there = true},
    {.of = "netflow",
     .name = "json",
     .type = "application/x-ndjson",
     .converted = true,
     .there = false},
    {.of = "ethernet", .name = "csv", .type = "text/csv", .there = true},
    {.of = "ethernet",
     .name = "json",
     .type = "application/x-ndjson",
     .converted = true,
     .there = false},
};

void v1_data_forms(struct text *to)
{
    const char *of = "";
    text_add(to, "{");
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        bool same = strcmp(of, forms[i].of) == 0;
        if (forms[i].there) {
            text_add(to, same ? ",\"%s\"" : "%s\"%s\":[\"%s\"",
                     same    ? forms[i].name
                     : of[0] ? "],"
                             : "",
                     forms[i].of, forms[i].name);
            of = forms[i].of;
        }
    }
    text_add(to, "]}");
}

static void names_of(const char *type, char *ret, size_t cap)
{
    size_t at = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (forms[i].there && strcmp(forms[i].of, type) == 0 && at < cap) {
            at += (size_t)snprintf(ret + at, cap - at, "%s%s (%s)", at ? ", " : "", forms[i].name,
                                   forms[i].type);
        }
    }
}

/* The form that is asked for by name, or that Accept likes best; NULL with the answer. */
static const struct form *choose(struct api_turn *t, const char *type)
{
    const char *name = api_parameter(t, "format");
    const char *accept = http_header_of(t->request, "Accept");
    const struct form *best = NULL;
    unsigned weight = 0;
    char names[128];
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct form *f = &forms[i];
        if (!f->there || strcmp(f->of, type) != 0) {
            continue;
        }
        unsigned w = name ? strcmp(f->name, name) == 0 : negotiate_accept(accept, f->type);
        if (w > weight) {
            best = f;
            weight = w;
        }
    }
    if (!best) {
        names_of(type, names, sizeof(names));
        (void)api_problem(t, 406, NULL, "the data of a %s capture is there as %s", type, names);
    }
    return best;
}

struct download {
    struct api_turn *t;
    const struct object *o;
    const struct form *form;
    uint8_t id[16];
    uint64_t there;    /* bytes that are published */
    bool ended;        /* and there will be no more */
    bool follow;       /* to the end, whenever that is */
    uint64_t from, to; /* of a range, both included */
    bool part;
    bool flows; /* those of this moment, of which each answer has others */
};

/* ---- the request ---- */

static int take_follow(struct download *d)
{
    const char *follow = api_parameter(d->t, "follow");
    if (follow && strcmp(follow, "true") != 0 && strcmp(follow, "false") != 0) {
        (void)api_problem(d->t, 400, NULL, "follow: is true or false");
        return -1;
    }
    d->follow = !d->ended && !(follow && strcmp(follow, "false") == 0);
    return 0;
}

static void tag(const struct download *d, char *ret, size_t cap)
{
    snprintf(ret, cap, "\"%s.%s\"", d->o->v[FIELD_OF_ID].text, d->form->name);
}

static int take_range(struct download *d)
{
    const char *range = http_header_of(d->t->request, "Range");
    const char *only_if = http_header_of(d->t->request, "If-Range");
    char etag[80];
    tag(d, etag, sizeof(etag));
    if (!range || d->form->converted || d->flows || (only_if && strcmp(only_if, etag) != 0)) {
        return 0;
    }
    switch (negotiate_range(range, d->there, !d->ended, &d->from, &d->to)) {
    case RANGE_NONE:
        return 0;
    case RANGE_PART:
        d->part = true;
        d->follow = false;
        return 0;
    case RANGE_OUT:
        break;
    }
    (void)api_problem(d->t, 416, NULL,
                      d->ended ? "the data has %" PRIu64 " bytes"
                               : "the data has %" PRIu64 " bytes so far, and its end is not known",
                      d->there);
    if (d->ended) {
        http_answer_header(&d->t->answer, "Content-Range", "bytes */%" PRIu64, d->there);
    }
    return -1;
}

/* ---- the answer ---- */

/* 0, 1: later, -1 with the answer. */
static int open_file(struct download *d, bool second, int *ret)
{
    const struct api_conf *c = api_conf_of(d->t);
    struct error err = {""};
    int r = c->edges->open_data(c->user, d->id, second, api_waiter(d->t), ret, &err);
    if (r == 0 || r == -EAGAIN) {
        return r == -EAGAIN;
    }
    if (r == -ENOENT) {
        const char *reason = d->o->v[CAPTURE_F_REASON].text;
        (void)api_problem(d->t, 404, NULL, "the capture has no data%s%s", reason ? ": " : "",
                          reason ? reason : "");
    } else {
        (void)api_problem(d->t, 503, NULL, "the data cannot be opened now: %s", err.text);
    }
    return -1;
}

static void add_headers(struct download *d)
{
    struct http_answer *a = &d->t->answer;
    bool firm = !d->form->converted && !d->flows;
    char etag[80];
    tag(d, etag, sizeof(etag));
    http_answer_header(a, "Content-Type", "%s", d->form->type);
    http_answer_header(a, "Content-Disposition", "attachment; filename=\"%s.%s\"",
                       d->o->v[FIELD_OF_ID].text, d->form->name);
    http_answer_header(a, "Accept-Ranges", firm ? "bytes" : "none");
    if (firm) {
        http_answer_header(a, "ETag", "%s", etag);
    }
    if (d->part && d->ended) {
        http_answer_header(a, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, d->from,
                           d->to, d->there);
    } else if (d->part) {
        http_answer_header(a, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/*", d->from, d->to);
    }
}

static void answer(struct download *d, int fd)
{
    struct api_turn *t = d->t;
    http_answer_done(&t->answer);
    t->answer = HTTP_ANSWER_NONE;
    t->answer.status = d->part ? 206 : 200;
    if (d->follow) {
        if (followers_open(api_followers(t), d->o->v[FIELD_OF_ID].text, &fd, 0, d->there, false,
                           &t->answer.body) < 0) {
            close(fd);
            (void)api_problem(t, 503, NULL, "memory is short");
            return;
        }
    } else {
        t->answer.fd = fd;
        t->answer.offset = d->part ? d->from : 0;
        t->answer.len = (size_t)(d->part ? d->to - d->from + 1 : d->there);
    }
    add_headers(d);
}

/* Flows that have not ended are in no file yet: those of this moment go into a second one, which is
 * given as it is. 0, 1: later, -1 with the answer. */
static int snapshot(struct download *d, int *ret)
{
    struct api_turn *t = d->t;
    const struct api_conf *c = api_conf_of(t);
    struct error err = {""};
    struct stat st;
    if (!t->kept) { /* `kept` says that the snapshot is made */
        int r = c->edges->snapshot(c->user, d->id, api_waiter(t), &err);
        if (r == -EAGAIN) {
            return 1;
        }
        t->kept = r == 0 ? malloc(1) : NULL;
        if (!t->kept) {
            (void)api_problem(t, 503, NULL, "the flows so far cannot be had now: %s", err.text);
            return -1;
        }
    }
    int r = open_file(d, true, ret);
    if (r == 0 && fstat(*ret, &st) < 0) {
        (void)api_problem(t, 503, NULL, "the flows so far cannot be read");
        close(*ret);
        return -1;
    }
    if (r == 0) {
        d->there = (uint64_t)st.st_size;
        d->follow = false;
    }
    return r;
}

static enum api_result give(struct download *d)
{
    int fd = -1;
    int r = d->flows ? snapshot(d, &fd) : open_file(d, false, &fd);
    if (r != 0) {
        return r > 0 ? API_LATER : API_DONE;
    }
    if (d->t->request->method == HTTP_GET &&
        api_event(d->t, "capture.downloaded", d->o, "as %s%s", d->form->name,
                  d->part ? ", a part" : "") < 0) {
        close(fd);
        return API_DONE;
    }
    answer(d, fd);
    return API_DONE;
}

enum api_result v1_capture_data(struct api_turn *t)
{
    struct object o;
    enum api_result result = API_DONE;
    if (api_get(t, &kind_capture, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    struct download d = {.t = t, .o = &o, .ended = captures_ended(&o)};
    d.there = o.v[CAPTURE_F_BYTES].n > 0 ? (uint64_t)o.v[CAPTURE_F_BYTES].n : 0;
    d.flows = !d.ended && strcmp(o.v[CAPTURE_F_TYPE].text, "netflow") == 0;
    d.form = choose(t, o.v[CAPTURE_F_TYPE].text);
    if (d.form && captures_state(&o) == CAPTURE_SCHEDULED) {
        (void)api_problem(t, 409, NULL, "the capture has not begun");
        http_answer_header(&t->answer, "Retry-After", "1");
    } else if (d.form && take_follow(&d) == 0 && take_range(&d) == 0) {
        (void)uuid_parse(o.v[FIELD_OF_ID].text, d.id);
        result = give(&d);
    }
    object_done(&o);
    return result;
}
