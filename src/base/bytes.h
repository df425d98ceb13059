/* SPDX-License-Identifier: Apache-2.0
 *
 * Cursors over bytes from outside. A reader that runs past its end turns bad and stays bad: every
 * later read gives zeros, so a parser may read a whole structure and ask `rd_ok` once. A writer
 * that runs out of room turns bad in the same way and writes nothing more. Integers are big-endian
 * unless the name says le.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
    const uint8_t *p, *end;
    bool bad;
};

static inline struct rd rd_make(const void *data, size_t len)
{
    const uint8_t *p = data;
    return (struct rd){p, p ? p + len : p, false};
}

static inline bool rd_ok(const struct rd *r)
{
    return !r->bad;
}

static inline size_t rd_left(const struct rd *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* The next `n` bytes in place, or NULL when there are fewer; the cursor is then bad. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
    if (r->bad || (size_t)(r->end - r->p) < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->p;
    r->p += n;
    return at;
}

/* A cursor of its own over the next `n` bytes; bad (and empty) when there are fewer. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
    const uint8_t *at = rd_take(r, n);
    return (struct rd){at, at ? at + n : at, at == NULL};
}

static inline void rd_skip(struct rd *r, size_t n)
{
    (void)rd_take(r, n);
}

/* Copies `n` bytes to `to`, or zeros when there are fewer. */
static inline void rd_copy(struct rd *r, void *to, size_t n)
{
    const uint8_t *at = rd_take(r, n);
    if (at) {
        memcpy(to, at, n);
    } else {
        memset(to, 0, n);
    }
}

static inline uint8_t rd_u8(struct rd *r)
{
    const uint8_t *at = rd_take(r, 1);
    return at ? at[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
    uint16_t v;
    rd_copy(r, &v, sizeof(v));
    return __builtin_bswap16(v);
}

static inline uint32_t rd_u32(struct rd *r)
{
    uint32_t v;
    rd_copy(r, &v, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t rd_u64(struct rd *r)
{
    uint64_t v;
    rd_copy(r, &v, sizeof(v));
    return __builtin_bswap64(v);
}

/* Of bytes that rd_take() has given, or that are known to be there. */
static inline uint16_t ld_u16(const uint8_t *from)
{
    uint16_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap16(v);
}

static inline uint32_t ld_u32(const uint8_t *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t ld_u64(const uint8_t *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap64(v);
}

/* For headers of a fixed layout in memory of a fixed size, where no check could fail. */
static inline void st_u16(uint8_t *to, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(to, &v, sizeof(v));
}

static inline void st_u32(uint8_t *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, sizeof(v));
}

static inline void st_u64(uint8_t *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, sizeof(v));
}

struct wr {
    uint8_t *start, *p, *end;
    bool bad;
};

static inline struct wr wr_make(void *data, size_t cap)
{
    uint8_t *p = data;
    return (struct wr){p, p, p + cap, false};
}

static inline bool wr_ok(const struct wr *w)
{
    return !w->bad;
}

static inline size_t wr_len(const struct wr *w)
{
    return (size_t)(w->p - w->start);
}

static inline size_t wr_left(const struct wr *w)
{
    return w->bad ? 0 : (size_t)(w->end - w->p);
}

/* Room for `n` bytes in place, or NULL when there is less; the cursor is then bad. */
static inline uint8_t *wr_take(struct wr *w, size_t n)
{
    if (w->bad || (size_t)(w->end - w->p) < n) {
        w->bad = true;
        return NULL;
    }
    uint8_t *at = w->p;
    w->p += n;
    return at;
}

static inline void wr_copy(struct wr *w, const void *from, size_t n)
{
    uint8_t *at = wr_take(w, n);
    if (at && n) {
        memcpy(at, from, n);
    }
}

static inline void wr_zero(struct wr *w, size_t n)
{
    uint8_t *at = wr_take(w, n);
    if (at) {
        memset(at, 0, n);
    }
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
    wr_copy(w, &v, sizeof(v));
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
    v = __builtin_bswap16(v);
    wr_copy(w, &v, sizeof(v));
}

/* The low 24 bits. */
static inline void wr_u24(struct wr *w, uint32_t v)
{
    wr_u8(w, (uint8_t)(v >> 16));
    wr_u16(w, (uint16_t)v);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
    v = __builtin_bswap32(v);
    wr_copy(w, &v, sizeof(v));
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
    v = __builtin_bswap64(v);
    wr_copy(w, &v, sizeof(v));
}

static inline void wr_u16le(struct wr *w, uint16_t v)
{
    wr_copy(w, &v, sizeof(v));
}

static inline void wr_u32le(struct wr *w, uint32_t v)
{
    wr_copy(w, &v, sizeof(v));
}

static inline void wr_u64le(struct wr *w, uint64_t v)
{
    wr_copy(w, &v, sizeof(v));
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the cursors assume a little-endian host; Debian's Linux ports that matter are"
#endif
