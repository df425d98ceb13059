/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/outfile.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"

void outfile_flush(struct outfile *o, struct ledger *ledger)
{
    size_t at = 0;
    while (at < o->used && !o->error) {
        ssize_t n = write(o->fd, o->bytes + at, o->used - at);
        if (n < 0 && errno != EINTR) {
            o->error = errno;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    ledger_add(ledger, o->error ? LEDGER_EXPORT_ERROR : LEDGER_EXPORT_OUT, o->records);
    o->records = 0;
    o->used = 0;
}

char *outfile_room(struct outfile *o, size_t n, struct ledger *ledger)
{
    if (OUTFILE_BUFFER - o->used < n) {
        outfile_flush(o, ledger);
    }
    return o->bytes + o->used;
}

void outfile_put(struct outfile *o, size_t n, uint64_t records)
{
    o->used += n;
    o->records += records;
}

int outfile_finish(struct outfile *o, const char *name, struct ledger *ledger, struct error *err)
{
    outfile_flush(o, ledger);
    if (close(o->fd) < 0 && !o->error) {
        o->error = errno;
    }
    o->fd = -1;
    return o->error ? error_sys(err, o->error, "cannot write to %s", name) : 0;
}

void outfile_done(struct outfile *o)
{
    closep(&o->fd);
}
