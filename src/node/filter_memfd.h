/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter's program on its way from a child of the broker's to an engine: the bytes of a sealed
 * memfd. Whoever reads it takes the other for hostile.
 */
#pragma once

#include "sys/filter.h"

/* -E2BIG: it has more instructions than the kernel takes; it is filter_done() then. */
int filter_check_length(struct filter_prog *p, struct error *err);
int filter_to_memfd(const struct filter_prog *p, int *ret_fd, struct error *err);
/* *ret is filter_done()'s. -EBADMSG, -ENOMEM. */
int filter_of_memfd(int fd, struct filter_prog *ret);
