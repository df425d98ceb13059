/* SPDX-License-Identifier: Apache-2.0
 *
 * barehttp PORT FILE: libmicrohttpd and nothing else, on loopback: each request gets the bytes of
 * the file, from memory. It runs until it is ended; the peer of a service in tests/bench/serve.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct MHD_Response *answer;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **con_cls)
{
    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    *upload_size = 0;
    if (!*con_cls) {
        *con_cls = c;
        return MHD_YES;
    }
    return MHD_queue_response(c, MHD_HTTP_OK, answer);
}

int main(int argc, char **argv)
{
    static char text[65536];
    FILE *f = argc == 3 ? fopen(argv[2], "re") : NULL;
    if (!f) {
        fprintf(stderr, "usage: barehttp PORT FILE\n");
        return 2;
    }
    const size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    answer = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL,
                         MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_END);
    if (!d || !answer) {
        return EXIT_FAILURE;
    }
    (void)pause();
    MHD_stop_daemon(d);
    return EXIT_SUCCESS;
}
