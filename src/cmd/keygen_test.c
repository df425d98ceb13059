/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan keygen` makes a pair of keys that belong together, where it is told to, and spoils no
 * file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "sys/crypto/keys.h"

enum {
    OUT = 1024,
};

static char folder[] = "/tmp/farspan-keygen-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* Runs it with these words; its status, and what it printed. */
static int keygen(char *first, char *second, char ret[OUT])
{
    char name[] = "keygen";
    char *argv[] = {name, first, second, NULL};
    FILE *out = tmpfile();
    assert_non_null(out);
    (void)fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0 && dup2(fileno(out), STDOUT_FILENO) == STDOUT_FILENO);
    optind = 0;
    const int status = cmd_keygen(1 + (first != NULL) + (second != NULL), argv);
    (void)fflush(stdout);
    assert_int_equal(dup2(kept, STDOUT_FILENO), STDOUT_FILENO);
    close(kept);
    rewind(out);
    ret[fread(ret, 1, OUT - 1, out)] = '\0';
    fclose(out);
    return status;
}

static void assert_pair(const char *priv_text, const char *pub_text)
{
    uint8_t priv[KEY_LEN], pub[KEY_LEN], expected[KEY_LEN];
    assert_int_equal(key_parse(priv_text, strlen(priv_text), priv), 0);
    assert_int_equal(key_parse(pub_text, strlen(pub_text), pub), 0);
    key_public(priv, expected);
    assert_memory_equal(pub, expected, KEY_LEN);
}

/* A line of the text, which is cut off there. */
static char *line_of(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    assert_non_null(end);
    *end = '\0';
    *text = end + 1;
    return line;
}

static void both_to_standard_output(void **state)
{
    (void)state;
    static const char head[] = "# public key: ";
    char out[OUT], *at = out, again[OUT];
    assert_int_equal(keygen(NULL, NULL, out), 0);
    char *pub = line_of(&at), *priv = line_of(&at);
    assert_string_equal(at, "");
    assert_memory_equal(pub, head, sizeof(head) - 1);
    assert_pair(priv, pub + sizeof(head) - 1);
    assert_int_equal(keygen(NULL, NULL, again), 0);
    assert_null(strstr(again, priv)); /* each is another */
}

static void the_private_one_to_a_file(void **state)
{
    (void)state;
    char output[] = "-o", out[OUT], *at = out, text[OUT], *file = text;
    struct stat st;
    assert_int_equal(keygen(output, path, out), 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    assert_int_equal(fstat(fileno(f), &st), 0);
    fclose(f);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_pair(line_of(&file), line_of(&at));
    assert_string_equal(at, "");
    assert_string_equal(file, "");
    const off_t size = st.st_size;
    assert_int_equal(keygen(output, path, out), EXIT_FAILURE); /* it is there already */
    assert_string_equal(out, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, size);
}

static void wrong_words(void **state)
{
    (void)state;
    char out[OUT], word[] = "word", output[] = "-o", nowhere[] = "/nonexistent/key";
    assert_int_equal(keygen(word, NULL, out), 2);
    assert_int_equal(keygen(output, nowhere, out), EXIT_FAILURE);
    assert_string_equal(out, "");
}

/* A full disk, say: who keeps what is printed has no key. */
static void standard_output_that_takes_nothing(void **state)
{
    (void)state;
    FILE *const out = stdout, *const error = stderr;
    char name[] = "keygen", output[] = "-o", *said = NULL;
    size_t n = 0;
    for (int to_file = 0; to_file < 2; to_file++) {
        (void)unlink(path);
        FILE *full = fopen("/dev/full", "we");
        assert_non_null(full);
        stdout = full;
        stderr = open_memstream(&said, &n);
        optind = 0;
        const int status =
            cmd_keygen(to_file ? 3 : 1, (char *[]){name, to_file ? output : NULL, path, NULL});
        fclose(stdout);
        fclose(stderr);
        stdout = out;
        stderr = error;
        assert_int_equal(status, EXIT_FAILURE);
        assert_string_equal(said, "farspan keygen: cannot write to standard output: "
                                  "No space left on device\n");
        free(said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_to_standard_output),
        cmocka_unit_test(the_private_one_to_a_file),
        cmocka_unit_test(wrong_words),
        cmocka_unit_test(standard_output_that_takes_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
