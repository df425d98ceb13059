/* SPDX-License-Identifier: Apache-2.0
 *
 * The data of a capture. Bytes of its file that are published never change, so ranges of them can
 * be had while it runs; without a range the answer follows the file to its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/captures.h"
#include "control/download.h"
#include "control/negotiate.h"
#include "control/v1_impl.h"

const char *const v1_data_parameters[] = {"format", "follow", NULL};

/* A form that the data of a type can have. The first of a type is the one that nobody asked for. */
struct form {
    const char *of, *name, *type;
    bool converted; /* not the file as it is: made for each answer, … */
    enum convert_to to;
};

#define CSV "text/csv"
#define LINES "application/x-ndjson"

static const struct form forms[] = {
    {"packet", "pcapng", "application/x-pcapng", false, 0},
    {"packet", "pcap", "application/vnd.tcpdump.pcap", true, CONVERT_PCAP},
    {"netflow", "csv", CSV, true, CONVERT_FLOWS_CSV},
    {"netflow", "csv-long", CSV, true, CONVERT_FLOWS_LONG},
    {"netflow", "jsonl", LINES, true, CONVERT_FLOWS_JSON},
    {"netflow", "ipfix", "application/ipfix", false, 0},
    {"ethernet", "csv", CSV, false, 0},
    {"ethernet", "jsonl", LINES, true, CONVERT_ROWS_JSON},
};

void v1_data_forms(struct text *to)
{
    const char *of = "";
    text_add(to, "{");
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (strcmp(of, forms[i].of) != 0) {
            text_add(to, "%s\"%s\":[", of[0] ? "]," : "", forms[i].of);
        } else {
            text_add(to, ",");
        }
        text_add(to, "\"%s\"", forms[i].name);
        of = forms[i].of;
    }
    text_add(to, "]}");
}

static void names_of(const char *type, char *ret, size_t cap)
{
    size_t at = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (strcmp(forms[i].of, type) == 0 && at < cap) {
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
    char names[192];
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct form *f = &forms[i];
        if (strcmp(f->of, type) != 0) {
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
    struct download_file file;
    bool ended;        /* there will be no more */
    bool follow;       /* to the end, whenever that is */
    uint64_t from, to; /* of a range, both included */
    bool part;
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
    if (!range || d->form->converted || d->file.moment || (only_if && strcmp(only_if, etag) != 0)) {
        return 0;
    }
    switch (negotiate_range(range, d->file.there, !d->ended, &d->from, &d->to)) {
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
                      d->file.there);
    if (d->ended) {
        http_answer_header(&d->t->answer, "Content-Range", "bytes */%" PRIu64, d->file.there);
    }
    return -1;
}

/* ---- the answer ---- */

static void add_headers(struct download *d)
{
    struct http_answer *a = &d->t->answer;
    bool firm = !d->form->converted && !d->file.moment;
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
                           d->to, d->file.there);
    } else if (d->part) {
        http_answer_header(a, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/*", d->from, d->to);
    }
}

/* The body of a form that is no file. -1 with the answer. */
static int make_body(struct download *d, struct http_body *ret)
{
    struct api_turn *t = d->t;
    struct error err = {""};
    int r = 0;
    if (d->form->converted) {
        r = download_convert(t, d->o, &d->file, d->follow, d->form->to, NULL, ret, &err);
    } else {
        r = followers_open(api_followers(t), d->o->v[FIELD_OF_ID].text, &d->file.fd, 0,
                           d->file.there, false, ret);
    }
    if (r < 0) {
        (void)api_problem(t,
                          r == -ENOTSUP   ? 406
                          : r == -EBADMSG ? 500
                                          : 503,
                          NULL, "the data is not there as %s: %s", d->form->name,
                          err.text[0] ? err.text : "memory is short");
        return -1;
    }
    return 0;
}

static void answer(struct download *d)
{
    struct api_turn *t = d->t;
    struct http_body body = {0};
    bool made = d->form->converted || d->follow;
    if (made && make_body(d, &body) < 0) {
        return;
    }
    http_answer_done(&t->answer);
    t->answer = HTTP_ANSWER_NONE;
    t->answer.status = d->part ? 206 : 200;
    t->answer.body = body;
    if (!made) {
        t->answer.fd = TAKE_FD(d->file.fd);
        t->answer.offset = d->part ? d->from : 0;
        t->answer.len = (size_t)(d->part ? d->to - d->from + 1 : d->file.there);
    }
    add_headers(d);
}

/* 0, 1: later, -1 with the answer. */
static int open_file(struct download *d)
{
    const char *reason = d->o->v[CAPTURE_F_REASON].text;
    int r = download_open(d->t, d->o, &d->file);
    if (r == -ENOENT) {
        (void)api_problem(d->t, 404, NULL, "the capture has no data%s%s", reason ? ": " : "",
                          reason ? reason : "");
    }
    return r < 0 ? -1 : r;
}

static enum api_result give(struct download *d)
{
    if (captures_state(d->o) == CAPTURE_SCHEDULED) {
        (void)api_problem(d->t, 409, NULL, "the capture has not begun");
        http_answer_header(&d->t->answer, "Retry-After", "1");
        return API_DONE;
    }
    int r = take_follow(d) < 0 ? -1 : open_file(d);
    if (r != 0) {
        return r > 0 ? API_LATER : API_DONE;
    }
    d->follow = d->follow && !d->file.moment;
    if (take_range(d) == 0) {
        answer(d);
    }
    if (d->t->answer.status < 400 && d->t->request->method == HTTP_GET) {
        (void)api_event(d->t, "capture.downloaded", d->o, "as %s%s", d->form->name,
                        d->part ? ", a part" : "");
    }
    return API_DONE;
}

enum api_result v1_capture_data(struct api_turn *t)
{
    struct object o;
    enum api_result result = API_DONE;
    if (api_get(t, &kind_capture, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    struct download d = {.t = t, .o = &o, .file = {.fd = -1}, .ended = captures_ended(&o)};
    d.form = choose(t, o.v[CAPTURE_F_TYPE].text);
    if (d.form) {
        result = give(&d);
    }
    closep(&d.file.fd);
    object_done(&o);
    return result;
}
