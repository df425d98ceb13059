/* SPDX-License-Identifier: Apache-2.0
 *
 * Cases that only the store in a file has: what an older program left there, damage, a full disk,
 * another process, a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/store.h"
#include "control/store_testing.h"

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof(*s));
    *state = s;
    return s ? scratch_make(s) : -1;
}

static int teardown(void **state)
{
    struct scratch *s = *state;
    umount2(s->path, MNT_DETACH); /* of a test that has failed */
    scratch_remove(s);
    free(s);
    return 0;
}

static const char *file_of(void **state, const char *end, char ret[128])
{
    snprintf(ret, 128, "%s/" STORE_FILE "%s", ((struct scratch *)*state)->path, end);
    return ret;
}

static int open_with(void **state, const struct kind *const *kinds, size_t n, struct store **ret,
                     char aside[64], struct error *err)
{
    const struct store_conf conf = {kinds, n, INT64_C(1795183390500000000)};
    return store_sqlite_open(((struct scratch *)*state)->path, &conf, ret, aside, err);
}

static struct store *opened(void **state)
{
    struct store *s = NULL;
    struct error err = {""};
    char aside[64];
    if (open_with(state, store_test_kinds, 2, &s, aside, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(aside, "");
    return s;
}

/* ---- what stays ---- */

static void test_stays(void **state)
{
    char path[128];
    struct stat st;
    struct store *s = opened(state);
    const struct store_event e = {.what = "small.made"};
    uint64_t oldest, last;
    put_some(s, 1, 3);
    begin(s);
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    commit(s);
    begin(s);
    put_one(s, 4, "p", "a", 4); /* never committed */
    assert_int_equal(stat(file_of(state, "-wal", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(file_of(state, "-shm", path), &st), -1); /* locked for this process */
    store_free(s);
    assert_int_equal(stat(file_of(state, "", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    s = opened(state);
    check_numbers(s, &(struct store_query){.sort = SMALL_RANK}, "1 2 3");
    assert_int_equal(s->ops->event_range(s, &oldest, &last, NULL), 0);
    assert_true(oldest == 1 && last == 1);
    store_free(s);
}

/* Runs in a child, which tells of each commit and is then killed. */
static void commit_on(void **state, int fd)
{
    struct store *s = opened(state);
    for (unsigned i = 1;; i++) {
        put_some(s, i, i);
        if (write(fd, &i, sizeof(i)) != sizeof(i)) {
            _exit(1);
        }
    }
}

/* Whatever was told of as committed is there after kill -9. */
static void test_killed(void **state)
{
    int fd[2];
    unsigned told = 0, next;
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fd[0]);
        commit_on(state, fd[1]);
    }
    close(fd[1]);
    while (told < 20 && read(fd[0], &next, sizeof(next)) == sizeof(next)) {
        told = next;
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (read(fd[0], &next, sizeof(next)) == sizeof(next)) {
        told = next;
    }
    close(fd[0]);
    assert_true(told >= 20);
    struct store *s = opened(state);
    assert_true(count_all(s) == told || count_all(s) == told + 1); /* killed before it told */
    store_free(s);
}

static void test_one_process(void **state)
{
    struct store *s = opened(state);
    put_some(s, 1, 1);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *other = NULL;
        struct error err = {""};
        char aside[64];
        int r = open_with(state, store_test_kinds, 2, &other, aside, &err);
        _exit(r == -EBUSY && !other && strstr(err.text, "another process") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    put_some(s, 2, 2);
    store_free(s);
}

/* The folder as the root of a process that sees nothing else, as the control role has it. */
static void test_folder_is_the_root(void **state)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct store_conf conf = {store_test_kinds, 2, 0};
        struct store *s = NULL;
        char aside[64];
        if (chroot(((struct scratch *)*state)->path) < 0 || chdir("/") < 0) {
            _exit(errno == EPERM ? 77 : 1);
        }
        int r = store_sqlite_open("/", &conf, &s, aside, NULL);
        if (r == 0) {
            put_some(s, 1, 200);
            store_free(s);
        }
        _exit(r == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77) {
        skip(); /* not root */
    }
    assert_int_equal(status, 0);
    struct store *s = opened(state);
    assert_int_equal(count_all(s), 200);
    store_free(s);
}

/* ---- kinds that change ---- */

static const struct field more_fields[] = {
    KIND_COMMON,
    {.name = "added", .type = FIELD_TEXTS, .flags = FIELD_NULL},
    {.name = "rank", .type = FIELD_INT, .flags = FIELD_NULL | FIELD_FILTER | FIELD_SORT},
    {.name = "word", .type = FIELD_WORD, .dflt = "one", .words = "one|two"},
    {.name = "list", .type = FIELD_TEXTS, .flags = FIELD_NULL},
    {.name = "from", .type = FIELD_TIME, .flags = FIELD_NULL | FIELD_SORT},
    {.name = "order", .type = FIELD_BOOL, .dflt = "false"},
    {.name = "count", .type = FIELD_INT, .flags = FIELD_SORT, .dflt = "17"},
    {.name = "state", .type = FIELD_WORD, .flags = FIELD_FILTER, .dflt = "b", .words = "a|b"},
};
static const struct kind larger = {"small", "smalls", more_fields, ARRAY_SIZE(more_fields)};

static void test_columns_are_added(void **state)
{
    const struct kind *const kinds[] = {&larger};
    struct store *s = opened(state);
    struct object o;
    struct error err = {""};
    char id[KIND_ID], aside[64];
    put_some(s, 1, 3);
    store_free(s);
    if (open_with(state, kinds, 1, &s, aside, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(aside, "");
    assert_int_equal(s->ops->get(s, &larger, test_id(2, id), &o, NULL), 0);
    assert_int_equal(o.v[kind_find(&larger, "rank")].n, 2);
    assert_string_equal(o.v[kind_find(&larger, "word")].text, "one");
    assert_int_equal(o.v[kind_find(&larger, "count")].n, 17);
    assert_string_equal(o.v[kind_find(&larger, "state")].text, "b");
    assert_false(o.v[kind_find(&larger, "added")].set);
    object_set_int(&o, (unsigned)kind_find(&larger, "count"), 18);
    begin(s);
    assert_int_equal(s->ops->put(s, &o, NULL), 0);
    commit(s);
    check_there(s, &o);
    object_done(&o);
    store_free(s);
    s = opened(state); /* by the older program: columns that it does not know stay */
    begin(s);
    put_one(s, 2, "p", "b", 5);
    commit(s);
    store_free(s);
    assert_int_equal(open_with(state, kinds, 1, &s, aside, NULL), 0);
    assert_int_equal(s->ops->get(s, &larger, id, &o, NULL), 0);
    assert_int_equal(o.v[kind_find(&larger, "count")].n, 18);
    assert_int_equal(o.v[kind_find(&larger, "rank")].n, 5);
    object_done(&o);
    store_free(s);
}

/* SQL by another connection, between two lives of the store. */
static void meanwhile(void **state, const char *sql)
{
    char path[128], *why = NULL;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file_of(state, "", path), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s", why);
    }
    sqlite3_close(db);
}

static void test_later_versions(void **state)
{
    static const struct field other[] = {
        KIND_COMMON,
        {.name = "rank", .type = FIELD_TEXT, .flags = FIELD_NULL},
    };
    static const struct kind changed = {"small", "smalls", other, ARRAY_SIZE(other)};
    const struct kind *const kinds[] = {&changed};
    struct store *s = opened(state);
    struct error err = {""};
    char aside[64] = "x";
    store_free(s);
    s = NULL;
    assert_int_equal(open_with(state, kinds, 1, &s, aside, &err), -EPROTONOSUPPORT);
    assert_string_equal(err.text,
                        "the store has rank of smalls as INTEGER, which farspan knows as TEXT");
    meanwhile(state, "UPDATE meta SET value=77");
    assert_int_equal(open_with(state, store_test_kinds, 2, &s, aside, &err), -EPROTONOSUPPORT);
    assert_non_null(strstr(err.text, "of a later farspan (version 77 "));
    assert_string_equal(aside, "");
    assert_null(s);
}

/* Everything is a column or an index by the kinds' tables; rows have the types that they say. */
static void test_tables_are_strict(void **state)
{
    struct store *s = opened(state);
    store_free(s);
    sqlite3 *db;
    char path[128];
    assert_int_equal(sqlite3_open(file_of(state, "", path), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO small(id, rank) VALUES('x', 'y')", NULL, NULL, NULL),
        SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO small(id) VALUES(NULL)", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
}

/* ---- lists read along an index ---- */

static int no_sorting(void *user, int n, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < n; i++) {
        *(bool *)user |= values[i] && strstr(values[i], "TEMP B-TREE");
    }
    return 0;
}

static bool sorts(void **state, const char *sql)
{
    char path[128], explain[512];
    bool found = false;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file_of(state, "", path), &db), SQLITE_OK);
    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_exec(db, explain, no_sorting, &found, NULL), SQLITE_OK);
    sqlite3_close(db);
    return found;
}

static void test_pages_need_no_sorting(void **state)
{
    store_free(opened(state));
    assert_true(sorts(state, "SELECT * FROM small ORDER BY word")); /* the judge sees it */
    assert_false(sorts(state, "SELECT * FROM small WHERE \"rank\" IS NOT NULL AND"
                              " (\"rank\",\"id\") > (1,'x') ORDER BY \"rank\", \"id\" LIMIT 9"));
    assert_false(sorts(state, "SELECT * FROM small WHERE \"project\"='p' AND \"rank\" IS NOT NULL"
                              " AND (\"rank\",\"id\") < (1,'x')"
                              " ORDER BY \"rank\" DESC, \"id\" DESC LIMIT 9"));
    assert_false(sorts(state, "SELECT * FROM small WHERE \"project\"='p' AND \"rank\" IS NULL"
                              " AND \"id\" > 'x' ORDER BY \"id\" LIMIT 9"));
    assert_false(sorts(state, "SELECT * FROM small WHERE \"project\"='p' AND \"id\" > 'x'"
                              " ORDER BY \"id\" LIMIT 9"));
}

/* ---- damage ---- */

static void overwrite(const char *path, off_t from, size_t n)
{
    static char bytes[1 << 16];
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && n <= sizeof(bytes));
    memset(bytes, 0xa5, sizeof(bytes));
    assert_int_equal(pwrite(fd, bytes, n, from), n);
    close(fd);
}

/* The store is set aside whole, under that name, and a new and empty one is there. */
static void check_set_aside(void **state, const char *name)
{
    struct store *s = NULL;
    struct error err = {""};
    struct stat st;
    char aside[64] = "", path[160];
    if (open_with(state, store_test_kinds, 2, &s, aside, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(aside, name);
    snprintf(path, sizeof(path), "%s/%s", ((struct scratch *)*state)->path, aside);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 0);
    assert_int_equal(count_all(s), 0);
    put_some(s, 1, 50);
    store_free(s);
}

static void test_damaged(void **state)
{
    char path[128];
    struct store *s = opened(state);
    put_some(s, 1, 500);
    store_free(s);
    overwrite(file_of(state, "", path), 4096 * 5, 4096 * 8); /* pages in the middle */
    check_set_aside(state, "farspan.db.damaged-2026-11-20T14:03:10.5Z");
    overwrite(file_of(state, "", path), 0, 100); /* no database any more */
    check_set_aside(state, "farspan.db.damaged-2026-11-20T14:03:10.5Z.2");
    assert_int_equal(truncate(path, 4096 * 3), 0);
    check_set_aside(state, "farspan.db.damaged-2026-11-20T14:03:10.5Z.3");
    s = opened(state);
    assert_int_equal(count_all(s), 50);
    store_free(s);
}

static void test_empty_file(void **state)
{
    char path[128];
    int fd = open(file_of(state, "", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    store_free(opened(state)); /* nothing was lost */
}

static void put_large(struct store *s, unsigned n)
{
    char much[3000];
    memset(much, 'x', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    begin(s);
    for (unsigned i = 1; i <= n; i++) {
        put_one(s, i, "p", much, i);
    }
    commit(s);
}

static int pass_by(void *user, const struct object *o)
{
    (void)user;
    (void)o;
    return 0;
}

/* Damage that is found only once the store is open. */
static void test_damaged_meanwhile(void **state)
{
    char path[128];
    struct store *s = opened(state);
    const struct store_query q = {.sort = FIELD_OF_ID};
    struct error err = {""};
    struct stat st;
    put_large(s, 1500); /* more than the library keeps in memory */
    store_free(s);
    s = opened(state);
    assert_int_equal(stat(file_of(state, "", path), &st), 0);
    for (off_t at = 4096; at + (1 << 16) < st.st_size; at += 1 << 16) {
        overwrite(path, at, 1 << 16);
    }
    assert_int_equal(s->ops->list(s, &kind_small, &q, pass_by, NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "damaged"));
    store_free(s);
}

static void test_no_folder(void **state)
{
    const struct store_conf conf = {store_test_kinds, 2, 0};
    struct store *s = NULL;
    struct error err = {""};
    char aside[64];
    (void)state;
    assert_int_equal(store_sqlite_open("/nonexistent/folder", &conf, &s, aside, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/folder/farspan.db"));
    assert_null(s);
}

/* ---- a full disk ---- */

/* Commits until there is no room: the last number that was committed. */
static unsigned fill(struct store *s, int *ret_r, struct error *err)
{
    char much[4000];
    unsigned i = 0;
    memset(much, 'x', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    *ret_r = 0;
    while (*ret_r == 0 && i < 100000) {
        struct object o;
        i++;
        test_object(&o, i, "p", much, i);
        begin(s);
        *ret_r = s->ops->put(s, &o, err);
        *ret_r = *ret_r < 0 ? *ret_r : s->ops->commit(s, err);
        s->ops->rollback(s);
        object_done(&o);
    }
    return i - 1;
}

static void test_disk_full(void **state)
{
    const char *folder = ((struct scratch *)*state)->path;
    struct error err = {""};
    char id[KIND_ID];
    int r;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("farspan", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=2m") < 0) {
        skip(); /* not root */
    }
    struct store *s = opened(state);
    unsigned there = fill(s, &r, &err);
    assert_int_equal(r, -ENOSPC);
    assert_string_equal(err.text, "the store cannot do its work: the disk is full");
    assert_true(there > 20);
    assert_int_equal(count_all(s), there); /* what was committed is there, and can be read */
    struct object o;
    assert_int_equal(s->ops->get(s, &kind_small, test_id(there, id), &o, NULL), 0);
    object_done(&o);
    assert_int_equal(s->ops->get(s, &kind_small, test_id(there + 1, id), &o, NULL), -ENOENT);
    store_free(s);
    assert_int_equal(mount("farspan", folder, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    s = opened(state); /* with room again it goes on */
    assert_int_equal(count_all(s), there);
    put_some(s, there + 1, there + 1);
    assert_int_equal(count_all(s), there + 1);
    store_free(s);
    assert_int_equal(umount2(folder, MNT_DETACH), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_stays),
        CASE(test_killed),
        CASE(test_one_process),
        CASE(test_folder_is_the_root),
        CASE(test_columns_are_added),
        CASE(test_later_versions),
        CASE(test_tables_are_strict),
        CASE(test_pages_need_no_sorting),
        CASE(test_damaged),
        CASE(test_empty_file),
        CASE(test_damaged_meanwhile),
        CASE(test_no_folder),
        CASE(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
