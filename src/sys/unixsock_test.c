/* SPDX-License-Identifier: Apache-2.0
 *
 * Named sockets in folders of the test's own: listening, connecting, listing, and names that are
 * taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "sys/unixsock.h"

static int setup(void **state)
{
    static char root[64];
    snprintf(root, sizeof(root), "/tmp/unixsock-test-XXXXXX");
    *state = root;
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
    return rmdir(*state); /* fails when a case left something */
}

static struct unixsock_dir make_dir(void **state)
{
    struct unixsock_dir dir = {.mode = 0700};
    snprintf(dir.path, sizeof(dir.path), "%s/d", (const char *)*state);
    assert_int_equal(unixsock_make_dir(&dir, NULL), 0);
    return dir;
}

static void folders(void **state)
{
    (void)state;
    struct unixsock_dir dir;
    char longer[200];
    assert_int_equal(unixsock_dir_for(0, "/run/user/0", &dir), 0);
    assert_string_equal(dir.path, "/run/farspan");
    assert_int_equal(dir.mode, 0755);
    assert_int_equal(unixsock_dir_for(1000, "/run/user/1000", &dir), 0);
    assert_string_equal(dir.path, "/run/user/1000/farspan");
    assert_int_equal(dir.mode, 0700);
    static const char *const none[] = {NULL, "", "relative"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        assert_int_equal(unixsock_dir_for(1000, none[i], &dir), 0);
        assert_string_equal(dir.path, "/tmp/farspan-1000");
    }
    memset(longer, '/', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(unixsock_dir_for(1000, longer, &dir), -ENAMETOOLONG);
}

static void bad_folders_are_refused(void **state)
{
    struct unixsock_dir dir = make_dir(state), link = dir, deep = dir;
    struct error err = {""};
    struct stat st;
    mode_t old = umask(0777);
    rmdir(dir.path);
    assert_int_equal(unixsock_make_dir(&dir, &err), 0);
    umask(old);
    assert_int_equal(stat(dir.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(unixsock_make_dir(&dir, &err), 0); /* again */
    assert_int_equal(chmod(dir.path, 0770), 0);
    assert_int_equal(unixsock_make_dir(&dir, &err), -EPERM);
    assert_non_null(strstr(err.text, "writable by others"));
    snprintf(link.path, sizeof(link.path), "%s/l", (const char *)*state);
    assert_int_equal(chmod(dir.path, 0700), 0);
    assert_int_equal(symlink(dir.path, link.path), 0);
    assert_int_equal(unixsock_make_dir(&link, &err), -EPERM);
    unlink(link.path);
    snprintf(deep.path, sizeof(deep.path), "%s/no/such", (const char *)*state);
    assert_int_equal(unixsock_make_dir(&deep, &err), -ENOENT);
    if (geteuid() == 0) {
        assert_int_equal(chown(dir.path, 65534, 65534), 0);
        assert_int_equal(unixsock_make_dir(&dir, &err), -EPERM);
        assert_non_null(strstr(err.text, "belongs to user 65534"));
    }
    rmdir(dir.path);
}

static void names(void **state)
{
    struct unixsock_dir dir = make_dir(state);
    char path[UNIXSOCK_PATH_MAX], name[UNIXSOCK_PATH_MAX + 1];
    assert_int_equal(unixsock_path(&dir, "tap-1", path, NULL), 0);
    assert_string_equal(strrchr(path, '/'), "/tap-1.sock");
    static const char *const bad[] = {"", ".hidden", "..", "a/b"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(unixsock_path(&dir, bad[i], path, NULL), -EINVAL);
    }
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(unixsock_path(&dir, name, path, NULL), -ENAMETOOLONG);
    rmdir(dir.path);
}

static void listen_connect_and_leave(void **state)
{
    struct unixsock_dir dir = make_dir(state);
    struct error err = {""};
    char path[UNIXSOCK_PATH_MAX];
    int fd = -1, second = -1, client = -1;
    struct stat st;
    struct unixsock_peer peer;
    unixsock_path(&dir, "a", path, NULL);
    assert_int_equal(unixsock_connect(path, &client, &err), -ENOENT);
    assert_non_null(strstr(err.text, "nothing is running at"));
    mode_t old = umask(0);
    assert_int_equal(unixsock_listen(path, 0600, &fd, &err), 0);
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(unixsock_listen(path, 0600, &second, &err), -EADDRINUSE);
    assert_int_equal(second, -1);
    assert_int_equal(unixsock_connect(path, &client, &err), 0);
    close(accept4(fd, NULL, NULL, SOCK_CLOEXEC)); /* the knock of the second listener */
    int server = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(unixsock_peer(server, &peer), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    assert_true(unixsock_peer_may(&peer, geteuid()));
    peer.uid = 4242;
    assert_false(unixsock_peer_may(&peer, geteuid()));
    close(client);
    close(server);
    close(fd);
    /* Left behind, as by a killed program: refused to clients, replaced by the next one. */
    assert_int_equal(unixsock_connect(path, &client, &err), -ECONNREFUSED);
    assert_int_equal(unixsock_listen(path, 0600, &fd, &err), 0);
    close(fd);
    assert_int_equal(unixsock_remove(path), 0);
    assert_int_equal(unixsock_remove(path), 0);
    rmdir(dir.path);
}

static void other_files_are_spared(void **state)
{
    struct unixsock_dir dir = make_dir(state);
    struct error err = {""};
    char path[UNIXSOCK_PATH_MAX];
    int fd = -1;
    unixsock_path(&dir, "a", path, NULL);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(unixsock_listen(path, 0600, &fd, &err), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(dir.path);
    assert_int_equal(unixsock_listen(path, 0600, &fd, &err), -ENOENT);
    assert_int_equal(fd, -1);
}

static void live_ones_are_listed(void **state)
{
    struct unixsock_dir dir = make_dir(state);
    struct unixsock_name found[8];
    static const char *const all[] = {"c", "stale", "a", "b"};
    char path[UNIXSOCK_PATH_MAX];
    size_t n = 99;
    int fd[4];
    for (size_t i = 0; i < 4; i++) {
        unixsock_path(&dir, all[i], path, NULL);
        assert_int_equal(unixsock_listen(path, 0600, &fd[i], NULL), 0);
    }
    close(fd[1]);
    assert_int_equal(unixsock_list(&dir, found, 8, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(found[0].name, "a");
    assert_string_equal(found[1].name, "b");
    assert_string_equal(found[2].name, "c");
    assert_int_equal(unixsock_list(&dir, found, 2, &n, NULL), 0);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < 4; i++) {
        unixsock_path(&dir, all[i], path, NULL);
        assert_int_equal(unixsock_remove(path), 0);
        if (i != 1) {
            close(fd[i]);
        }
    }
    rmdir(dir.path);
    assert_int_equal(unixsock_list(&dir, found, 8, &n, NULL), 0);
    assert_int_equal(n, 0);
}

/* Of many that start at the same time beside a left socket, exactly one gets the name. */
static void race(void **state)
{
    enum {
        MANY = 12,
    };
    struct unixsock_dir dir = make_dir(state);
    char path[UNIXSOCK_PATH_MAX], byte;
    int fd = -1, gate[2], hold[2];
    unixsock_path(&dir, "x", path, NULL);
    assert_int_equal(unixsock_listen(path, 0600, &fd, NULL), 0);
    close(fd);
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    for (int i = 0; i < MANY; i++) {
        if (fork() == 0) {
            close(gate[1]);
            close(hold[1]);
            _unused_ ssize_t n = read(gate[0], &byte, 1);
            int r = unixsock_listen(path, 0600, &fd, NULL);
            n = r == 0 ? read(hold[0], &byte, 1) : 0; /* until all others have tried */
            _exit(r == 0 ? 0 : r == -EADDRINUSE ? 1 : 2);
        }
    }
    close(gate[0]);
    close(gate[1]);
    int losers = 0, winners = 0, status = 0;
    while (losers < MANY - 1 && wait(&status) > 0) {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        losers++;
    }
    close(hold[0]);
    close(hold[1]);
    while (wait(&status) > 0) {
        winners += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    assert_int_equal(winners, 1);
    unixsock_remove(path);
    rmdir(dir.path);
}

static void one_of_many_wins(void **state)
{
    for (int round = 0; round < 30; round++) {
        race(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_folders_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(names, setup, teardown),
        cmocka_unit_test_setup_teardown(listen_connect_and_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(other_files_are_spared, setup, teardown),
        cmocka_unit_test_setup_teardown(live_ones_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(one_of_many_wins, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
