/* SPDX-License-Identifier: Apache-2.0 */
#include "control/captures.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "model/kinds.h"
#include "model/texts.h"

enum capture_state captures_state(const struct object *o)
{
    const struct value *v = &o->v[CAPTURE_F_STATE];
    int state = v->set ? field_word(&o->kind->field[CAPTURE_F_STATE], v->text) : 0;
    return state < 0 ? CAPTURE_FAILED : (enum capture_state)state;
}

bool captures_ended(const struct object *o)
{
    return captures_state(o) >= CAPTURE_DONE;
}

int captures_cancel(struct object *o, int64_t now_ns, const char *who)
{
    char words[160];
    bool began = captures_state(o) != CAPTURE_SCHEDULED || o->v[CAPTURE_F_START].n <= now_ns;
    snprintf(words, sizeof(words), "cancelled by %s", who);
    if (object_set_text(o, CAPTURE_F_CODE, "cancelled") < 0 ||
        object_set_text(o, CAPTURE_F_REASON, words) < 0 ||
        object_set_text(o, CAPTURE_F_STATE, began ? "finishing" : "cancelled") < 0) {
        return -ENOMEM;
    }
    if (!began) {
        object_set_int(o, CAPTURE_F_ENDED, now_ns);
    }
    return 0;
}

static bool is_type(const struct object *o, const char *type)
{
    const struct value *v = &o->v[CAPTURE_F_TYPE];
    return v->set && strcmp(v->text, type) == 0;
}

static void check_end(const struct object *o, int64_t now_ns, struct json_faults *f)
{
    const struct value *start = &o->v[CAPTURE_F_START], *stop = &o->v[CAPTURE_F_STOP];
    if (!stop->set) {
        if (!o->v[CAPTURE_F_LIMIT_BYTES].set && !o->v[CAPTURE_F_LIMIT_FRAMES].set) {
            json_fault(f, "/stop",
                       "stop, limit_bytes or limit_frames must be given, so that it ends");
        }
        return;
    }
    if (stop->n <= start->n) {
        json_fault(f, "/stop", "stop must be after start");
    } else if (stop->n <= now_ns) {
        json_fault(f, "/stop", "stop has passed already");
    } else if (stop->n - start->n > CAPTURE_LENGTH_MAX_NS) {
        json_fault(f, "/stop", "a capture lasts 24 hours at most");
    }
}

static void check_start(const struct object *o, int64_t now_ns, struct json_faults *f)
{
    int64_t start = o->v[CAPTURE_F_START].n;
    if (start < now_ns - CAPTURES_LATE_S * NSEC_PER_SEC) {
        json_fault(f, "/start",
                   "start has passed; the past needs the recorder, which is not there: the "
                   "earliest start is now");
    } else if (start - now_ns > CAPTURE_AHEAD_MAX_NS) {
        json_fault(f, "/start", "a capture starts within 366 days");
    }
}

/* A field that has no meaning for the type would be left out in silence otherwise. */
static void check_absent(const struct object *o, unsigned field, struct json_faults *f)
{
    const struct field *k = &o->kind->field[field];
    const struct value *v = &o->v[field];
    struct value dflt = {0};
    char pointer[64];
    bool is_default = !v->set || (k->dflt && field_parse(k, k->dflt, &dflt, NULL) == 0 &&
                                  value_compare(k, v, &dflt) == 0);
    value_done(&dflt);
    if (!is_default) {
        snprintf(pointer, sizeof(pointer), "/%s", k->name);
        json_fault(f, pointer, "%s does not go with the type %s", k->name,
                   o->v[CAPTURE_F_TYPE].text);
    }
}

/* A file has the counters of one link. */
static void check_one_point(const struct object *o, struct json_faults *f)
{
    const struct value *v = &o->v[CAPTURE_F_POINTS];
    if (v->set && texts_count(v->text) > 1) {
        json_fault(f, "/points", "a capture of the type %s is of one port",
                   o->v[CAPTURE_F_TYPE].text);
    }
}

static void check_type(const struct object *o, struct json_faults *f)
{
    if (is_type(o, "ethernet")) {
        check_absent(o, CAPTURE_F_FILTER, f);
        check_absent(o, CAPTURE_F_SNAPLEN, f);
        check_absent(o, CAPTURE_F_DIRECTION, f);
        check_absent(o, CAPTURE_F_VLANS, f);
        check_absent(o, CAPTURE_F_LIMIT_FRAMES, f);
        check_one_point(o, f);
    } else {
        check_absent(o, CAPTURE_F_PERIOD, f);
    }
    if (is_type(o, "netflow")) {
        check_absent(o, CAPTURE_F_SNAPLEN, f);
    }
}

void captures_check_new(struct object *o, int64_t now_ns, struct json_faults *f)
{
    if (!o->v[CAPTURE_F_START].set) {
        object_set_int(o, CAPTURE_F_START, now_ns);
    }
    check_start(o, now_ns, f);
    check_end(o, now_ns, f);
    check_type(o, f);
}

void captures_check_stop(const struct object *o, int64_t now_ns, struct json_faults *f)
{
    check_end(o, now_ns, f);
}
