/* SPDX-License-Identifier: Apache-2.0 */
#include "node/serve_requests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "node/filter_memfd.h"
#include "sys/linkcount.h"
#include "sys/linkspeed.h"

enum {
    FILE_MODE = 0600,
    NAME = 2 * WANTED_ID + 8,
    FILE_ARGS = WANTED_ID + 1,
    LIST_MAX = 1 << 16,
};

/* ---- in the broker ---- */

/* A name of nothing but the id: 32 digits, and what kind of file it is. */
static void name_of(const uint8_t *id, enum serve_file file, char ret[NAME])
{
    static const char *const suffix[SERVE_FILES] = {".data", ".now"};
    text_hex(ret, id, WANTED_ID);
    (void)snprintf(ret + 2 * WANTED_ID, NAME - 2 * WANTED_ID, "%s", suffix[file]);
}

/* A regular file below the folder: no link, and none of what leads out of it. */
static int open_below(int folder, const char *name, int flags, int *ret_fd)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW),
                           .mode = flags & O_CREAT ? FILE_MODE : 0,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    struct stat st;
    _cleanup_(closep) int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
    if (fd < 0 || fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EINVAL;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int serve_file(void *ctx, const void *args, int flags, const char *verb,
                      struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    const uint8_t *bytes = args;
    char name[NAME];
    if (bytes[WANTED_ID] >= SERVE_FILES) {
        return error_set(&reply->err, EINVAL, "a capture has no such file");
    }
    name_of(bytes, (enum serve_file)bytes[WANTED_ID], name);
    const int r = open_below(g->captures, name, flags, &reply->fd);
    return r < 0 ? error_sys(&reply->err, -r, "cannot %s the capture's file %s", verb, name) : 0;
}

/* The file of a snapshot is another one each time: somebody may be reading the one before. */
static int create(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    char name[NAME];
    (void)len;
    if (((const uint8_t *)args)[WANTED_ID] == SERVE_FILE_SNAPSHOT) {
        name_of(args, SERVE_FILE_SNAPSHOT, name);
        if (unlinkat(g->captures, name, 0) < 0 && errno != ENOENT) {
            return error_sys(&reply->err, errno, "cannot delete the capture's file %s", name);
        }
    }
    return serve_file(ctx, args, O_RDWR | O_CREAT, "make", reply);
}

static int open_counters(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    struct netns *netns = g->taps.interfaces.netns;
    (void)args;
    (void)len;
    int r = netns ? netns_enter(netns, &reply->err) : 0;
    if (r == 0) {
        r = linkcount_open(&reply->fd, &reply->err);
        if (netns) {
            netns_leave(netns);
        }
    }
    return r;
}

/* Of a port only: the role hears of no other interface. */
static int tell_speed(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct interface_grants *g = &((const struct serve_grants *)ctx)->taps.interfaces;
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    char name[INTERFACE_NAME_LEN + 1] = "";
    memcpy(name, args, MIN(len, (size_t)INTERFACE_NAME_LEN));
    if (name[INTERFACE_NAME_LEN - 1] != '\0' || !selection_word_for(g->select, name)) {
        return error_set(&reply->err, EINVAL, "the command line names no such interface");
    }
    const int r = g->netns ? netns_enter(g->netns, &reply->err) : 0;
    if (r == 0) {
        wr_u64(&w, linkspeed_read(name));
        reply->len = wr_len(&w);
        if (g->netns) {
            netns_leave(g->netns);
        }
    }
    return r;
}

static int open_data(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)len;
    return serve_file(ctx, args, O_RDONLY, "open", reply);
}

static int delete_data(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    char name[NAME];
    int r = 0;
    (void)len;
    for (enum serve_file k = 0; k < SERVE_FILES; k++) {
        name_of(args, k, name);
        if (unlinkat(g->captures, name, 0) < 0 && errno != ENOENT) {
            r = error_sys(&reply->err, errno, "cannot delete the capture's file %s", name);
        }
    }
    return r;
}

