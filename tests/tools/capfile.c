/* SPDX-License-Identifier: Apache-2.0 */
#include "capfile.h"
#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A cursor that knows the file's byte order. */
struct in {
    struct rd r;
    bool little;
};

static uint16_t in16(struct in *in)
{
    uint16_t v = rd_u16(&in->r);
    return in->little ? __builtin_bswap16(v) : v;
}

static uint32_t in32(struct in *in)
{
    uint32_t v = rd_u32(&in->r);
    return in->little ? __builtin_bswap32(v) : v;
}

static int bad(struct capfile *f, size_t at, const char *what)
{
    snprintf(f->error, sizeof(f->error), "%s at byte %zu of %zu (record %zu)", what, at, f->size,
             f->n);
    return -EBADMSG;
}

static int add(struct capfile *f, struct capfile_record record)
{
    if (f->n == f->room) {
        size_t room = f->room ? f->room * 2 : 65536;
        struct capfile_record *v = reallocarray(f->v, room, sizeof(*v));
        if (!v) {
            return -ENOMEM;
        }
        f->v = v;
        f->room = room;
    }
    f->v[f->n++] = record;
    return 0;
}

static int read_pcap(struct capfile *f, bool little, bool nanos)
{
    struct in in = {rd_make(f->map, f->size), little};
    rd_skip(&in.r, 16);
    uint32_t snaplen = in32(&in), linktype = in32(&in);
    if (!rd_ok(&in.r)) {
        return bad(f, 0, "short file header");
    }
    f->ifaces[0] = (struct capfile_iface){.linktype = linktype & 0xffff, .snaplen = snaplen};
    f->n_ifaces = 1;
    while (rd_left(&in.r)) {
        size_t at = (size_t)(in.r.p - f->map);
        uint64_t s = in32(&in), part = in32(&in);
        uint32_t caplen = in32(&in), len = in32(&in);
        const uint8_t *data = rd_take(&in.r, caplen);
        if (!data) {
            return bad(f, at, "record cut short");
        }
        struct capfile_record r = {
            data, s * 1000000000 + (nanos ? part : part * 1000), caplen, len, 0, 0};
        if (add(f, r) < 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Walks the options in `in`: the next one's code, or 0 at the end; its value in *ret_value. */
static uint16_t next_option(struct in *in, struct in *ret_value)
{
    if (rd_left(&in->r) < 4) {
        return 0;
    }
    uint16_t code = in16(in), len = in16(in);
    *ret_value = (struct in){rd_sub(&in->r, len), in->little};
    rd_skip(&in->r, (4u - len % 4u) % 4u);
    return rd_ok(&ret_value->r) ? code : 0;
}

/* if_tsresol: a negative power of ten, or of two when the top bit is set. */
static void set_unit(struct capfile_iface *iface, uint8_t resol)
{
    unsigned power = resol & 0x7f;
    iface->unit_num = 1000000000;
    iface->unit_den = 1;
    for (unsigned i = 0; i < power && i < 60; i++) {
        iface->unit_den *= resol & 0x80 ? 2 : 10;
    }
}

static int read_idb(struct capfile *f, struct in body, size_t at)
{
    if (f->n_ifaces == CAPFILE_IFACES) {
        return bad(f, at, "too many interfaces");
    }
    struct capfile_iface *iface = &f->ifaces[f->n_ifaces++];
    iface->linktype = in16(&body);
    rd_skip(&body.r, 2);
    iface->snaplen = in32(&body);
    set_unit(iface, 6);
    struct in value;
    for (uint16_t code; (code = next_option(&body, &value)) != 0;) {
        if (code == 2) {
            size_t n = rd_left(&value.r);
            n = n < sizeof(iface->name) ? n : sizeof(iface->name) - 1;
            rd_copy(&value.r, iface->name, n);
        } else if (code == 9) {
            set_unit(iface, rd_u8(&value.r));
        }
    }
    return rd_ok(&body.r) ? 0 : bad(f, at, "interface block cut short");
}

static int read_epb(struct capfile *f, struct in body, size_t at, unsigned first_iface)
{
    uint32_t iface = in32(&body) + first_iface;
    uint64_t ticks = (uint64_t)in32(&body) << 32;
    ticks |= in32(&body);
    uint32_t caplen = in32(&body), len = in32(&body);
    const uint8_t *data = rd_take(&body.r, caplen);
    if (!data) {
        return bad(f, at, "packet block cut short");
    }
    if (iface >= f->n_ifaces) {
        return bad(f, at, "packet of an interface that was not described");
    }
    rd_skip(&body.r, (4u - caplen % 4u) % 4u);
    const struct capfile_iface *i = &f->ifaces[iface];
    unsigned __int128 ns = (unsigned __int128)ticks * i->unit_num / i->unit_den;
    struct capfile_record r = {data, (uint64_t)ns, caplen, len, (uint16_t)iface, 0};
    struct in value;
    for (uint16_t code; (code = next_option(&body, &value)) != 0;) {
        if (code == 2) {
            r.direction = in32(&value) & 3;
        }
    }
    return add(f, r);
}

static int read_pcapng(struct capfile *f)
{
    struct in in = {rd_make(f->map, f->size), false};
    unsigned first_iface = 0;
    while (rd_left(&in.r)) {
        size_t at = (size_t)(in.r.p - f->map);
        uint32_t type = in32(&in);
        if (type == 0x0a0d0d0a) { /* a section: it tells the byte order, its ids start anew */
            struct rd magic = rd_make(in.r.p, rd_left(&in.r));
            rd_skip(&magic, 4);
            in.little = rd_u32(&magic) == 0x4d3c2b1a;
            first_iface = f->n_ifaces;
        }
        uint32_t len = in32(&in);
        if (len < 12 || len % 4) {
            return bad(f, at, "bad block length");
        }
        struct in body = {rd_sub(&in.r, len - 12), in.little};
        if (in32(&in) != len || !rd_ok(&in.r)) {
            return bad(f, at, "block cut short, or its two lengths differ");
        }
        int r = type == 1   ? read_idb(f, body, at)
                : type == 6 ? read_epb(f, body, at, first_iface)
                            : 0;
        if (type == 3) {
            r = bad(f, at, "simple packet block: not read here");
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int read_any(struct capfile *f)
{
    struct rd r = rd_make(f->map, f->size);
    uint32_t magic = rd_u32(&r);
    switch (magic) {
    case 0x0a0d0d0a:
        return read_pcapng(f);
    case 0xa1b2c3d4:
    case 0xa1b23c4d:
        return read_pcap(f, false, magic == 0xa1b23c4d);
    case 0xd4c3b2a1:
    case 0x4d3cb2a1:
        return read_pcap(f, true, magic == 0x4d3cb2a1);
    default:
        return bad(f, 0, f->size ? "not a capture file" : "empty file");
    }
}

int capfile_read(const char *name, struct capfile *file)
{
    *file = (struct capfile){0};
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int r = -errno;
        snprintf(file->error, sizeof(file->error), "%s", strerror(-r));
        if (fd >= 0) {
            close(fd);
        }
        return r;
    }
    file->size = (size_t)st.st_size;
    if (file->size) {
        void *map = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        file->map = map == MAP_FAILED ? NULL : map;
    }
    close(fd);
    if (file->size && !file->map) {
        snprintf(file->error, sizeof(file->error), "cannot be mapped");
        return -EIO;
    }
    return read_any(file);
}

void capfile_done(struct capfile *file)
{
    if (file && file->map) {
        munmap((void *)(uintptr_t)file->map, file->size);
    }
    if (file) {
        free(file->v);
        file->v = NULL;
    }
}
