/* SPDX-License-Identifier: Apache-2.0
 *
 * A message to the peer. It never waits: a peer that does not read is not to stop control.
 */
#include <errno.h>
#include <sys/socket.h>

#include "control/agents_impl.h"

int agents_send(struct agents *a, const struct rolemsg *m)
{
    uint8_t buf[WANTED_MESSAGE_MAX];
    const int n = rolemsg_put(buf, sizeof(buf), m);
    if (n < 0) {
        return n;
    }
    if (send(a->fd, buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return errno == ENOBUFS ? -EAGAIN : -errno;
    }
    return 0;
}
