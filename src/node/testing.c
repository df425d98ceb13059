/* SPDX-License-Identifier: Apache-2.0 */
#include "node/testing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fake_write(struct fake *f, const char *fmt, ...) _printf_(2, 3);
static void fake_write(struct fake *f, const char *fmt, ...)
{
    size_t used = strlen(f->text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->text + used, sizeof(f->text) - used, fmt, ap);
    va_end(ap);
}

struct netif *fake_find(struct fake *f, const char *name)
{
    for (unsigned k = 0; k < FAKE_LINKS; k++) {
        if (f->link[k].index != 0 && strcmp(f->link[k].name, name) == 0) {
            return &f->link[k];
        }
    }
    return NULL;
}

/* ---- the table of one ---- */

static void fake_event(void *user, enum history_kind kind, const char *subject, const char *words)
{
    char key[16];
    fake_write(user, "%s %s %s\n", history_key((uint8_t)kind, key), subject, words);
}

static void fake_say(void *user, const char *text)
{
    fake_write(user, "says %s\n", text);
}

static struct fake_stream *fake_stream(void *user, const struct interface *i)
{
    struct fake *f = user;
    assert_in_range(i->stream, 1, f->streams);
    assert_true(f->stream[i->stream].open);
    return &f->stream[i->stream];
}

static int fake_start(void *user, struct interface *i, const struct interface_kind *kind,
                      struct error *err)
{
    struct fake *f = user;
    if (f->streams == f->max_streams) {
        return error_set(err, ENOSPC, "no stream for %s", i->name);
    }
    i->stream = (uint16_t)++f->streams;
    f->stream[i->stream] =
        (struct fake_stream){.open = true, .linktype = kind->linktype, .arphrd = kind->arphrd};
    return 0;
}

static int fake_open(void *user, const struct interface *i, struct tapped *ret,
                     struct ring **ret_ring, struct error *err)
{
    struct fake *f = user;
    const struct netif *link = fake_find(f, i->name);
    f->opens++;
    if (f->open_error < 0) {
        return error_set(err, -f->open_error, "%s cannot be opened", i->name);
    }
    if (!link) {
        return error_set(err, ENODEV, "no %s", i->name);
    }
    *ret = (struct tapped){.index = (uint32_t)link->index,
                           .flags = link->flags,
                           .mtu = link->mtu,
                           .arphrd = link->arphrd};
    *ret_ring = NULL; /* the program that comes with it stands for it */
    return 0;
}

static int fake_ring(void *user, struct interface *i, struct ring *ring,
                     const struct sock_filter *program, unsigned n, struct error *err)
{
    const struct fake *f = user;
    struct fake_stream *s = fake_stream(user, i);
    assert_null(ring);
    if (program && f->ring_error < 0) {
        return error_set(err, -f->ring_error, "%s takes no ring", i->name);
    }
    assert_int_equal(program != NULL, n > 0);
    s->ring = program != NULL;
    s->rings += s->ring;
    return 0;
}

static int fake_renew(void *user, struct interface *i, struct ring *ring,
                      const struct sock_filter *program, unsigned n, uint64_t known,
                      struct error *err)
{
    const struct fake *f = user;
    struct fake_stream *s = fake_stream(user, i);
    assert_null(ring);
    assert_true(s->ring && program && n > 0);
    if (f->renew_error < 0) {
        return error_set(err, -f->renew_error, "%s takes no second ring", i->name);
    }
    s->renewals++;
    s->known = known;
    return 0;
}

static int fake_filter(void *user, struct interface *i, struct filter_prog *program,
                       const struct ether_flow *flow)
{
    const struct fake *f = user;
    assert_int_equal(flow != NULL, f->all.room.has_flow);
    assert_true(program->n > 0);
    fake_stream(user, i)->filters++;
    filter_done(program);
    return 0;
}

static void fake_kind(void *user, struct interface *i, const struct interface_kind *kind)
{
    struct fake_stream *s = fake_stream(user, i);
    s->linktype = kind->linktype;
    s->arphrd = kind->arphrd;
}

static void fake_end(void *user, struct interface *i)
{
    struct fake_stream *s = fake_stream(user, i);
    assert_false(s->ring);
    assert_false(s->ended);
    s->ended = true;
}

static struct history_event *fake_event_of(void *user, const struct interface *i)
{
    struct history_event *told = &fake_stream(user, i)->told, *e = NULL;
    if (told->words[0] != '\0') {
        e = malloc(sizeof(*e));
        assert_non_null(e);
        *e = *told;
        told->words[0] = '\0';
    }
    return e;
}

static void fake_counts(void *user, const struct interface *i, struct interface_counts *ret)
{
    const struct fake_stream *s = fake_stream(user, i);
    *ret = (struct interface_counts){.said = s->said};
    ledger_set(&ret->ledger, LEDGER_RING_IN, s->frames);
    ledger_set(&ret->ledger, LEDGER_RING_REOPENED, s->reopened);
}

static void fake_free(void *user, struct interface *i)
{
    fake_stream(user, i)->open = false;
}

static const struct interface_ops fake_interface_ops = {
    fake_event,  fake_say,  fake_start, fake_open,     fake_ring,   fake_renew,
    fake_filter, fake_kind, fake_end,   fake_event_of, fake_counts, fake_free};

