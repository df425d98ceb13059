/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sandbox.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sys/sandbox_filter.h"

enum {
    FIRM_MAX = 1 << 15,
    FIRM_MIN = 256,
    FIRM_ROOM = 64, /* descriptors that may be firm */
    FILES_DEFAULT = 4096,
    TASKS_MAX = 4096, /* of the account as a whole: many engines may share it */
};

#if SANDBOX_LENIENT
/* The leak check at exit wants to trace the process, which the filter rightly refuses; without this
 * answer (a hook of the sanitizers' runtime) it would end every sandboxed process with an error. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return prctl(PR_GET_SECCOMP) != 0; /* refused, too, once the filter is there */
}
#endif

static bool has_cap(int cap)
{
    return capng_have_capability(CAPNG_EFFECTIVE, (unsigned)cap) != 0;
}

bool sandbox_may_change_ids(void)
{
    capng_get_caps_process();
    return has_cap(CAP_SETUID) && has_cap(CAP_SETGID);
}

bool sandbox_does_without(const struct sandbox_conf *conf, struct error *ret)
{
    bool ids = !conf->change_ids && !sandbox_may_change_ids();
    capng_get_caps_process();
    bool root = !has_cap(CAP_SYS_CHROOT);
    if (geteuid() != 0 || (!ids && !root)) {
        return false;
    }
    error_set(ret, EPERM, "%s%s%s; it has no capability and opens no file, as ever",
              ids ? "without CAP_SETUID and CAP_SETGID the engine remains root" : "",
              ids && root ? ", " : "",
              root ? "without CAP_SYS_CHROOT the engine keeps its root directory" : "");
    return true;
}

/* An empty directory that is nowhere: removed before it becomes the root, so that nothing is left
 * behind and nothing can be made in it. */
static int open_nowhere(void)
{
    static const char *const places[] = {"/run", "/tmp", "/var/tmp", "/dev/shm"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/farspan-empty-XXXXXX", places[i]);
        if (!mkdtemp(path)) {
            continue;
        }
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r = -errno;
        rmdir(path);
        return fd < 0 ? r : fd;
    }
    /* All read-only: a directory of the kernel's own that this process will not be able to read. */
    int fd = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int change_root_to_nowhere(struct error *err)
{
    if (!has_cap(CAP_SYS_CHROOT)) {
        return 0;
    }
    _cleanup_(closep) int fd = open_nowhere();
    if (fd < 0) {
        return error_sys(err, -fd, "cannot find an empty directory to lock the engine into");
    }
    if (fchdir(fd) < 0 || chroot(".") < 0 || chdir("/") < 0) {
        return error_sys(err, errno, "cannot change the root directory to an empty one");
    }
    return 0;
}

/* Takes a capability that is permitted into effect, which another user id has put out of it. */
static int raise_cap(unsigned cap)
{
    capng_get_caps_process();
    return capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap) < 0 || capng_apply(CAPNG_SELECT_CAPS) < 0
               ? -EPERM
               : 0;
}

static int change_root_to(int folder, const char *root, bool may, struct error *err)
{
    int r = may ? raise_cap(CAP_SYS_CHROOT) : 0;
    if (r < 0) {
        return error_sys(err, -r, "cannot change the root directory");
    }
    if (fchdir(folder) < 0) {
        return error_sys(err, errno, "cannot go into the folder %s", root);
    }
    if (may && chroot(".") < 0) {
        return error_sys(err, errno, "cannot change the root directory to %s", root);
    }
    return 0;
}

/* The way to the folder is open to root, and the folder to the user whose it is: root without
 * CAP_DAC_OVERRIDE, as a role is, may not enter it, and the user perhaps not those above it. */
