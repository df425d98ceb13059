/* SPDX-License-Identifier: Apache-2.0
 *
 * The signals of a client (client.h).
 */
#include <signal.h>

#include "cmd/client.h"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

volatile sig_atomic_t *client_catch_signals(void)
{
    const struct sigaction once = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &once, NULL);
    (void)sigaction(SIGTERM, &once, NULL);
    return &stopped;
}
