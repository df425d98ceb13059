/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of collectors' devices in a folder of the test's own: which count, and which are forged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/owndev.h"
#include "sys/test_net.h"

static char dir[] = "/tmp/owndev-test-XXXXXX";

static int start(void **state)
{
    return own_namespace(state) < 0 || !mkdtemp(dir) || chmod(dir, 0755) < 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    return rmdir(dir); /* nothing was left in it */
}

static unsigned files(char ret_last[300])
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.') {
            n++;
            snprintf(ret_last, 300, "%s/%s", dir, e->d_name);
        }
    }
    closedir(d);
    return n;
}

static struct owndev *new_list(void)
{
    struct owndev *o = NULL;
    struct error err = {""};
    if (owndev_new(dir, &o, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return o;
}

static void add(struct owndev *o, int ifindex)
{
    struct error err = {""};
    if (owndev_add(o, ifindex, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static bool is_in_another_namespace(int ifindex)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(unshare(CLONE_NEWNET) < 0 || owndev_is(dir, ifindex));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status != 0;
}

static void a_list_counts_while_its_collector_lives(void **state)
{
    (void)state;
    int va = index_of("va"), vb = index_of("vb");
    struct owndev *o = new_list(), *other = new_list();
    assert_false(owndev_is(dir, va));
    add(o, va);
    add(o, va);
    add(other, vb);
    assert_true(owndev_is(dir, va));
    assert_true(owndev_is(dir, vb));
    assert_false(owndev_is(dir, index_of("lo")));
    assert_false(owndev_is(dir, 0));
    assert_false(is_in_another_namespace(va));
    assert_false(owndev_is("/nonexistent", va));
    owndev_remove(other);
    assert_false(owndev_is(dir, vb));
    owndev_free(other);
    owndev_free(o); /* the file is left, as by one that was killed */
    assert_false(owndev_is(dir, va));
    o = new_list(); /* and the next takes it away */
    char path[300];
    assert_int_equal(files(path), 1);
    owndev_remove(o);
    owndev_free(o);
}

static void two_processes_hold_a_list(void **state)
{
    (void)state;
    int va = index_of("va"), p[2], status;
    struct owndev *o = new_list();
    add(o, va);
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(p[1]);
        _exit(read(p[0], &c, 1) < 0);
    }
    close(p[0]);
    owndev_free(o);
    assert_true(owndev_is(dir, va)); /* the other has it still */
    close(p[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(owndev_is(dir, va));
    owndev_remove(o = new_list());
    owndev_free(o);
}

/* A list is not believed where another than root may write it. A reader's lock keeps no list alive,
 * and neither does a lock on a file without a whole entry. */
static void forgeries(void **state)
{
    (void)state;
    int va = index_of("va"), status;
    char path[300];
    struct owndev *o = new_list();
    add(o, va);
    assert_int_equal(files(path), 1);
    const struct {
        uid_t uid;
        mode_t mode;
        bool good;
    } kinds[] = {{0, 0644, true}, {65534, 0644, false}, {0, 0664, false}, {0, 0646, false}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        assert_int_equal(chown(path, kinds[i].uid, 0), 0);
        assert_int_equal(chmod(path, kinds[i].mode), 0);
        assert_int_equal(owndev_is(dir, va), kinds[i].good);
    }
    assert_int_equal(chown(path, 0, 0) + chmod(path, 0644), 0);
    owndev_free(o);
    pid_t pid = fork(); /* a lock that a reader can have keeps no list alive */
    if (pid == 0) {
        struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        int fd = setresuid(65534, 65534, 65534) < 0 ? -1 : open(path, O_RDONLY);
        bool locked = fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) == 0;
        whole.l_type = F_WRLCK;
        _exit(!locked || fcntl(fd, F_OFD_SETLK, &whole) == 0 || owndev_is(dir, va));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(write(fd, path, 7), 7); /* no whole entry; as locked as a good one */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    assert_false(owndev_is(dir, va));
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void places_are_used_again(void **state)
{
    (void)state;
    char path[300];
    struct stat st;
    struct owndev *o = new_list();
    for (int i = 0; i < 100; i++) {
        int fd = tun_device("one", IFF_TAP);
        add(o, index_of("one"));
        assert_true(owndev_is(dir, index_of("one")));
        close(fd);
    }
    add(o, index_of("va"));
    add(o, index_of("vb"));
    assert_int_equal(files(path), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 2 * 16);
    assert_true(owndev_is(dir, index_of("va")) && owndev_is(dir, index_of("vb")));
    owndev_remove(o);
    owndev_free(o);
}

static void no_folder(void **state)
{
    (void)state;
    struct owndev *o = NULL;
    struct error err = {""};
    assert_int_equal(owndev_new("/nonexistent", &o, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent"));
    assert_null(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_counts_while_its_collector_lives),
        cmocka_unit_test(two_processes_hold_a_list),
        cmocka_unit_test(forgeries),
        cmocka_unit_test(places_are_used_again),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, start, end);
}
