/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/tapdev.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/deaf.h"
#include "sys/netif.h"

enum {
    NAME_MAX_LEN = IFNAMSIZ - 1,
    HASH_LEN = 6, /* 30 bits */
};

bool tapdev_name_valid(const char *name)
{
    static const char *const reserved[] = {".", "..", "any", "all", "default"};
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (strcmp(name, reserved[i]) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) { /* the kernel takes bytes above 0x7f; it fills in "%d" */
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || strchr("/:%", name[i])) {
            return false;
        }
    }
    return true;
}

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* FNV-1a, in letters and digits. */
static void hash_text(const char *text, char ret[HASH_LEN + 1])
{
    uint32_t h = 2166136261U;
    for (; *text; text++) {
        h = (h ^ (unsigned char)*text) * 16777619U;
    }
    h ^= h >> 30;
    for (int i = 0; i < HASH_LEN; i++, h >>= 5) {
        ret[i] = "0123456789abcdefghijkmnpqrstuvwx"[h & 31];
    }
    ret[HASH_LEN] = 0;
}

/* The tap's name in at most `room` plain characters. *ret_cut: it is not the whole. */
static int fit(const char *tap, size_t room, char *ret, bool *ret_cut)
{
    size_t n = strlen(tap);
    bool changed = n == 0 || n > room;
    for (size_t i = 0; i < n; i++) {
        changed |= !plain(tap[i]);
    }
    if (changed && room < HASH_LEN) {
        return -EINVAL;
    }
    size_t keep = MIN(n, changed ? room - HASH_LEN : room);
    for (size_t i = 0; i < keep; i++) {
        ret[i] = plain(tap[i]) ? tap[i] : '_';
    }
    ret[keep] = 0;
    if (changed) {
        hash_text(tap, ret + keep);
    }
    *ret_cut = changed;
    return 0;
}

int tapdev_name_expand(const char *pattern, const char *tap, char ret[IFNAMSIZ], bool *ret_cut,
                       struct error *err)
{
    bool cut = false;
    char name[IFNAMSIZ], part[IFNAMSIZ] = "";
    const char *at = strstr(pattern, "%t");
    size_t before = at ? (size_t)(at - pattern) : strlen(pattern);
    const char *after = at ? at + 2 : "";
    size_t fixed = before + strlen(after);
    int r = fixed > NAME_MAX_LEN ? -EINVAL : 0;
    if (r == 0 && at) {
        r = fit(tap, NAME_MAX_LEN - fixed, part, &cut);
    }
    if (r == 0) {
        snprintf(name, sizeof(name), "%.*s%s%s", (int)before, pattern, part, after);
    }
    if (r < 0 || !tapdev_name_valid(name)) {
        return error_set(
            err, EINVAL,
            "\"%.32s\" does not make an interface's name for tap \"%.64s\": at most 15 "
            "characters, \"%%t\" once and six or more of them for it, no blank or '/'",
            pattern, tap);
    }
    memcpy(ret, name, sizeof(name));
    if (ret_cut) {
        *ret_cut = cut;
    }
    return 0;
}

static int not_allowed(const char *name, struct error *err)
{
    return error_set(err, EPERM,
                     "making %s needs root, or the capability CAP_NET_ADMIN (sudo, or setcap "
                     "cap_net_admin+ep on the program); -w FILE works without",
                     name);
}

