/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures between their three forms: the object of the store, what the manager thinks of
 * (model/capture.h), and what whoever carries it out is told and tells (proto/wanted.h).
 */
#pragma once

#include "control/json.h"
#include "model/capture.h"
#include "proto/wanted.h"

/* -EINVAL: it is no object of this kind, or lacks what each capture has. */
int capture_of_object(const struct object *o, struct capture *ret);
/* The reported parts into the object, of which the generation grows. -ENOMEM: it is of no use. */
int capture_into_object(const struct capture *c, struct object *o);
/* The wish as whoever carries it out is told it, in its life of that number. -EINVAL with a
 * sentence: a wish is none that can be told. */
int capture_wish(const struct object *o, const struct capture *c, uint64_t life, struct wanted *ret,
                 struct error *err);
/* A report out of a message, which is not late; it borrows the message's words. */
struct capture_report capture_report_of(const struct wanted_is *is, uint64_t life);
