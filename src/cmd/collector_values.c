/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan collector` whose value has a form; rows of collector_options.c name them.
 */
#include <string.h>

#include "base/parse.h"
#include "cmd/cmd.h"
#include "cmd/collector_line.h"
#include "cmd/options.h"
#include "data/sink/queue/queue.h"
#include "sys/tapdev.h"

enum {
    ORDER_MS_MAX = 60000,
};

int collector_set_port(void *to, const struct option_given *given)
{
    struct collector_conf *c = to;
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(given->arg, given->label, 1, UINT16_MAX, &v, &err);
    c->port = (uint16_t)v;
    return option_parsed(given, r, &err);
}

int collector_set_threads(void *to, const struct option_given *given)
{
    struct collector_conf *c = to;
    struct error err = {""};
    uint64_t v = 0;
    int r = parse_u64(given->arg, given->label, 1, RECEIVER_THREADS, &v, &err);
    c->threads = (unsigned)v;
    return option_parsed(given, r, &err);
}

int collector_set_device(void *to, const struct option_given *given)
{
    struct collector_conf *c = to;
    if (strcmp(given->arg, "any") == 0) {
        return usage_error("collector",
                           "%s any: programs that capture call all interfaces that: "
                           "choose another name for the device",
                           given->label);
    }
    if (!strstr(given->arg, "%t") && !tapdev_name_valid(given->arg)) {
        return usage_error("collector",
                           "%s \"%s\": a device's name has 1 to 15 characters, without blanks, "
                           "'/', ':' and '%%' (but %%t for the tap's name)",
                           given->label, given->arg);
    }
    c->device = given->arg;
    return 0;
}

int collector_set_order(void *to, const struct option_given *given)
{
    struct collector_conf *c = to;
    struct error err = {""};
    int r = parse_ms(given->arg, given->label, 1, ORDER_MS_MAX, &c->order_ms, &err);
    return option_parsed(given, r, &err);
}

int collector_set_queue(void *to, const struct option_given *given)
{
    struct collector_conf *c = to;
    struct error err = {""};
    int r = parse_size(given->arg, given->label, false, QUEUE_BYTES_MIN, QUEUE_BYTES_MAX,
                       &c->output_queue, &err);
    return option_parsed(given, r, &err);
}
