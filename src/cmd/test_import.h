/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan import ivtap` for tests: files of the test's own, the status, the file that is printed,
 * and what is said. Of whatever files, what is printed are comments, sections and settings that
 * are meant.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/test_import_lines.h"

/* An import of up to two files, and what came of it. */
struct run {
    char path[2][32], *out, *said;
    int status;
};

static inline void write_file(char path[32], const char *bytes, size_t n)
{
    snprintf(path, 32, "/tmp/import-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* Words of a command line and then the files, to a NULL of each. */
static inline void import(const char *const *words, struct run *r, unsigned n_files)
{
    FILE *const out = stdout, *const error = stderr;
    char *argv[16] = {(char *)"import"};
    size_t n = 0, m = 0;
    int argc = 1;
    for (; *words; words++) {
        argv[argc++] = (char *)*words;
    }
    for (unsigned i = 0; i < n_files; i++) {
        argv[argc++] = r->path[i];
    }
    stdout = open_memstream(&r->out, &n);
    stderr = open_memstream(&r->said, &m);
    optind = 0; /* glibc's way to begin again */
    r->status = cmd_import(argc, argv);
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = error;
    for (unsigned i = 0; i < n_files; i++) {
        unlink(r->path[i]);
    }
    if (r->status != EXIT_SUCCESS || n_files > 0) {
        assert_lines(r->out);
    }
}

static inline void done(struct run *r)
{
    free(r->out);
    free(r->said);
}

static const char *const without[] _unused_ = {"ivtap", NULL};
static const char *const given[] _unused_ = {"ivtap",      "--interface", "eth7",
                                             "--key-file", "/etc/key",    NULL};

static inline void import_bytes(const char *bytes, size_t n, const char *const *words,
                                struct run *r)
{
    *r = (struct run){.out = NULL};
    write_file(r->path[0], bytes, n);
    import(words, r, 1);
}

#define IMPORT(text, words, r) import_bytes(text, sizeof(text) - 1, words, r)

/* The lines of standard error, each with the file's name before it. */
static inline void assert_said(const struct run *r, const char *const *lines)
{
    char want[8192] = "";
    size_t used = 0;
    for (; *lines; lines++) {
        used += (size_t)snprintf(want + used, sizeof(want) - used, "%s:%s\n", r->path[0], *lines);
    }
    assert_string_equal(r->said, want);
    assert_int_equal(r->status, EXIT_FAILURE);
}

#define SAID(r, ...) assert_said(r, (const char *const[]){__VA_ARGS__, NULL})

/* The printed file behind its first line, which has the imported file's name. */
static inline void assert_printed(const struct run *r, const char *want)
{
    char first[64];
    const size_t n =
        (size_t)snprintf(first, sizeof(first), "# Made by farspan import of %s\n", r->path[0]);
    assert_true(strlen(r->out) >= n);
    assert_memory_equal(r->out, first, n);
    assert_string_equal(r->out + n, want);
}
