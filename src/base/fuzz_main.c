/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target on stored inputs: each argument is a file, or a folder whose files are taken.
 * Linked instead of libFuzzer, so that the corpus is replayed in every test run by any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 1 << 20,
};

static int run_file(const char *path)
{
    _cleanup_(fclosep) FILE *f = fopen(path, "rbe");
    _cleanup_(freep) uint8_t *buf = malloc(INPUT_MAX);
    if (!f || !buf) {
        fprintf(stderr, "cannot read %s\n", path);
        return -1;
    }
    size_t n = fread(buf, 1, INPUT_MAX, f);
    uint8_t *exact = malloc(n ? n : 1); /* so that a read past the end is seen */
    if (!exact) {
        return -1;
    }
    memcpy(exact, buf, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 1;
}

static int run_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        fprintf(stderr, "cannot find %s\n", path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return run_file(path);
    }
    DIR *d = opendir(path);
    if (!d) {
        return -1;
    }
    int ran = 0;
    for (struct dirent *e; ran >= 0 && (e = readdir(d)) != NULL;) {
        char full[4096];
        if (e->d_name[0] != '.') {
            snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
            ran = run_file(full) < 0 ? -1 : ran + 1;
        }
    }
    closedir(d);
    return ran;
}

int main(int argc, char **argv)
{
    int ran = 0;
    for (int i = 1; i < argc; i++) {
        int n = run_path(argv[i]);
        if (n < 0) {
            return EXIT_FAILURE;
        }
        ran += n;
    }
    printf("%d inputs\n", ran);
    return ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty corpus tests nothing */
}