/* ---- the table of all ---- */

static int fake_watch(void *user, struct error *err)
{
    struct fake *f = user;
    assert_false(f->watching);
    if (f->watch_error < 0) {
        return error_set(err, -f->watch_error, "cannot watch");
    }
    f->watches++;
    f->watching = true;
    return 0;
}

static void fake_unwatch(void *user)
{
    struct fake *f = user;
    assert_true(f->watching);
    f->watching = false;
}

static int fake_ask(void *user)
{
    struct fake *f = user;
    f->asks++;
    return f->ask_error;
}

static int fake_netns(void *user, uint64_t *ret_id)
{
    const struct fake *f = user;
    if (f->netns_error == 0) {
        *ret_id = f->netns;
    }
    return f->netns_error;
}

static bool fake_own(void *user, int index)
{
    const struct fake *f = user;
    return f->own == index;
}

static bool fake_session(void *user)
{
    const struct fake *f = user;
    return f->session;
}

static const struct interfaces_ops fake_interfaces_ops = {fake_watch, fake_unwatch, fake_ask,
                                                          fake_netns, fake_own,     fake_session};

/* ---- what a test does ---- */

void fake_select(struct fake *f, const char *text)
{
    f->select.word[f->select.n_words++] =
        (struct selection_word){text, strpbrk(text, "*?[") ? text : NULL, false};
}

struct netif *fake_add(struct fake *f, const char *name, int index)
{
    unsigned k = 0;
    while (f->link[k].index != 0) {
        k++;
    }
    assert_in_range(k, 0, FAKE_LINKS - 1);
    f->link[k] =
        (struct netif){.index = index, .flags = IFF_UP, .arphrd = ARPHRD_ETHER, .mtu = 1500};
    snprintf(f->link[k].name, sizeof(f->link[k].name), "%s", name);
    return &f->link[k];
}

void fake_hear(struct fake *f, enum ifwatch_kind kind)
{
    static const struct netif none;
    interfaces_hear(&f->all, kind, &none, f->now);
}

void fake_tell(struct fake *f, const struct netif *link)
{
    interfaces_hear(&f->all, IFWATCH_IS, link, f->now);
    interfaces_heard(&f->all, f->now);
}

struct netif *fake_appear(struct fake *f, const char *name, int index)
{
    struct netif *link = fake_add(f, name, index);
    fake_tell(f, link);
    return link;
}

void fake_vanish(struct fake *f, struct netif *link)
{
    const struct netif was = {.index = link->index};
    *link = (struct netif){.index = 0};
    interfaces_hear(&f->all, IFWATCH_GONE, &was, f->now);
    interfaces_heard(&f->all, f->now);
}

void fake_answer(struct fake *f)
{
    for (unsigned k = 0; k < FAKE_LINKS; k++) {
        if (f->link[k].index != 0) {
            interfaces_hear(&f->all, IFWATCH_IS, &f->link[k], f->now);
        }
    }
    fake_hear(f, IFWATCH_ALL);
    interfaces_heard(&f->all, f->now);
}

void fake_pass(struct fake *f, int64_t ms)
{
    f->now = mono_add_ms(f->now, ms);
    interfaces_tick(&f->all, f->now);
}

struct interface *fake_interface(struct fake *f, const char *name)
{
    for (unsigned k = 0; k < f->all.n; k++) {
        if (strcmp(f->all.at[k]->name, name) == 0) {
            return f->all.at[k];
        }
    }
    return NULL;
}

struct fake_stream *fake_stream_of(struct fake *f, const char *name)
{
    const struct interface *i = fake_interface(f, name);
    assert_non_null(i);
    return fake_stream(f, i);
}

void fake_told(struct fake *f, const char *text)
{
    assert_string_equal(f->text, text);
    f->text[0] = '\0';
}

int fake_begin(struct fake *f, struct error *err)
{
    const struct interfaces_conf c = {"tapped", &f->select, &fake_interface_ops,
                                      &fake_interfaces_ops, f};
    interfaces_init(&f->all, &c);
    return interfaces_start(&f->all, "home:4789", f->now, err);
}

void fake_run(struct fake *f)
{
    struct error err = {""};
    assert_int_equal(fake_begin(f, &err), 0);
    assert_int_equal(f->asks, 1);
    assert_false(interfaces_settled(&f->all));
    fake_answer(f);
    assert_true(interfaces_settled(&f->all));
    interfaces_say_waiting(&f->all);
}

struct fake *fake_new(void)
{
    struct fake *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->now = (struct mono){NSEC_PER_SEC};
    f->max_streams = FAKE_STREAMS - 1;
    f->session = true;
    return f;
}

struct fake *fake_waiting(const char *pattern)
{
    char text[96];
    struct fake *f = fake_new();
    fake_select(f, pattern);
    fake_run(f);
    snprintf(text, sizeof(text), "says no interface matches \"%s\" yet: waiting for one\n",
             pattern);
    fake_told(f, text);
    return f;
}

void fake_done(struct fake *f)
{
    interfaces_done(&f->all);
    assert_false(f->watching);
    for (unsigned k = 0; k < FAKE_STREAMS; k++) {
        assert_false(f->stream[k].open);
    }
    selection_done(&f->select);
    free(f);
}
