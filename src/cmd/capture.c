/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan capture`: a capture is asked for, and waited for.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/capture_line.h"
#include "cmd/capture_wait.h"
#include "cmd/captures_print.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "sys/write_file.h"

/* The wait, and what it needs. */
struct asked {
    struct client client, side;
    struct capture_wait wait;
    int fd;
};

static bool has_file(const struct capture_line *l)
{
    return l->write && strcmp(l->write, "-") != 0;
}

/* The file is made first, so that no capture runs for nothing. */
static int make(struct asked *a, const struct capture_line *l, const struct capture_words *words,
                struct error *err)
{
    json_t *ports = NULL, *wish = NULL;
    int r = client_open(&a->client, &l->client, err);
    r = r < 0 ? r : client_list(&a->client, "/v1/ports", "ports", &ports, err);
    r = r < 0 ? r : capture_line_wish(l, ports, words, wall_now().ns, &wish, err);
    if (r == 0 && l->write) {
        a->fd = new_file(l->write, err);
        r = MIN(a->fd, 0);
    }
    r = r < 0 ? r : client_ask(&a->client, "POST", "/v1/captures", wish, &a->wait.capture, err);
    json_decref(wish);
    json_decref(ports);
    (void)snprintf(a->wait.path, sizeof(a->wait.path), "/v1/captures/%.40s",
                   client_text(a->wait.capture, "id"));
    return r;
}

static void tell_that_it_goes_on(const struct asked *a)
{
    const char *id = client_text(a->wait.capture, "id");
    say("capture",
        "the capture goes on; farspan captures cancel %.40s ends it, and farspan retrieve %.40s "
        "has its data",
        id, id);
}

/* After the wait. A file that is not whole is no success. */
static int end(const struct asked *a, const struct capture_line *l, int r, const struct error *err)
{
    const json_t *capture = a->wait.capture;
    if (r == -EINTR) {
        tell_that_it_goes_on(a);
        return l->write ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (r < 0) {
        (void)client_exit("capture", r, err);
        if (!captures_is_over(capture)) {
            tell_that_it_goes_on(a);
        }
        return EXIT_FAILURE;
    }
    if (l->client.json) {
        client_json(capture);
    }
    return captures_tell_end(capture, has_file(l) && a->wait.received > 0 ? l->write : NULL);
}

static int detach(const struct asked *a, const struct capture_line *l)
{
    if (l->client.json) {
        client_json(a->wait.capture);
    } else {
        printf("%.40s\n", client_text(a->wait.capture, "id"));
    }
    return EXIT_SUCCESS;
}

static int run(const struct capture_line *l, const struct capture_words *words)
{
    struct error err = {""};
    struct asked a = {.fd = -1, .client.stop = client_catch_signals()};
    a.side.stop = a.client.stop;
    int r = make(&a, l, words, &err);
    if (r < 0) {
        r = client_exit("capture", r, &err);
    } else if (l->detach) {
        r = detach(&a, l);
    } else {
        a.wait.client = &a.client;
        a.wait.fd = a.fd;
        if (isatty(STDERR_FILENO) && client_open(&a.side, &l->client, &err) == 0) {
            a.wait.side = &a.side;
        }
        r = capture_wait(&a.wait, &err);
        r = end(&a, l, r, &err);
    }
    if (a.fd >= 0 && has_file(l) && a.wait.received == 0) {
        (void)unlink(l->write); /* it is ours, and empty */
    }
    closep(&a.fd);
    capture_wait_done(&a.wait);
    client_close(&a.client);
    client_close(&a.side);
    return end_output("capture", r);
}

int cmd_capture(int argc, char **argv)
{
    struct capture_line l = {.type = NULL};
    int behind = -1; /* words that stand behind a "--" */
    for (int i = 1; i < argc && behind < 0; i++) {
        behind = strcmp(argv[i], "--") == 0 ? argc - i - 1 : -1;
    }
    const int r = options_parse(&capture_options, &l, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    if (l.write && l.detach) {
        return usage_error("capture", "--detach does not wait for data, so -w cannot have any");
    }
    if (l.client.json && l.write && !has_file(&l)) {
        return usage_error("capture", "--json and -w - both want standard output");
    }
    /* getopt has put the "--" before all words, if it is not an option's value. */
    const bool ends = behind >= 0 && strcmp(argv[optind - 1], "--") == 0;
    const struct capture_words words = {argv + optind, argc - optind,
                                        ends ? argc - optind - behind : -1};
    return run(&l, &words);
}
