/* SPDX-License-Identifier: Apache-2.0 */
#include "control/download.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "control/captures.h"

/* As download_open(). */
static int open_file(struct api_turn *t, const uint8_t id[16], bool second, int *ret)
{
    const struct api_conf *c = api_conf_of(t);
    struct error err = {""};
    int r = c->edges->open_data(c->user, id, second, api_waiter(t), ret, &err);
    if (r == -EAGAIN) {
        return 1;
    }
    if (r < 0 && r != -ENOENT) {
        (void)api_problem(t, 503, NULL, "the data cannot be opened now: %s", err.text);
    }
    return r;
}

/* The outcome of a snapshot is kept in the turn, so that the calls after it do not ask for another.
 */
enum moment {
    MOMENT_MADE = 1,
    MOMENT_NONE, /* whoever has the flows gives them to no file */
};

/* 0: known; 1: later; another -errno: the answer. */
static int ask_moment(struct api_turn *t, const uint8_t id[16])
{
    const struct api_conf *c = api_conf_of(t);
    struct error err = {""};
    if (t->kept) {
        return 0;
    }
    const int r = c->edges->snapshot(c->user, id, api_waiter(t), &err);
    if (r == -EAGAIN) {
        return 1;
    }
    uint8_t *kept = r == 0 || r == -EOPNOTSUPP ? malloc(1) : NULL;
    if (!kept) {
        (void)api_problem(t, 503, NULL, "the flows so far cannot be had now: %s", err.text);
        return -EIO;
    }
    *kept = r == 0 ? MOMENT_MADE : MOMENT_NONE;
    t->kept = kept;
    return 0;
}

/* Flows that have not ended are in no file yet: those of this moment go into a second one, which is
 * given as it is. -EOPNOTSUPP: there is no such file. */
static int open_moment(struct api_turn *t, const uint8_t id[16], struct download_file *f)
{
    struct stat st;
    int r = ask_moment(t, id);
    if (r != 0) {
        return r;
    }
    if (*(const uint8_t *)t->kept == MOMENT_NONE) {
        return -EOPNOTSUPP;
    }
    r = open_file(t, id, true, &f->fd);
    if (r == 0 && fstat(f->fd, &st) < 0) {
        (void)api_problem(t, 503, NULL, "the flows so far cannot be read");
        close(f->fd);
        return -EIO;
    }
    f->there = r == 0 ? (uint64_t)st.st_size : 0;
    f->moment = true;
    return r;
}

int download_open(struct api_turn *t, const struct object *o, struct download_file *ret)
{
    const int64_t bytes = o->v[CAPTURE_F_BYTES].n;
    struct download_file f = {.fd = -1};
    uint8_t id[16];
    int r = uuid_parse(o->v[FIELD_OF_ID].text, id) < 0 ? -ENOENT : -EOPNOTSUPP;
    if (r == -EOPNOTSUPP && !captures_ended(o) &&
        strcmp(o->v[CAPTURE_F_TYPE].text, "netflow") == 0) {
        r = open_moment(t, id, &f);
    }
    if (r == -EOPNOTSUPP) {
        f = (struct download_file){.fd = -1, .there = bytes > 0 ? (uint64_t)bytes : 0};
        r = open_file(t, id, false, &f.fd);
    }
    if (r == 0) {
        *ret = f;
    }
    return r;
}

int download_convert(struct api_turn *t, const struct object *o, struct download_file *file,
                     bool follow, enum convert_to to, flowcsv_zone *offset_ns,
                     struct http_body *ret, struct error *err)
{
    const struct convert_conf conf = {
        .to = to, .offset_ns = offset_ns, .torn = !follow && !captures_ended(o)};
    struct http_body source;
    if (followers_open(api_followers(t), o->v[FIELD_OF_ID].text, &file->fd, 0, file->there, !follow,
                       &source) < 0) {
        closep(&file->fd);
        file->fd = -1;
        return error_set(err, ENOMEM, "memory is short");
    }
    int r = convert_open(&source, &conf, ret, err);
    if (r < 0) {
        source.free(source.user);
        return r;
    }
    followers_within(&source, ret->user);
    return 0;
}
