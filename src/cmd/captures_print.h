/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures as people read them: a table, the progress of one, and its end.
 */
#pragma once

#include "cmd/client.h"

/* `ids`: as many characters of each id as are shown. */
void captures_table(const json_t *all, unsigned ids, FILE *to);
/* How many characters of the ids tell each from all others, at least 8. */
unsigned captures_id_len(const json_t *all);
/* From start to stop in ns; 0: it has no stop. */
int64_t captures_length(const json_t *capture);
/* "eth0 eth1" */
void captures_points(const json_t *capture, char *ret, size_t cap);

/* Has it ended, in whatever way? */
bool captures_is_over(const json_t *capture);
/* Its end in words: "done: 1204 frames, 0 dropped, written to FILE"; the service's reason where it
 * is empty or has failed; and its gaps. `path` NULL: nothing was written. */
void captures_end_words(const json_t *capture, const char *path, char *ret, size_t cap);
/* These words on standard error, and the exit status. */
int captures_tell_end(const json_t *capture, const char *path);

/* A line of progress, for a terminal of so many columns (0: unknown). */
void captures_progress_words(const json_t *capture, int64_t now_ns, uint64_t received,
                             unsigned columns, char *ret, size_t cap);
/* One line on standard error that is written over again, where that is a terminal. */
void captures_progress(const json_t *capture, int64_t now_ns, uint64_t received);
/* Ends that line, with the progress of one that is over. */
void captures_progress_end(const json_t *capture, uint64_t received);
