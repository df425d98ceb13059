/* SPDX-License-Identifier: Apache-2.0 */
#include "base/history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum {
    ROOM_FIRST = 8,
};

void history_init(struct history *h, unsigned max)
{
    *h = (struct history){.max = max};
}

void history_done(struct history *h)
{
    free(h->at);
    history_init(h, h->max);
}

const struct history_event *history_at(const struct history *h, unsigned i)
{
    return &h->at[(h->first + i) % h->room];
}

static void grow(struct history *h)
{
    unsigned room = MIN(h->room ? h->room * 2 : (unsigned)ROOM_FIRST, h->max);
    struct history_event *at = calloc(room, sizeof(*at));
    if (!at) {
        return;
    }
    for (unsigned i = 0; i < h->n; i++) {
        at[i] = *history_at(h, i);
    }
    free(h->at);
    h->at = at;
    h->room = room;
    h->first = 0;
}

static void drop(struct history *h, unsigned i)
{
    for (; i > 0; i--) {
        h->at[(h->first + i) % h->room] = h->at[(h->first + i - 1) % h->room];
    }
    h->first = (h->first + 1) % h->room;
    h->n--;
}

/* Its own oldest event, where it has had its share; else h->n. */
static unsigned surplus(const struct history *h, const char *subject)
{
    unsigned n = 0, oldest = h->n;
    for (unsigned i = h->n; h->share > 0 && i-- > 0;) {
        if (strcmp(history_at(h, i)->subject, subject) == 0) {
            oldest = i;
            n++;
        }
    }
    return h->share > 0 && n >= h->share ? oldest : h->n;
}

/* A place for the event of that number, which becomes the last. NULL: it cannot be kept. */
static struct history_event *next(struct history *h, uint64_t number, const char *subject)
{
    unsigned own = surplus(h, subject);
    if (own < h->n) {
        drop(h, own);
    }
    if (h->n == h->room && h->room < h->max) {
        grow(h);
    }
    h->last = number;
    if (h->room == 0) {
        return NULL;
    }
    if (h->n == h->room) {
        drop(h, 0);
    }
    struct history_event *e = &h->at[(h->first + h->n++) % h->room];
    *e = (struct history_event){.number = number};
    return e;
}

void history_add(struct history *h, struct wall at, enum history_kind kind, const char *subject,
                 const char *fmt, ...)
{
    struct history_event *e = next(h, h->last + 1, subject);
    va_list ap;
    if (!e) {
        return;
    }
    e->at = at;
    e->kind = (uint8_t)kind;
    char words[sizeof(e->words)];
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    text_line(e->subject, sizeof(e->subject), subject);
    text_line(e->words, sizeof(e->words), words);
}

static void copy(char *to, size_t cap, const char *from, size_t len)
{
    char all[HISTORY_WORDS + 1];
    size_t n = MIN(len, sizeof(all) - 1);
    memcpy(all, from, n);
    all[n] = '\0';
    text_line(to, cap, all);
}

bool history_take(struct history *h, const struct history_event *head, const char *subject,
                  size_t subject_len, const char *words, size_t words_len)
{
    if (head->number <= h->last) {
        return false;
    }
    h->missed += head->number - h->last - 1;
    struct history_event *e = next(h, head->number, "");
    if (e) {
        e->at = head->at;
        e->kind = head->kind;
        copy(e->subject, sizeof(e->subject), subject, subject_len);
        copy(e->words, sizeof(e->words), words, words_len);
    }
    return true;
}

void history_restart(struct history *h)
{
    h->last = 0;
}

const char *history_key(uint8_t kind, char buf[16])
{
    static const struct {
        uint8_t kind;
        const char *key;
    } keys[] = {
#define X(id, number, key) {number, key},
        HISTORY_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].kind == kind) {
            return keys[i].key;
        }
    }
    snprintf(buf, 16, "event-%u", kind);
    return buf;
}