static int change_root(const struct sandbox_conf *conf, struct error *err)
{
    if (!conf->root) {
        return change_root_to_nowhere(err);
    }
    _cleanup_(closep) int folder = open(conf->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return error_sys(err, errno, "cannot go into the folder %s", conf->root);
    }
    bool may = has_cap(CAP_SYS_CHROOT);
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (conf->change_ids &&
        (setresgid(-1, conf->gid, -1) < 0 || setresuid(-1, conf->uid, -1) < 0)) {
        return error_sys(err, errno, "cannot become user %u", (unsigned)conf->uid);
    }
    int r = change_root_to(folder, conf->root, may, err);
    if (conf->change_ids && (setresuid(-1, uid, -1) < 0 || setresgid(-1, gid, -1) < 0)) {
        return error_sys(err, errno, "cannot become user %u again", (unsigned)uid);
    }
    capng_get_caps_process();
    return r;
}

static int change_ids(const struct sandbox_conf *conf, struct error *err)
{
    if (!conf->change_ids) {
        return 0;
    }
    if (setgroups(0, NULL) < 0 || setresgid(conf->gid, conf->gid, conf->gid) < 0 ||
        setresuid(conf->uid, conf->uid, conf->uid) < 0) {
        return error_sys(err, errno, "cannot become user %u", (unsigned)conf->uid);
    }
    if (conf->uid != 0 && setresuid(-1, 0, -1) == 0) {
        return error_set(err, EPERM, "user %u could become root again", (unsigned)conf->uid);
    }
    return 0;
}

/* Empties the bounding set too; that needs a capability itself and /proc, so it comes first. */
static int drop_bounding(struct error *err)
{
    if (!has_cap(CAP_SETPCAP)) {
        return 0; /* nothing to bound: no_new_privs keeps it from mattering */
    }
    capng_clear(CAPNG_SELECT_BOUNDS);
    int r = capng_apply(CAPNG_SELECT_BOUNDS);
    return r < 0 ? error_set(err, EPERM, "cannot empty the capability bounding set (%d)", r) : 0;
}

static int drop_caps(struct error *err)
{
    capng_clear(CAPNG_SELECT_ALL);
    int r = capng_apply(CAPNG_SELECT_CAPS);
    if (r < 0) {
        return error_set(err, EPERM, "cannot drop the capabilities (%d)", r);
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
        return error_sys(err, errno, "cannot drop the ambient capabilities");
    }
    return 0;
}

static void lower_limit(int resource, rlim_t to)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) == 0) {
        rlim_t most = MIN(now.rlim_max, to);
        setrlimit((__rlimit_resource_t)resource, &(struct rlimit){most, most});
    }
}

/* `firm`: where firm descriptors begin, 0: there are none. */
static void set_limits(const struct sandbox_conf *conf, unsigned firm)
{
    unsigned files = conf->max_files ? conf->max_files : FILES_DEFAULT;
    lower_limit(RLIMIT_CORE, 0); /* a core file would hold keys and traffic */
    lower_limit(RLIMIT_NOFILE, firm > 0 ? MIN(files, firm) : files);
    if (conf->change_ids && conf->uid != 0) {
        lower_limit(RLIMIT_NPROC, TASKS_MAX); /* not for a person's account with a desktop in it */
    }
}

unsigned sandbox_firm_from(void)
{
    struct rlimit now;
    unsigned from = FIRM_MAX;
    if (getrlimit(RLIMIT_NOFILE, &now) < 0) {
        return 0;
    }
    while (from > 0 && from + FIRM_ROOM > now.rlim_max) {
        from /= 2;
    }
    return from;
}

int sandbox_firm(int *fd, struct error *err)
{
    struct rlimit now;
    unsigned from = sandbox_firm_from();
    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || from < FIRM_MIN) {
        return error_set(err, EMFILE,
                         "more files must be allowed to be open: %d at least (ulimit -Hn)",
                         FIRM_MIN + FIRM_ROOM);
    }
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){now.rlim_max, now.rlim_max});
    int firm = fcntl(*fd, F_DUPFD_CLOEXEC, (int)from);
    int r = firm < 0 ? error_sys(err, errno, "cannot give a socket another number") : 0;
    (void)setrlimit(RLIMIT_NOFILE, &now);
    if (r == 0) {
        close(*fd);
        *fd = firm;
    }
    return r;
}