/* The id in a name of such a file. */
static bool id_of(const char *name, uint8_t ret[WANTED_ID])
{
    char again[NAME];
    if (strlen(name) < 2 * WANTED_ID) {
        return false;
    }
    for (size_t i = 0; i < WANTED_ID; i++) {
        const char digits[] = {name[2 * i], name[2 * i + 1], '\0'};
        ret[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    name_of(ret, SERVE_FILE_MAIN, again);
    return strcmp(name, again) == 0;
}

static int list_into(DIR *folder, int fd)
{
    const struct dirent *e;
    uint8_t id[WANTED_ID];
    unsigned n = 0;
    while ((e = readdir(folder)) != NULL && n < LIST_MAX) {
        if (!id_of(e->d_name, id)) {
            continue;
        }
        if (write(fd, id, sizeof(id)) != (ssize_t)sizeof(id)) {
            return -EIO;
        }
        n++;
    }
    return 0;
}

static int list_data(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    (void)args;
    (void)len;
    _cleanup_(closep) int fd = memfd_create("captures", MFD_CLOEXEC);
    int r = openat(g->captures, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = r >= 0 ? fdopendir(r) : NULL;
    if (r >= 0 && !folder) {
        close(r);
    }
    r = fd >= 0 && folder ? list_into(folder, fd) : -errno;
    if (folder) {
        closedir(folder);
    }
    if (r < 0) {
        return error_sys(&reply->err, -r, "cannot list the captures' files");
    }
    reply->fd = TAKE_FD(fd);
    return 0;
}

static int give_settings(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    (void)args;
    (void)len;
    return reload_serve(&g->reload, reply);
}

static int give_others(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct serve_grants *g = ctx;
    (void)args;
    (void)len;
    _cleanup_(closep) int fd = memfd_create("settings", MFD_CLOEXEC);
    if (fd < 0 || write(fd, g->others, g->others_len) != (ssize_t)g->others_len) {
        return error_sys(&reply->err, errno, "cannot hand the settings on");
    }
    reply->fd = TAKE_FD(fd);
    return 0;
}

/* ---- in a child of the broker's ---- */

static int compile(const void *args, size_t len, struct filter_prog *ret, struct error *err)
{
    char text[WANTED_FILTER];
    memcpy(text, args, len);
    text[len] = '\0';
    const int r = filter_compile_plain(text, ret, err);
    return r < 0 ? r : filter_check_length(ret, err);
}

static int check_filter(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct filter_prog prog = {0};
    (void)ctx;
    const int r = compile(args, len, &prog, &reply->err);
    filter_done(&prog);
    return r;
}

static int compile_filter(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct filter_prog prog = {0};
    (void)ctx;
    int r = compile(args, len, &prog, &reply->err);
    r = r < 0 ? r : filter_to_memfd(&prog, &reply->fd, &reply->err);
    filter_done(&prog);
    return r;
}

const struct broker_request serve_data_requests[SERVE_DATA_REQUESTS] = {
    INTERFACE_REQUEST_ROWS,
    MIRROR_REQUEST_ROWS,
    [SERVE_CREATE] = {"make the capture's file", create, FILE_ARGS, FILE_ARGS},
    [SERVE_COUNTERS] = {"ask for counters", open_counters, 0, 0},
    [SERVE_SPEED] = {"tell the speed", tell_speed, INTERFACE_NAME_LEN, INTERFACE_NAME_LEN},
    [SERVE_COMPILE] = {"compile the filter", NULL, 1, WANTED_FILTER - 1, compile_filter},
    [SERVE_DATA_SETTINGS] = {"give the settings", give_settings, 0, 0},
};

const struct broker_request serve_control_requests[SERVE_CONTROL_REQUESTS] = {
    [SERVE_OPEN] = {"open the capture's file", open_data, FILE_ARGS, FILE_ARGS},
    [SERVE_DELETE] = {"delete the capture's files", delete_data, WANTED_ID, WANTED_ID},
    [SERVE_CHECK] = {"check the filter", NULL, 1, WANTED_FILTER - 1, check_filter},
    [SERVE_LIST] = {"list the captures' files", list_data, 0, 0},
    [SERVE_CONTROL_SETTINGS] = {"give the settings", give_settings, 0, 0},
    [SERVE_OTHER_SETTINGS] = {"give the other settings", give_others, 0, 0},
};

/* ---- in the roles ---- */

static void put_file(uint8_t to[FILE_ARGS], const uint8_t id[WANTED_ID], enum serve_file file)
{
    memcpy(to, id, WANTED_ID);
    to[WANTED_ID] = (uint8_t)file;
}

int serve_request_create(struct broker *b, const uint8_t id[WANTED_ID], enum serve_file file,
                         int *ret_fd, struct error *err)
{
    uint8_t args[FILE_ARGS];
    put_file(args, id, file);
    return broker_call(b, SERVE_CREATE, args, sizeof(args), NULL, NULL, ret_fd, err);
}

int serve_request_counters(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, SERVE_COUNTERS, NULL, 0, NULL, NULL, ret_fd, err);
}

uint64_t serve_request_speed(struct broker *b, const char *name)
{
    uint8_t arg[INTERFACE_NAME_LEN] = {0}, data[8];
    size_t len = sizeof(data);
    (void)snprintf((char *)arg, sizeof(arg), "%s", name);
    const int r = broker_call(b, SERVE_SPEED, arg, sizeof(arg), data, &len, NULL, NULL);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    const uint64_t bps = rd_u64(&rd);
    return rd_ok(&rd) ? bps : 0;
}

int serve_ask_compile(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                      struct error *err)
{
    return broker_ask(b, SERVE_COMPILE, filter, strlen(filter), fn, user, err);
}

int serve_request_data_settings(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, SERVE_DATA_SETTINGS, NULL, 0, NULL, NULL, ret_fd, err);
}

int serve_request_control_settings(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, SERVE_CONTROL_SETTINGS, NULL, 0, NULL, NULL, ret_fd, err);
}