static int open_tun(const char *name, int *ret_fd, struct error *err)
{
    _cleanup_(closep) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int code = errno;
    if (fd < 0 && (code == EPERM || code == EACCES)) {
        capng_get_caps_process();
        if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN)) {
            return not_allowed(name, err);
        }
        return error_set(err, code,
                         "/dev/net/tun may not be opened to make %s, although the capability "
                         "CAP_NET_ADMIN is there: see the mode of that file (0666 is usual), or "
                         "the devices that the container may use; -w FILE works without",
                         name);
    }
    if (fd < 0) {
        return error_sys(err, code, "cannot open /dev/net/tun to make %s", name);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* 0 or -errno: -EBUSY, a TAP device in use; -EINVAL, another interface, or one of several queues.
 */
static int set_iff(int fd, const char *name, int flags)
{
    struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static bool is_persistent(int fd)
{
    struct ifreq ifr = {0};
    return ioctl(fd, TUNGETIFF, &ifr) == 0 && (ifr.ifr_flags & IFF_PERSIST);
}

/* There is an interface of that name. */
static int take(int fd, const char *name, struct error *err)
{
    struct netif link = {0};
    int r = netif_get(name, &link, err);
    if (r < 0) {
        return r;
    }
    if (strcmp(link.kind, "tun") != 0) {
        return error_set(err, EEXIST,
                         "%s is an interface of this host, and no TAP device: choose a name that "
                         "no interface has, or a persistent TAP device",
                         name);
    }
    if (link.arphrd != ARPHRD_ETHER) {
        return error_set(err, EEXIST,
                         "%s is a TUN device, which takes no Ethernet frames: choose another name, "
                         "or a persistent TAP device",
                         name);
    }
    r = set_iff(fd, name, 0);
    if (r == -EBUSY) {
        return error_set(err, EEXIST,
                         "%s is in use by another program, such as a collector that still runs: "
                         "choose another name, or end that program",
                         name);
    }
    if (r == -EINVAL) {
        return error_set(err, EEXIST,
                         "%s is a TAP device with several queues (multi_queue), of which a "
                         "collector would fill one: choose another name, or make it without",
                         name);
    }
    return r == -EPERM ? not_allowed(name, err)
           : r < 0     ? error_sys(err, -r, "cannot take the device %s", name)
                       : 0;
}

static int make_or_take(int fd, const char *name, bool *ret_taken, struct error *err)
{
    int r = set_iff(fd, name, IFF_TUN_EXCL); /* in one step with the making */
    if (r < 0 && if_nametoindex(name)) {
        r = take(fd, name, err);
        *ret_taken = r == 0 && is_persistent(fd); /* else it went in between, and was made anew */
        return r;
    }
    return r == -EPERM ? not_allowed(name, err)
           : r < 0     ? error_sys(err, -r, "cannot make the device %s", name)
                       : 0;
}

int tapdev_open(const char *name, bool keep, struct tapdev *ret, struct error *err)
{
    if (!tapdev_name_valid(name)) {
        return error_set(err, EINVAL,
                         "\"%.32s\" is no name for an interface: at most 15 characters, no blank, "
                         "'/', ':' or '%%'",
                         name);
    }
    _cleanup_(closep) int fd = -1;
    struct tapdev d = {.keep = keep};
    int r = open_tun(name, &fd, err);
    r = r < 0 ? r : make_or_take(fd, name, &d.taken, err);
    if (r < 0) {
        return r;
    }
    d.ifindex = (int)if_nametoindex(name);
    snprintf(d.name, sizeof(d.name), "%s", name);
    d.fd = TAKE_FD(fd);
    *ret = d;
    return 0;
}

int tapdev_set_up(const struct tapdev *d, struct error *ret_heard, struct error *err)
{
    *ret_heard = (struct error){""};
    (void)deaf_make(d->ifindex, d->name, ret_heard); /* before anything can appear on it */
    int r = netif_set(d->ifindex,
                      &(struct netif_set){.mtu = TAPDEV_MTU,
                                          .txqueuelen = TAPDEV_QUEUE,
                                          .alias = d->taken ? NULL : TAPDEV_ALIAS,
                                          .silent = true,
                                          .up = true},
                      err);
    if (r == 0 && d->keep && ioctl(d->fd, TUNSETPERSIST, 1) < 0) {
        r = error_sys(err, errno, "cannot make the device %s persistent", d->name);
    }
    return r;
}

enum tapdev_state tapdev_state(int fd)
{
    struct pollfd p = {fd, POLLOUT, 0};
    if (poll(&p, 1, 0) < 0) {
        return TAPDEV_UP;
    }
    return p.revents & (POLLERR | POLLNVAL) ? TAPDEV_GONE
           : p.revents & POLLOUT            ? TAPDEV_UP
                                            : TAPDEV_DOWN;
}

/* The frame's pieces, `caplen` bytes in all. Gives how many pieces. */
static int pieces(const struct frame *f, struct iovec iov[3])
{
    const struct {
        const uint8_t *at;
        uint32_t n;
    } parts[3] = {
        {f->data, f->ins_len ? f->ins_off : f->datalen},
        {f->ins, f->ins_len},
        {f->data + f->ins_off, f->ins_len ? f->datalen - f->ins_off : 0},
    };
    int n = 0;
    uint32_t left = f->caplen;
    for (int i = 0; i < 3; i++) {
        uint32_t len = MIN(left, parts[i].n);
        if (len) {
            iov[n++] = (struct iovec){(void *)parts[i].at, len};
        }
        left -= len;
    }
    return n;
}

int tapdev_write(int fd, const struct frame *f)
{
    struct iovec iov[3];
    if (f->caplen > TAPDEV_FRAME_MAX) {
        return -EMSGSIZE;
    }
    int n = pieces(f, iov);
    if (n == 0) {
        return -EINVAL; /* the kernel would call an empty write a success */
    }
    /* One piece, as nearly always, by the cheaper call; and past the C library, whose write() is a
     * point of cancellation, which nothing here uses: two locked instructions, a tenth of all. */
    ssize_t r =
        n == 1 ? syscall(SYS_write, fd, iov[0].iov_base, iov[0].iov_len) : writev(fd, iov, n);
    if (r < 0) {
        return -errno;
    }
    return (uint32_t)r == f->caplen ? 0 : -EIO;
}
