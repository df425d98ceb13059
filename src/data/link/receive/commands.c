/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver's commands (receiver.h): the control thread posts each to the data thread, which
 * carries it out there (streams.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/fan.h"
#include "data/link/receive/impl.h"
#include "sys/crypto/kdf.h"

struct command {
    bool keep;
    uint16_t stream, sub;
    uint32_t index, session;
    struct aead *aead;
    struct point *point;
    int device;
    struct receiver_report report;
    struct udp_addr from;
    const struct stage_list *stages;
    unsigned place;
    struct sink *output;
    _Atomic unsigned *done;
    union {
        struct cookie_jar cookies;
        struct align align;
        uint8_t tag[CPACE_TAG_LEN];
    };
};

/* ---- in the data thread ---- */

static void set_cookies(void *r, void *arg)
{
    ((struct receiver *)r)->cookies = ((struct command *)arg)->cookies;
}

static void expect(void *r, void *arg)
{
    const struct command *c = arg;
    rx_key_expect(r, c->index, &c->from, c->tag);
}

static void key_add(void *r, void *arg)
{
    struct command *c = arg;
    rx_key_add(r, c->index, &c->from, TAKE_PTR(c->aead));
}

static void key_drop(void *r, void *arg)
{
    rx_key_drop(r, ((const struct command *)arg)->index);
}

static void bind_key(void *r, void *arg)
{
    const struct command *c = arg;
    rx_key_bind(r, c->index, c->session);
}

static void stream_add(void *r, void *arg)
{
    const struct command *c = arg;
    rx_stream_add(r, c->session, c->stream, c->point, c->device);
}

static void sub_add(void *r, void *arg)
{
    const struct command *c = arg;
    rx_sub_add(r, c->session, c->stream, c->sub, c->point, c->device);
}

static void take_report(void *r, void *arg)
{
    const struct command *c = arg;
    rx_report(r, c->session, c->stream, &c->report);
}

static void stream_end(void *r, void *arg)
{
    const struct command *c = arg;
    rx_stream_end(r, c->session, c->stream, c->keep);
}

static void set_align(void *r, void *arg)
{
    const struct command *c = arg;
    rx_align(r, c->session, &c->align);
}

/* Frames that came before go through the stages of before. */
static void set_stages(void *r, void *arg)
{
    struct receiver *of = r;
    rx_deliver(of);
    (void)pipeline_restage(&of->pipeline, STAGE_AT_COLLECTOR,
                           ((const struct command *)arg)->stages); /* -ENOMEM: those before stay */
}

/* So do frames that came before. */
static void set_output(void *r, void *arg)
{
    struct receiver *of = r;
    const struct command *c = arg;
    rx_deliver(of);
    fan_set(of->pipeline.sink, c->place, c->output);
    atomic_fetch_add_explicit(c->done, 1, memory_order_release);
}

static void session_close(void *r, void *arg)
{
    rx_session_close(r, ((const struct command *)arg)->session);
}

/* ---- from the control thread ---- */

static void command_free(void *arg)
{
    struct command *c = arg;
    aead_free(c->aead);
    secure_wipe(c, sizeof(*c));
    free(c);
}

static int command(struct receiver *r, void (*fn)(void *r, void *arg), const struct command *from)
{
    struct command *c = malloc(sizeof(*c));
    if (!c) {
        aead_free(from->aead);
        return -ENOMEM;
    }
    *c = *from;
    return thread_post(r->thread, fn, c, command_free);
}

int receiver_stages(struct receiver *r, const struct stage_list *stages)
{
    const struct command c = {.stages = stages};
    return command(r, set_stages, &c);
}

int receiver_output(struct receiver *r, unsigned place, struct sink *output, _Atomic unsigned *done)
{
    const struct command c = {.place = place, .output = output, .done = done};
    return command(r, set_output, &c);
}

int receiver_cookies(struct receiver *r, const struct cookie_jar *jar)
{
    struct command c = {.cookies = *jar};
    int e = command(r, set_cookies, &c);
    secure_wipe(&c, sizeof(c));
    return e;
}

int receiver_expect(struct receiver *r, uint32_t index, const struct udp_addr *from,
                    const uint8_t tag[CPACE_TAG_LEN])
{
    struct command c = {.index = index, .from = *from};
    memcpy(c.tag, tag, sizeof(c.tag));
    int e = command(r, expect, &c);
    secure_wipe(&c, sizeof(c));
    return e;
}

int receiver_key_add(struct receiver *r, uint32_t index, const struct udp_addr *from,
                     struct aead *aead)
{
    return command(r, key_add, &(struct command){.index = index, .from = *from, .aead = aead});
}

int receiver_key_drop(struct receiver *r, uint32_t index)
{
    return command(r, key_drop, &(struct command){.index = index});
}

int receiver_bind(struct receiver *r, uint32_t index, uint32_t session)
{
    return command(r, bind_key, &(struct command){.index = index, .session = session});
}

int receiver_stream_add(struct receiver *r, uint32_t session, uint16_t stream, struct point *point,
                        int device)
{
    return command(
        r, stream_add,
        &(struct command){.session = session, .stream = stream, .point = point, .device = device});
}

int receiver_sub_add(struct receiver *r, uint32_t session, uint16_t stream, uint16_t sub,
                     struct point *point, int device)
{
    return command(
        r, sub_add,
        &(struct command){
            .session = session, .stream = stream, .sub = sub, .point = point, .device = device});
}

int receiver_report(struct receiver *r, uint32_t session, uint16_t stream,
                    const struct receiver_report *report)
{
    return command(r, take_report,
                   &(struct command){.session = session, .stream = stream, .report = *report});
}

int receiver_stream_end(struct receiver *r, uint32_t session, uint16_t stream, bool keep)
{
    return command(r, stream_end,
                   &(struct command){.session = session, .stream = stream, .keep = keep});
}

int receiver_align(struct receiver *r, uint32_t session, const struct align *to)
{
    return command(r, set_align, &(struct command){.session = session, .align = *to});
}

int receiver_close(struct receiver *r, uint32_t session)
{
    return command(r, session_close, &(struct command){.session = session});
}
