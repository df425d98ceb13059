/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter_capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/meter/meter.h"
#include "node/capture_impl.h"

/* The pipeline's sink, which hands batches to the one that all captures share. */
struct door {
    struct sink sink;
    struct sink *meter;
};

struct meter_capture {
    struct meter_capture_conf conf;
};

static void door_write(struct sink *s, const struct batch *b)
{
    struct sink *meter = ((struct door *)s)->meter;
    meter->ops->write(meter, b);
}

/* The meter looks at the clock in ran(), right behind. */
static void door_flush(struct sink *s)
{
    (void)s;
}

static void door_free(struct sink *s)
{
    free(s);
}

static const struct sink_ops door_ops = {
    .kind = "meter",
    .counts = LEDGER_METER,
    .write = door_write,
    .flush = door_flush,
    .free = door_free,
};

static int make_sink(void *part, struct capture *cap, struct sink **ret, struct stage_conf *wishes)
{
    const struct meter_capture *m = part;
    struct door *d = calloc(1, sizeof(*d));
    (void)cap;
    (void)wishes;
    if (!d) {
        return -ENOMEM;
    }
    d->sink.ops = &door_ops;
    d->meter = m->conf.meter;
    *ret = &d->sink;
    return 0;
}

static int ran(void *part, bool more)
{
    const struct meter_capture *m = part;
    meter_sink_read(m->conf.meter, m->conf.point, !more, wall_now().ns);
    return -1;
}

static const struct capture_ops ops = {
    .sink = make_sink,
    .ran = ran,
    .free = free,
};

int meter_capture_start(const struct meter_capture_conf *conf, struct capture **ret,
                        struct error *err)
{
    char name[16];
    struct meter_capture *m = calloc(1, sizeof(*m));
    if (!m) {
        return error_sys(err, ENOMEM, "cannot watch %s", conf->name);
    }
    m->conf = *conf;
    snprintf(name, sizeof(name), "met %.11s", conf->name);
    return capture_start(
        &(struct capture_conf){.name = conf->name,
                               .point = conf->point,
                               .thread = name,
                               .control = conf->control,
                               .ops = &ops,
                               .part = m,
                               .end = STAGE_AT_METER,
                               .wishes = {.take_links = true, .list = conf->stages}},
        ret, err);
}
