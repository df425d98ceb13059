/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps two collectors from writing one capture file. The lock belongs to a description of the file
 * that is opened for it alone: no shell and no program that shares the file's own has it, and it
 * ends with the last process that holds a copy, however that ends.
 */
#pragma once

#include "base/error.h"

/* *ret_lock: to be kept open as long as the file is written; -1: what cannot be locked needs no
 * lock (a pipe, a device), or has none (an unusual file system). -EBUSY: another holds it. To be
 * called before anything is read or changed, and with the right to open the file. */
int file_lock(int fd, const char *path, int *ret_lock, struct error *err);
