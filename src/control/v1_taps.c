/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap services and flows, made and deleted. What is wrong with one is told as a fault of the field.
 */
#include <string.h>

#include "control/taps.h"
#include "control/v1_impl.h"

const char *const v1_tap_parameters[] = {"project", NULL};

/* By fault: its field of a service, of a flow, and the status of the answer. */
static const struct {
    const char *of_service, *of_flow;
    int status;
} faults_are[] = {
    [TAP_FAULT_NO_PORT] = {"/port", "/source", 422},
    [TAP_FAULT_FOREIGN_PORT] = {"/port", "/source", 403},
    [TAP_FAULT_NO_SERVICE] = {"", "/service", 422},
    [TAP_FAULT_SEVERAL] = {"", "/service", 422},
    [TAP_FAULT_FOREIGN_SERVICE] = {"", "/service", 403},
    [TAP_FAULT_LEAVES] = {"", "/service", 409},
    [TAP_FAULT_LOOP] = {"", "/service", 409},
    [TAP_FAULT_FILTER] = {"", "/filter", 422},
    [TAP_FAULT_QUOTA] = {"", "", 409},
};

/* True: it may be made. */
static bool settle(struct api_turn *t, enum tap_fault f, bool is_flow, const struct error *err)
{
    struct json_faults faults = {.n = 0};
    if (f > TAP_FAULT_ANSWERED) {
        const char *pointer = is_flow ? faults_are[f].of_flow : faults_are[f].of_service;
        json_fault(&faults, pointer, "%s", err->text);
        (void)api_problem(t, faults_are[f].status, &faults, "%s%s%s", pointer,
                          pointer[0] ? ": " : "", err->text);
    }
    return f == TAP_FAULT_NONE;
}

/* The project that was asked for; false with the answer: it is another's. */
static bool project_of(struct api_turn *t, const char **ret)
{
    *ret = api_parameter(t, "project");
    if (*ret && !api_sees_all(t) && strcmp(*ret, t->who.project) != 0) {
        (void)api_problem(t, 403, NULL, "project: only an admin of no project acts for others");
        return false;
    }
    return true;
}

static enum api_result create(struct api_turn *t, const struct kind *k)
{
    const bool is_flow = k == &kind_tap_flow;
    struct object o;
    struct error err = {""};
    const char *project = NULL;
    enum tap_fault f = TAP_FAULT_ANSWERED;
    if (!project_of(t, &project) || api_make(t, k, &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, false, &o) == 0) {
        f = (is_flow ? taps_check_flow : taps_check_service)(t, &o, project, NULL, &err);
        if (settle(t, f, is_flow, &err) && taps_put(t, &o)) {
            (void)api_created(t, &o);
        }
    }
    object_done(&o);
    return f == TAP_FAULT_LATER ? API_LATER : API_DONE;
}

enum api_result v1_service_create(struct api_turn *t)
{
    return create(t, &kind_tap_service);
}

enum api_result v1_flow_create(struct api_turn *t)
{
    return create(t, &kind_tap_flow);
}

static enum api_result give_up(struct api_turn *t, const struct kind *k)
{
    struct object o;
    if (api_get(t, k, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (taps_delete(t, &o)) {
        t->answer.status = 204;
    }
    object_done(&o);
    return API_DONE;
}

enum api_result v1_service_delete(struct api_turn *t)
{
    return give_up(t, &kind_tap_service);
}

enum api_result v1_flow_delete(struct api_turn *t)
{
    return give_up(t, &kind_tap_flow);
}