/* Changing the identity forgets the wish, so this comes after it. */
static int die_with(pid_t parent, int signal, struct error *err)
{
    if (parent == 0) {
        return 0;
    }
    if (prctl(PR_SET_PDEATHSIG, signal) < 0) {
        return error_sys(err, errno, "cannot tie the engine to its broker");
    }
    if (getppid() != parent) {
        return error_set(err, ESRCH, "the broker has ended");
    }
    return 0;
}

static int no_new_privs(struct error *err)
{
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return error_sys(err, errno, "cannot set no_new_privs");
    }
    return 0;
}

/* How many threads the process has, or 0 where /proc does not say. */
static unsigned count_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    if (!d) {
        return 0;
    }
    unsigned n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

int sandbox_enter(const struct sandbox_conf *conf, struct error *err)
{
    capng_get_caps_process();
    bool privileged = geteuid() == 0 || has_cap(CAP_SETPCAP);
    if (!SANDBOX_LENIENT && (privileged || conf->change_ids) && count_threads() > 1) {
        return error_set(err, EBUSY, "the engine has threads before it has dropped its privileges");
    }
    tzset(); /* while its file can be read */
    int r = drop_bounding(err);
    if (r >= 0) {
        r = change_root(conf, err);
    }
    if (r >= 0) {
        r = change_ids(conf, err);
    }
    if (r >= 0) {
        r = drop_caps(err);
    }
    if (r >= 0) {
        r = no_new_privs(err);
    }
    if (r >= 0) {
        r = die_with(conf->parent, SIGTERM, err);
    }
    if (r >= 0) {
        unsigned firm = conf->sends == SANDBOX_SENDS_FIRM ? sandbox_firm_from() : 0;
        set_limits(conf, firm);
        const struct sandbox_list list = {
            .sends = conf->sends, .firm = firm, .files = conf->root != NULL, .http = conf->http};
        r = sandbox_filter_engine(&list, err);
    }
    return r;
}

static int keep_caps(const int caps[], size_t n_caps, struct error *err)
{
    bool have[CAP_LAST_CAP + 1] = {false};
    capng_get_caps_process();
    bool may_bound = has_cap(CAP_SETPCAP);
    for (size_t i = 0; i < n_caps; i++) {
        have[caps[i]] = has_cap(caps[i]);
    }
    capng_clear(CAPNG_SELECT_ALL);
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if (have[cap]) {
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, cap);
        }
    }
    int r = may_bound ? capng_apply(CAPNG_SELECT_BOUNDS) : 0;
    if (r >= 0) {
        r = capng_apply(CAPNG_SELECT_CAPS);
    }
    return r < 0 ? error_set(err, EPERM, "cannot reduce the broker's capabilities (%d)", r) : 0;
}

int sandbox_confine_broker(const int caps[], size_t n_caps, struct error *err)
{
    struct sandbox_broker_list list = {.netns = false};
    for (size_t i = 0; i < n_caps; i++) {
        if (caps[i] < 0 || caps[i] > CAP_LAST_CAP) {
            return error_set(err, EINVAL, "there is no capability %d", caps[i]);
        }
        list.netns |= caps[i] == CAP_SYS_ADMIN;
        list.bpf |= caps[i] == CAP_BPF;
        list.chroot |= caps[i] == CAP_SYS_CHROOT;
    }
    int r = keep_caps(caps, n_caps, err);
    if (r >= 0) {
        r = no_new_privs(err);
    }
    if (r >= 0) {
        lower_limit(RLIMIT_CORE, 0);
        r = sandbox_filter_broker(&list, err);
    }
    return r;
}

int sandbox_drop_child(const struct sandbox_conf *conf, const char *name, pid_t parent, int keep_fd)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, name);
    if (keep_fd > 3) {
        close_range(3, (unsigned)keep_fd - 1, 0);
    }
    close_range(MAX(3U, (unsigned)keep_fd + 1), ~0U, 0);
    int r = change_ids(conf, NULL);
    if (r >= 0) {
        r = drop_caps(NULL);
    }
    if (r >= 0) {
        r = no_new_privs(NULL);
    }
    if (r >= 0) {
        r = die_with(parent, SIGKILL, NULL);
    }
    lower_limit(RLIMIT_CORE, 0);
    return r;
}
