/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/capture_wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "cmd/captures_print.h"
#include "sys/write_file.h"

enum {
    POLL_MS = 300,
    SHOW_MS = 500,
};

static int look_by(struct capture_wait *w, struct client *client, struct error *err)
{
    json_t *now = NULL;
    int r = client_ask(client, "GET", w->path, NULL, &now, err);
    if (r == 0 && !json_is_object(now)) {
        r = error_set(err, EPROTO, "the service's capture is none");
    }
    if (r < 0) {
        json_decref(now);
        return r;
    }
    json_decref(w->capture);
    w->capture = now;
    return 0;
}

static int look(struct capture_wait *w, struct error *err)
{
    return look_by(w, w->client, err);
}

static int again(struct capture_wait *w, struct error *err)
{
    (void)poll(NULL, 0, POLL_MS);
    return *w->client->stop ? error_set(err, EINTR, "interrupted") : look(w, err);
}

static bool is(const struct capture_wait *w, const char *field, const char *word)
{
    return strcmp(client_text(w->capture, field), word) == 0;
}

static int wait_end(struct capture_wait *w, struct error *err)
{
    int r = look(w, err);
    while (r == 0 && !captures_is_over(w->capture)) {
        captures_progress(w->capture, wall_now().ns, w->received);
        r = again(w, err);
    }
    return r;
}

static int wait_start(struct capture_wait *w, struct error *err)
{
    int r = look(w, err);
    while (r == 0 && is(w, "state", "scheduled")) {
        captures_progress(w->capture, wall_now().ns, 0);
        r = again(w, err);
    }
    return r;
}

static int take(void *user, const void *bytes, size_t len)
{
    struct capture_wait *w = user;
    const int r = write_all(w->fd, bytes, len);
    w->received += r == 0 ? len : 0;
    return r;
}

/* The connection is busy with the data, so another one asks for the counts. */
static void tick(void *user)
{
    struct capture_wait *w = user;
    const struct mono now = mono_now();
    if (w->shown.ns == 0 || mono_due(now, mono_add_ms(w->shown, SHOW_MS))) {
        w->shown = now;
        if (w->side) {
            (void)look_by(w, w->side, NULL);
        }
        captures_progress(w->capture, wall_now().ns, w->received);
    }
}

/* A capture that has just begun may have no file yet, and one that never began has none. */
static int take_data(struct capture_wait *w, struct error *err)
{
    char path[256];
    const struct client_taker taker = {take, tick, w};
    (void)snprintf(path, sizeof(path), "%s/data%s", w->path, w->query ? w->query : "");
    for (;;) {
        struct error words = {""};
        int r = client_take(w->client, path, "*/*", &taker, &words);
        const bool absent = (r == -ENOENT || r == -EBUSY) && w->received == 0;
        if (absent && captures_is_over(w->capture)) {
            return 0;
        }
        if (!absent || w->now) {
            *err = words;
            return r;
        }
        if ((r = again(w, err)) < 0) {
            return r;
        }
    }
}

int capture_wait(struct capture_wait *w, struct error *err)
{
    int r = w->fd < 0 ? 0 : w->now ? look(w, err) : wait_start(w, err);
    if (r == 0 && w->fd >= 0) {
        /* Flows that run have no file yet that could be followed. */
        r = !w->now && is(w, "type", "netflow") ? wait_end(w, err) : 0;
        r = r < 0 ? r : take_data(w, err);
    }
    r = r < 0 || w->now ? r : wait_end(w, err);
    captures_progress_end(w->capture, w->received);
    return r;
}

void capture_wait_done(struct capture_wait *w)
{
    json_decref(w->capture);
    w->capture = NULL;
}
