/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_flows.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "data/meter/ipfix_file.h"
#include "data/meter/meter.h"
#include "data/thread.h"
#include "proto/ipfix.h"

enum {
    FLOWS = 65536,
    IDLE_S = 15,
    ACTIVE_S = 60,
    WRITE_S = 5, /* until a record that is made is in the file */
    WITH = IPFIX_TUNNEL | IPFIX_BIFLOW | IPFIX_NS,
    RECORD = 256, /* bytes that a pair of directions takes in the file, and some more */
    REST = 4096,  /* bytes that are made and not in the file yet: a message, and names */
    HEADER = 16,  /* of a message (RFC 7011, section 3.1) */
    VERSION = 10,
    PIECE = 64 << 10,
};

_Static_assert(ENGINE_FLOWS_LATE_S == ACTIVE_S + IDLE_S + WRITE_S, "it says how late they are");

static const struct sampling none;

void engine_flows_init(struct engine_flows *f)
{
    *f = (struct engine_flows){.fd = -1, .to = -1};
}

static void join(struct engine_flows *f)
{
    if (f->has_thread) {
        pthread_join(f->thread, NULL);
        f->has_thread = false;
    }
}

void engine_flows_done(struct engine_flows *f)
{
    join(f);
    closep(&f->fd);
    engine_flows_init(f);
}

/* ---- the file ---- */

/* Where the last whole message ends. */
static int find_end(int fd, uint64_t size, uint64_t *ret)
{
    uint64_t at = 0;
    for (;;) {
        uint8_t head[HEADER];
        const ssize_t n = pread(fd, head, sizeof(head), (off_t)at);
        if (n < 0) {
            return -errno;
        }
        struct rd r = rd_make(head, (size_t)n);
        const uint16_t version = rd_u16(&r), len = rd_u16(&r);
        if (n < HEADER || version != VERSION || len < HEADER || len > size - at) {
            *ret = at;
            return 0;
        }
        at += len;
    }
}

static int cut_torn_end(int fd)
{
    struct stat st;
    uint64_t end = 0;
    const int r = fstat(fd, &st) < 0 ? -errno : find_end(fd, (uint64_t)st.st_size, &end);
    if (r < 0) {
        return r;
    }
    const bool is_torn = end < (uint64_t)st.st_size;
    return (is_torn && ftruncate(fd, (off_t)end) < 0) || lseek(fd, (off_t)end, SEEK_SET) < 0
               ? -errno
               : 0;
}

int engine_flows_open(struct engine_flows *f, int fd, const struct wake *wake, struct sink **ret,
                      struct error *err)
{
    struct meter_sink_conf mc = {.flows = FLOWS,
                                 .biflow = true,
                                 .idle_ns = IDLE_S * NSEC_PER_SEC,
                                 .active_ns = ACTIVE_S * NSEC_PER_SEC,
                                 .time = METER_BY_READS,
                                 .n_exporters = 1};
    const int cut = cut_torn_end(fd);
    _cleanup_(closep) int own = cut < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) {
        return error_sys(err, cut < 0 ? -cut : errno, "cannot continue the capture's file");
    }
    int r = ipfix_file_exporter_new(own, "the capture's file", WITH, false, true, &none,
                                    &mc.exporter[0]);
    if (r == 0) {
        TAKE_FD(own);
        r = meter_sink_new(&mc, &f->meter); /* which takes the exporter over */
    }
    if (r < 0) {
        return error_sys(err, -r, "cannot meter");
    }
    f->exporter = mc.exporter[0];
    f->fd = fd;
    f->wake = wake;
    *ret = f->meter;
    return 0;
}

uint64_t engine_flows_length(const struct engine_flows *f)
{
    struct stat st;
    return f->fd >= 0 && fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

bool engine_flows_are_full(const struct engine_flows *f, uint64_t most)
{
    struct meter_sink_figures now;
    if (most == 0) {
        return false;
    }
    meter_sink_figures(f->meter, &now);
    return engine_flows_length(f) + now.now * RECORD + REST >= most;
}

bool engine_flows_failed(const struct engine_flows *f)
{
    return ledger_get(&f->exporter->ledger, LEDGER_EXPORT_ERROR) > 0;
}

int engine_flows_sync(const struct engine_flows *f)
{
    const int r = cut_torn_end(f->fd);
    return r < 0 ? r : fdatasync(f->fd) < 0 ? -errno : 0;
}

/* ---- the second file ---- */

/* The records of flows go behind those that the first file has. */
static void note_length(void *user)
{
    struct engine_flows *f = user;
    f->length = engine_flows_length(f);
    f->result = lseek(f->to, (off_t)f->length, SEEK_SET) < 0 ? -errno : 0;
}

static int copy(int from, int to, uint64_t length)
{
    char bytes[PIECE];
    for (uint64_t at = 0; at < length;) {
        const ssize_t n = pread(from, bytes, (size_t)MIN(length - at, sizeof(bytes)), (off_t)at);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        const ssize_t m = pwrite(to, bytes, (size_t)n, (off_t)at);
        if (m != n) {
            return m < 0 ? -errno : -ENOSPC;
        }
        at += (uint64_t)n;
    }
    return 0;
}

static int make_second(struct engine_flows *f)
{
    struct exporter *x;
    struct error err = {""};
    _cleanup_(closep) int own = fcntl(f->to, F_DUPFD_CLOEXEC, 3);
    if (own < 0) {
        return -errno;
    }
    int r = ipfix_file_exporter_new(own, "the flows so far", WITH, false, false, &none, &x);
    if (r < 0) {
        return r;
    }
    TAKE_FD(own);
    meter_sink_show(f->meter, note_length, f, x);
    r = x->ops->finish(x, &err);
    exporter_free(x);
    r = f->result < 0 ? f->result : r;
    return r < 0 ? r : copy(f->fd, f->to, f->length);
}

static void *be_thread(void *flows)
{
    struct engine_flows *f = flows;
    f->result = make_second(f);
    closep(&f->to);
    atomic_store_explicit(&f->over, true, memory_order_release);
    wake_signal(f->wake);
    return NULL;
}

int engine_flows_snap(struct engine_flows *f, int fd)
{
    if (!f->meter || f->has_thread) {
        return f->meter ? -EBUSY : -ENOENT;
    }
    f->to = fd;
    atomic_store(&f->over, false);
    const int r = thread_start_masked(be_thread, f, &f->thread);
    f->has_thread = r == 0;
    if (r < 0) {
        f->to = -1; /* it stays the caller's */
    }
    return r;
}

int engine_flows_snapped(struct engine_flows *f)
{
    if (f->has_thread && !atomic_load_explicit(&f->over, memory_order_acquire)) {
        return -EAGAIN;
    }
    join(f);
    return f->result;
}
