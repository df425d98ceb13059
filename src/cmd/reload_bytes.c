/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/reload_bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/conf_file.h"
#include "sys/read_file.h"
#include "sys/write_file.h"

enum {
    HEAD = 2 * sizeof(uint32_t), /* the text's length, the tape's */
    MOST = HEAD + CONF_FILE_MAX + FILTER_TAPE_MAX,
};

int reload_bytes_read(const char *path, struct reload_bytes *ret, struct error *err)
{
    *ret = (struct reload_bytes){.tape.mode = FILTER_TAPE_RECORD};
    if (!path) {
        ret->text = calloc(1, 1);
        return ret->text ? 0 : error_sys(err, ENOMEM, "cannot read the command line again");
    }
    return read_file(path, CONF_FILE_MAX, &ret->text, &ret->len, err);
}

int reload_bytes_pack(const struct reload_bytes *r, int *ret_fd, struct error *err)
{
    uint8_t head[HEAD];
    st_u32(head, (uint32_t)r->len);
    st_u32(head + 4, (uint32_t)r->tape.len);
    _cleanup_(closep) int fd = memfd_create("farspan-configuration", MFD_CLOEXEC);
    int e = fd < 0 ? -errno : write_all(fd, head, sizeof(head));
    e = e < 0 ? e : write_all(fd, r->text, r->len);
    e = e < 0 ? e : write_all(fd, r->tape.bytes, r->tape.len);
    e = e < 0 ? e : lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
    if (e < 0) {
        return error_sys(err, -e, "cannot hand the configuration on");
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int read_all(int fd, uint8_t *to, size_t cap, size_t *ret_len)
{
    size_t n = 0;
    for (ssize_t r = 1; r != 0 && n < cap;) {
        r = read(fd, to + n, cap - n);
        if (r < 0 && errno != EINTR) {
            return -errno;
        }
        n += r > 0 ? (size_t)r : 0;
    }
    *ret_len = n;
    return 0;
}

int reload_bytes_unpack(int fd, struct reload_bytes *ret, struct error *err)
{
    _cleanup_(closep) int owned = fd;
    _cleanup_(freep) uint8_t *bytes = malloc(MOST);
    size_t len = 0;
    *ret = (struct reload_bytes){.tape.mode = FILTER_TAPE_PLAY};
    int e = bytes ? read_all(owned, bytes, MOST, &len) : -ENOMEM;
    if (e < 0) {
        return error_sys(err, -e, "cannot take the configuration");
    }
    struct rd r = rd_make(bytes, len);
    ret->len = rd_u32(&r);
    ret->tape.len = rd_u32(&r);
    const uint8_t *text = rd_take(&r, ret->len), *tape = rd_take(&r, ret->tape.len);
    if (!rd_ok(&r) || rd_left(&r) > 0) {
        return error_set(err, EBADMSG, "the broker's configuration is cut short");
    }
    ret->text = malloc(ret->len + 1);
    ret->tape.bytes = malloc(ret->tape.len + 1);
    if (!ret->text || !ret->tape.bytes) {
        reload_bytes_done(ret);
        return error_sys(err, ENOMEM, "cannot take the configuration");
    }
    memcpy(ret->text, text, ret->len);
    ret->text[ret->len] = '\0';
    memcpy(ret->tape.bytes, tape, ret->tape.len);
    return 0;
}

void reload_bytes_done(struct reload_bytes *r)
{
    free(r->text);
    filter_tape_done(&r->tape);
    *r = (struct reload_bytes){0};
}

int reload_bytes_file(const struct reload_bytes *r, struct options_file *ret, struct error *err)
{
    char *text = malloc(r->len + 1);
    if (!text) {
        return error_sys(err, ENOMEM, "cannot read the file again");
    }
    memcpy(text, r->text, r->len);
    text[r->len] = '\0';
    *ret = (struct options_file){.text = text, .len = r->len};
    return 0;
}
