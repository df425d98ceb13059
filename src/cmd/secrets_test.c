/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets from files, the command line and the environment; loading one from a file warns where
 * others may read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/passphrase.h"
#include "cmd/secrets.h"
#include "sys/crypto/kdf.h"
#include "sys/crypto/keys.h"

struct world {
    char folder[64], path[96];
    char said[1024]; /* on standard error */
    enum link_method method;
    char passphrase[64]; /* "": none */
    uint8_t identity[KEY_LEN], peer[KEY_LEN];
};

static void begin(struct world *w, const char *text)
{
    *w = (struct world){.folder = "/tmp/secrets-test-XXXXXX"};
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/secret", w->folder);
    int fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void end(struct world *w)
{
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(rmdir(w->folder), 0);
}

/* Loads a tap's secrets from the file, which has this mode. */
static void load(struct world *w, struct secret_options *o, mode_t mode)
{
    struct error err = {""};
    struct secrets s = {0};
    char path[] = "/tmp/secrets-said-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(chmod(w->path, mode), 0);
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    int r = secrets_load(o, "tap", false, &s, &err);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    ssize_t n = pread(fd, w->said, sizeof(w->said) - 1, 0);
    close(fd);
    assert_int_equal(r, 0);
    assert_true(n >= 0);
    w->said[n] = '\0';
    w->method = s.conf.method;
    memcpy(w->identity, s.conf.identity, KEY_LEN);
    memcpy(w->peer, s.conf.peer, KEY_LEN);
    (void)snprintf(w->passphrase, sizeof(w->passphrase), "%s",
                   s.conf.passphrase ? s.conf.passphrase : "");
    secrets_done(&s);
}

static void assert_warns(struct world *w, struct secret_options *o)
{
    char want[256];
    snprintf(want, sizeof(want),
             "farspan tap: warning: others may read %s; chmod 600 keeps it secret\n", w->path);
    static const mode_t open_to_others[] = {0644, 0640, 0604, 0660};
    for (size_t i = 0; i < ARRAY_SIZE(open_to_others); i++) {
        load(w, o, open_to_others[i]);
        assert_string_equal(w->said, want);
    }
    load(w, o, 0600);
    assert_string_equal(w->said, "");
    load(w, o, 0400);
    assert_string_equal(w->said, "");
}

static void a_key_file_that_others_may_read(void **state)
{
    (void)state;
    struct world w;
    begin(&w, "a passphrase\n");
    struct secret_options o = {.key_file = w.path};
    assert_warns(&w, &o);
    assert_int_equal(w.method, LINK_CPACE);
    assert_string_equal(w.passphrase, "a passphrase");
    end(&w);
}

/* A passphrase on the command line, that of the environment, which is gone afterwards, and none. */
static void without_a_file(void **state)
{
    (void)state;
    struct world w;
    struct error err = {""};
    begin(&w, "");
    struct secret_options o = {0};
    char text[] = "from the line";
    const struct conf_given given = {.label = "-k", .text = text};
    assert_int_equal(secret_set_passphrase(&o, &given, &err), 0);
    load(&w, &o, 0600);
    assert_string_equal(w.passphrase, "from the line");
    assert_non_null(strstr(w.said, "warning: the passphrase stood on the command line"));
    assert_int_equal(setenv("FARSPAN_KEY", "from outside", 1), 0);
    load(&w, &o, 0600);
    assert_string_equal(w.passphrase, "from outside");
    assert_string_equal(w.said, "");
    assert_null(getenv("FARSPAN_KEY"));
    o.plain = true;
    load(&w, &o, 0600);
    assert_int_equal(w.method, LINK_PLAIN);
    assert_string_equal(w.passphrase, "");
    assert_non_null(strstr(w.said, "no encryption"));
    end(&w);
}

/* Loads the text from "-k", from "FARSPAN_KEY", or from the file at `path`. */
static int load_text(const char *from, const char *text, const char *path, char *said, size_t room)
{
    struct error err = {""};
    struct secret_options o = {0};
    char *phrase = NULL;
    if (strcmp(from, "-k") == 0) {
        o.passphrase = strdup(text);
    } else if (strcmp(from, "FARSPAN_KEY") == 0) {
        assert_int_equal(setenv("FARSPAN_KEY", text, 1), 0);
    } else {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0 && fputs("\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
        o.key_file = path;
    }
    const int r = passphrase_load(&o, "tap", &phrase, &err);
    if (r == 0) {
        assert_string_equal(phrase, text);
    } else {
        assert_null(phrase);
    }
    passphrase_free(phrase);
    snprintf(said, room, "%s", err.text);
    return r;
}

/* Wherever a passphrase stands: it has bytes, and not too many. */
static void as_long_as_a_passphrase_may_be(void **state)
{
    (void)state;
    struct world w;
    char longest[1024 + 2], said[256], want[256];
    begin(&w, "");
    const char *const from[] = {"-k", "FARSPAN_KEY", w.path};
    memset(longest, 'x', sizeof(longest) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        longest[1024] = 'x';
        longest[1025] = '\0';
        assert_int_equal(load_text(from[i], longest, w.path, said, sizeof(said)), -EINVAL);
        snprintf(want, sizeof(want), "%s: a passphrase has 1 to 1024 bytes", from[i]);
        assert_string_equal(said, want);
        longest[1024] = '\0';
        assert_int_equal(load_text(from[i], longest, w.path, said, sizeof(said)), 0);
        assert_int_equal(load_text(from[i], "x", w.path, said, sizeof(said)), 0);
        assert_int_equal(load_text(from[i], "", w.path, said, sizeof(said)), -EINVAL);
        snprintf(want, sizeof(want), "%s: the passphrase is empty", from[i]);
        assert_string_equal(said, want);
    }
    end(&w);
}

static void an_identity_that_others_may_read(void **state)
{
    (void)state;
    struct world w;
    uint8_t priv[KEY_LEN], pub[KEY_LEN];
    char priv_text[KEY_TEXT_LEN + 1], pub_text[KEY_TEXT_LEN + 1];
    assert_int_equal(key_generate(priv), 0);
    key_public(priv, pub);
    key_format(priv, priv_text);
    key_format(pub, pub_text);
    begin(&w, priv_text);
    struct secret_options o = {.identity = w.path, .peer = pub_text};
    assert_warns(&w, &o);
    assert_int_equal(w.method, LINK_NOISE);
    assert_memory_equal(w.identity, priv, KEY_LEN);
    assert_memory_equal(w.peer, pub, KEY_LEN);
    end(&w);
}

int main(void)
{
    struct error err = {""};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_that_others_may_read),
        cmocka_unit_test(an_identity_that_others_may_read),
        cmocka_unit_test(without_a_file),
        cmocka_unit_test(as_long_as_a_passphrase_may_be),
    };
    return crypto_init(&err) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
