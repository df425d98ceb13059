/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenTap's call for the data of a capture, which may still run.
 */
#include <errno.h>
#include <string.h>

#include "control/captures.h"
#include "control/download.h"
#include "control/opentap_impl.h"
#include "model/kinds.h"

static bool is_type(const struct object *o, const char *type)
{
    return strcmp(o->v[CAPTURE_F_TYPE].text, type) == 0;
}

/* Rows of counters are kept as its clients read them. */
static void give_file(struct api_turn *t, struct download_file *f)
{
    http_answer_done(&t->answer);
    t->answer = HTTP_ANSWER_NONE;
    t->answer.status = 200;
    t->answer.len = (size_t)f->there;
    t->answer.fd = TAKE_FD(f->fd);
    http_answer_header(&t->answer, "Content-Type", "text/csv");
}

static void give_made(struct api_turn *t, const struct object *o, struct download_file *f)
{
    const struct opentap_settings *s = api_conf_of(t)->opentap_settings;
    const bool packets = is_type(o, "packet");
    struct http_body body;
    struct error err = {""};
    if (download_convert(t, o, f, false, packets ? CONVERT_PCAP : CONVERT_FLOWS_CSV,
                         s ? s->offset_ns : NULL, &body, &err) < 0) {
        (void)api_problem(t, 500, NULL, "the data cannot be given: %s", err.text);
        return;
    }
    http_answer_done(&t->answer);
    t->answer = HTTP_ANSWER_NONE;
    t->answer.status = 200;
    t->answer.body = body;
    http_answer_header(&t->answer, "Content-Type",
                       packets ? "application/vnd.tcpdump.pcap" : "text/csv");
}

/* No file: of one that has ended, why. */
static void not_there(struct api_turn *t, const struct object *o)
{
    const char *reason = o->v[CAPTURE_F_REASON].text;
    if (captures_ended(o) && reason) {
        (void)api_problem(t, 404, NULL, "data file not found; %s", reason);
    } else {
        (void)api_problem(t, 404, NULL, OPENTAP_NOT_READY);
    }
}

static enum api_result give(struct api_turn *t, const struct object *o)
{
    struct download_file f = {.fd = -1};
    int r = captures_state(o) == CAPTURE_SCHEDULED ? -ENOENT : download_open(t, o, &f);
    if (r > 0) {
        return API_LATER;
    }
    if (r == -ENOENT) {
        not_there(t, o);
    }
    if (r < 0) {
        return API_DONE;
    }
    if (is_type(o, "ethernet")) {
        give_file(t, &f);
    } else {
        give_made(t, o, &f);
    }
    closep(&f.fd);
    if (!t->refused && t->request->method == HTTP_GET) {
        (void)api_event(t, "capture.downloaded", o, "as OpenTap's clients do");
    }
    return API_DONE;
}

enum api_result opentap_retrieve(struct api_turn *t)
{
    const char *id = api_parameter(t, "id");
    struct object o;
    if (!id || !id[0]) {
        return api_problem(t, 400, NULL, "id is missing");
    }
    int r = opentap_find(t, id, &o);
    if (r < 0) {
        return r == -ENOENT ? api_problem(t, 404, NULL, OPENTAP_NOT_READY) : API_DONE;
    }
    enum api_result result = give(t, &o);
    object_done(&o);
    return result;
}
