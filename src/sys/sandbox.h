/* SPDX-License-Identifier: Apache-2.0
 *
 * The walls around the two halves of the program (see sys/broker.h). sandbox_enter is for the
 * engine, which meets hostile bytes: after it the process has no identity worth having, no file
 * system, no capability, and a list of system calls that move bytes over descriptors it already
 * holds. sandbox_confine_broker is for the broker, which keeps a few capabilities and may open
 * things, but may run no program and touch no other process's memory.
 *
 * A system call that only an attacker would make ends the process (SIGSYS). One that a library may
 * try by itself (to open a file, to look at one) fails with EPERM, which gains an attacker as
 * little and does not turn a harmless look-up into a crash.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/sandbox_sends.h"

struct sandbox_conf {
    bool change_ids; /* become uid and gid, with no other groups; needs root */
    uid_t uid;
    gid_t gid;
    pid_t parent;       /* get SIGTERM when this process, our parent, ends; 0: do not */
    unsigned max_files; /* RLIMIT_NOFILE, as far as the hard limit allows; 0: 4096 */
    enum sandbox_sends sends;
    /* NULL: an empty root directory, and no file can be opened. Else a folder of uid's, in which
     * files may be opened, made, renamed and removed, but no folder, link or device; it becomes the
     * root directory, and the working one. No descriptor of a folder may be open: it would lead
     * out. Without CAP_SYS_CHROOT, as without root, nothing but the ids keeps the process from
     * other files; the folder is the working directory all the same. */
    const char *root;
    /* It serves HTTP: by sockets that it has or accepts it may send whole files (sendfile), and
     * messages in pieces (sendmsg) also where `sends` is SANDBOX_SENDS_CONNECTED: on a stream they
     * go where that goes. No socket of datagrams may be open then. */
    bool http;
};

/* Whether the process has the capabilities for `change_ids`. Root in a container often has not. */
bool sandbox_may_change_ids(void);

/* A sentence on the walls that sandbox_enter() will do without, as root has fewer capabilities than
 * root has; false: there are none. For root only: others do without as they are. */
bool sandbox_does_without(const struct sandbox_conf *conf, struct error *ret);

/* Firm descriptors have numbers from here to twice that, a power of two: half the hard limit of
 * open files or more, 32768 at most. Behind the walls none of them can be closed, replaced or made,
 * as no file can have so high a number there. */
unsigned sandbox_firm_from(void);
/* Before the walls: gives the descriptor a firm number. 0, or -errno with a sentence, and *fd is as
 * before: the hard limit of open files may be too low. */
int sandbox_firm(int *fd, struct error *err);

/* Puts the calling process (all its threads) behind the wall, for good. Threads may be started
 * afterwards; before, only when conf->change_ids is false, as capabilities belong to a thread.
 * Without root, what needs none still happens: no_new_privs, the limits and the system call list.
 * 0, or -errno with a sentence: the process is then in an undefined state and must end. */
int sandbox_enter(const struct sandbox_conf *conf, struct error *err);

/* For the broker: keeps of the capabilities that it has only those in `caps` (CAP_… of
 * linux/capability.h), drops the rest from the bounding set too, and installs its system call list,
 * which its children (sys/resolve.h) inherit. CAP_SYS_ADMIN is for entering network namespaces:
 * with it among them setns may be called for that and for no other kind. With CAP_SYS_CHROOT and
 * CAP_SETPCAP a child may enter the sandbox as an engine does. 0, or -errno with a sentence. */
int sandbox_confine_broker(const int caps[], size_t n_caps, struct error *err);

/* For a short-lived child of the broker that meets hostile bytes but needs files and sockets (name
 * resolution): blocks no signal, takes the name, closes every descriptor but `keep_fd` and 0 to 2,
 * drops identity and capabilities. Of `conf` only the ids are used; the parent's end kills
 * (`parent` 0: it does not). 0 or -errno. */
int sandbox_drop_child(const struct sandbox_conf *conf, const char *name, pid_t parent,
                       int keep_fd);