int serve_request_other_settings(struct broker *b, void *ret, size_t n, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    struct stat st;
    const int r = broker_call(b, SERVE_OTHER_SETTINGS, NULL, 0, NULL, NULL, &fd, err);
    if (r < 0) {
        return r;
    }
    return fstat(fd, &st) < 0 || st.st_size != (off_t)n || pread(fd, ret, n, 0) != (ssize_t)n
               ? error_set(err, EBADMSG, "the broker's settings are cut short")
               : 0;
}

int serve_request_list(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, SERVE_LIST, NULL, 0, NULL, NULL, ret_fd, err);
}

int serve_request_open(struct broker *b, const uint8_t id[WANTED_ID], int *ret_fd,
                       struct error *err)
{
    uint8_t args[FILE_ARGS];
    put_file(args, id, SERVE_FILE_MAIN);
    return broker_call(b, SERVE_OPEN, args, sizeof(args), NULL, NULL, ret_fd, err);
}

int serve_ask_open(struct broker *b, const uint8_t id[WANTED_ID], bool snapshot,
                   broker_answer_fn *fn, void *user, struct error *err)
{
    uint8_t args[FILE_ARGS];
    put_file(args, id, snapshot ? SERVE_FILE_SNAPSHOT : SERVE_FILE_MAIN);
    return broker_ask(b, SERVE_OPEN, args, sizeof(args), fn, user, err);
}

int serve_ask_delete(struct broker *b, const uint8_t id[WANTED_ID], broker_answer_fn *fn,
                     void *user, struct error *err)
{
    return broker_ask(b, SERVE_DELETE, id, WANTED_ID, fn, user, err);
}

int serve_ask_check(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                    struct error *err)
{
    return broker_ask(b, SERVE_CHECK, filter, strlen(filter), fn, user, err);
}
