/* SPDX-License-Identifier: Apache-2.0 */
#include "control/followers.h"

#include <errno.h>
#include <string.h>

struct follower {
    struct follower *next, **at; /* `at` NULL: in no list any more */
    void *body;                  /* that http_more() knows */
    char id[KIND_ID];
    int fd;
    uint64_t offset, published;
    bool ended;
};

static void leave(struct follower *s)
{
    if (!s->at) {
        return;
    }
    *s->at = s->next;
    if (s->next) {
        s->next->at = s->at;
    }
    s->at = NULL;
}

static void stream_free(void *user)
{
    struct follower *s = user;
    leave(s);
    close(s->fd);
    free(s);
}

static ssize_t stream_read(void *user, uint8_t *buf, size_t cap)
{
    struct follower *s = user;
    if (s->offset >= s->published) {
        return s->ended ? 0 : -EAGAIN;
    }
    uint64_t left = s->published - s->offset;
    ssize_t n = pread(s->fd, buf, left < cap ? (size_t)left : cap, (off_t)s->offset);
    if (n <= 0) { /* it is shorter than was published: the connection is cut, so that it is seen */
        return n < 0 ? -errno : -EIO;
    }
    s->offset += (uint64_t)n;
    return n;
}

int followers_open(struct followers *s, const char *id, int *fd, uint64_t from, uint64_t published,
                   bool ended, struct http_body *ret)
{
    struct follower *new = calloc(1, sizeof(*new));
    if (!new) {
        return -ENOMEM;
    }
    snprintf(new->id, sizeof(new->id), "%s", id);
    new->fd = TAKE_FD(*fd);
    new->offset = from;
    new->published = published;
    new->ended = ended;
    new->body = new;
    new->at = &s->first;
    new->next = s->first;
    if (s->first) {
        s->first->at = &new->next;
    }
    s->first = new;
    *ret = (struct http_body){.read = stream_read, .free = stream_free, .user = new};
    return 0;
}

void followers_within(const struct http_body *follower, void *body)
{
    ((struct follower *)follower->user)->body = body;
}

void followers_published(struct followers *s, const char *id, uint64_t published, bool ended,
                         void (*more)(void *user, void *body), void *user)
{
    for (struct follower *i = s->first, *next; i; i = next) {
        next = i->next; /* `more` may end the body */
        if (strcmp(i->id, id) != 0 || (published <= i->published && !(ended && !i->ended))) {
            continue;
        }
        i->published = MAX(i->published, published);
        i->ended = i->ended || ended;
        if (more) {
            more(user, i->body);
        }
    }
}

void followers_done(struct followers *s)
{
    while (s->first) {
        struct follower *i = s->first;
        leave(i);
        i->ended = true;
        i->published = i->offset;
    }
}
