/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector, assembled in an engine with a broker of its own, reads its list of taps again: main
 * splits, and the tests run in the engine. A leak checker, where there is one, looks at its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/collector.h"
#include "sys/crypto/kdf.h"
#include "sys/crypto/keys.h"

struct world {
    struct collector_opened opened;
    struct loop *loop;
    struct collector *collector;
    struct teller teller;
    char told[1024]; /* the sentences since the last look, a line each */
};

static char list[] = "/tmp/collector-test-XXXXXX", file[64];
static struct collector_conf conf = {
    .file = file, .bind = "127.0.0.1", .threads = 1, .allow = list};
static struct collector_grants grants = {.allow = list};
static struct broker *broker;

static void on_tell(void *user, const char *text)
{
    struct world *w = user;
    size_t used = strlen(w->told);
    snprintf(w->told + used, sizeof(w->told) - used, "%s\n", text);
}

static void on_over(void *user, bool failed)
{
    (void)user;
    (void)failed;
}

/* `what`, with the list's path before it, was told, and nothing else. */
static void assert_told(struct world *w, const char *what)
{
    char want[512];
    snprintf(want, sizeof(want), "%s%s\n", list, what);
    assert_string_equal(w->told, want);
    w->told[0] = '\0';
}

static void begin(struct world *w)
{
    static struct allow_list none;
    struct collector_grants others;
    struct error err = {""};
    struct handshake_conf handshake = {.method = LINK_NOISE, .allow = &none};
    *w = (struct world){.teller = {on_tell, w}};
    handshake.aeads = handshake_aeads(LINK_NOISE);
    assert_int_equal(key_generate(handshake.identity), 0);
    assert_int_equal(collector_prepare(&conf, &w->teller, &w->opened, &others, &err), 0);
    assert_int_equal(loop_new(&w->loop), 0);
    const struct collector_around around = {.conf = &conf,
                                            .handshake = &handshake,
                                            .opened = &w->opened,
                                            .loop = w->loop,
                                            .broker = broker,
                                            .teller = &w->teller,
                                            .name = "here",
                                            .os = "a system",
                                            .over = on_over,
                                            .user = w};
    int r = collector_new(&around, &w->collector, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    assert_string_equal(w->told, "");
}

static void end(struct world *w)
{
    collector_stop(w->collector);
    collector_free(w->collector);
    collector_opened_done(&w->opened);
    loop_free(w->loop);
    assert_int_equal(unlink(file), 0);
}

/* A list of so many taps, with a public key each, and `rest` behind them. */
static void write_list(unsigned n, const char *rest)
{
    FILE *to = fopen(list, "we");
    assert_non_null(to);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t priv[KEY_LEN] = {0, (uint8_t)(i + 1)}; /* bits of the first do not count */
        uint8_t pub[KEY_LEN];
        char text[KEY_TEXT_LEN + 1];
        key_public(priv, pub);
        key_format(pub, text);
        fprintf(to, "%s tap%u\n", text, i);
    }
    fputs(rest, to);
    assert_int_equal(fclose(to), 0);
}

static void reads_its_list_again(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    write_list(2, "");
    assert_true(collector_reload(w.collector));
    assert_told(&w, " was read again: 2 taps, 2 added, 0 removed, 0 changed");
    write_list(1, "");
    assert_true(collector_reload(w.collector));
    assert_told(&w, " was read again: 1 taps, 0 added, 1 removed, 0 changed");
    write_list(1, "nonsense x\n");
    assert_false(collector_reload(w.collector));
    assert_non_null(strstr(w.told, ":2: not a public key"));
    assert_non_null(strstr(w.told, "; the list of taps stays as it was\n"));
    w.told[0] = '\0';
    write_list(1, "");
    assert_true(collector_reload(w.collector));
    assert_told(&w, " was read again: 1 taps, 0 added, 0 removed, 0 changed");
    end(&w);
}

/* A start that goes no further leaves no descriptor open. */
static void gives_back_what_it_opened(void **state)
{
    (void)state;
    struct teller teller = {on_tell, NULL};
    struct collector_opened opened;
    struct collector_grants others;
    struct error err = {""};
    assert_int_equal(collector_prepare(&conf, &teller, &opened, &others, &err), 0);
    const int fd[] = {opened.fd[0], opened.outputs.file, opened.outputs.lock};
    for (unsigned done = 0; done < 2; done++) {
        for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
            assert_true(fd[i] >= 0);
            assert_int_equal(fcntl(fd[i], F_GETFD), done ? -1 : FD_CLOEXEC);
        }
        collector_opened_done(&opened);
    }
    assert_int_equal(unlink(file), 0);
}

int main(void)
{
    static const struct broker_conf bc = {
        .requests = collector_requests, .n_requests = COLLECTOR_REQUESTS, .ctx = &grants};
    struct error err = {""};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_its_list_again),
        cmocka_unit_test(gives_back_what_it_opened),
    };
    int fd = mkstemp(list);
    if (fd < 0 || crypto_init(&err) < 0 || broker_start(&bc, &broker, &err) < 0) {
        fprintf(stderr, "cannot begin: %s\n", err.text);
        return 1;
    }
    close(fd);
    snprintf(file, sizeof(file), "%s.pcapng", list);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_free(broker);
    (void)unlink(list);
    return failed;
}
