/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures outlive interfaces that go, engines that die and sessions that end; and ports, as they
 * are told of.
 */
#include "node/engine_testing.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "sys/test_net.h"

static const struct wanted_port *port_named(const struct scene *w, const char *name)
{
    for (unsigned i = 0; i < w->n_ports; i++) {
        if (strcmp(w->port[i].name, name) == 0) {
            return &w->port[i];
        }
    }
    return NULL;
}

/* Packet sockets of the namespace that take frames in. */
static unsigned rings(void)
{
    char line[256];
    unsigned n = 0;
    _cleanup_(fclosep) FILE *f = fopen("/proc/thread-self/net/packet", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned protocol = 0;
        n += sscanf(line, "%*s %*d %*d %x", &protocol) == 1 && protocol != 0;
    }
    return n;
}

static bool has_no_ring(struct scene *w, const void *arg)
{
    (void)w;
    (void)arg;
    return rings() == 0;
}

/* ---- several of a port, several ports ---- */

static void one_ring_for_all(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wanted c[20];
    struct wall at[2];
    const int sender = sender_on("va", 0);
    scene_pass(w, 100);
    assert_int_equal(rings(), 0);
    for (uint8_t i = 0; i < 20; i++) {
        c[i] = scene_wish(i, WANTED_PACKET, 500, 10000);
    }
    scene_want(w, c, 20);
    for (uint8_t i = 0; i < 20; i++) {
        (void)scene_state(w, i, WANTED_RUNS);
    }
    assert_int_equal(rings(), 1);
    for (uint32_t i = 0; i < 50; i++) {
        scene_frame(sender, i, at);
    }
    scene_pass(w, 100);
    for (uint8_t i = 0; i < 20; i++) {
        c[i].cancelled = i >= 10;
    }
    scene_want(w, c, 20);
    for (uint8_t i = 10; i < 20; i++) {
        struct scene_file *f;
        scene_balanced(scene_state(w, i, WANTED_DONE));
        f = scene_pcapng(w, i);
        assert_int_equal(f->frames, 50);
        scene_file_free(f);
    }
    assert_int_equal(rings(), 1);
    scene_want(w, NULL, 0); /* nobody wants the others: their files are whole */
    scene_wait(w, has_no_ring, NULL);
    struct scene_file *f = scene_pcapng(w, 3);
    assert_int_equal(f->frames, 50);
    scene_file_free(f);
    close(sender);
    scene_free(w);
}

static void several_points_in_order(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int there = sender_on("va", 0);
    struct wanted c = scene_wish(1, WANTED_PACKET, 500, 800);
    c.n_points = 3;
    c.dir = FRAME_DIR_UNKNOWN;
    (void)snprintf(c.point[1], sizeof(c.point[1]), "va");
    (void)snprintf(c.point[2], sizeof(c.point[2]), "none9");
    scene_want(w, &c, 1);
    (void)scene_state(w, 1, WANTED_RUNS);
    for (uint32_t i = 0; i < 100; i++) {
        scene_frame(there, i, at);
        scene_pass(w, 1);
    }
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    assert_int_equal(is->reason, WANTED_STOP_TIME);
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(f->interfaces, 3);
    assert_int_equal(f->frames, 200);
    assert_int_equal(is->written, 200);
    for (unsigned i = 0; i < f->frames; i++) {
        assert_true(i == 0 || f->frame[i].ts_ns >= f->frame[i - 1].ts_ns);
        assert_int_equal(f->frame[i].number, i / 2);
    }
    for (unsigned i = 0; i < 2; i++) {
        /* later than wished where the machine is slow, but not than the first frame */
        assert_in_range(is->point[i].from_ns, c.start_ns, f->frame[0].ts_ns);
        assert_int_equal(is->point[i].until_ns, c.stop_ns);
    }
    assert_int_equal(is->point[2].from_ns, is->point[2].until_ns);
    scene_balanced(is);
    scene_file_free(f);
    close(there);
    scene_free(w);
}

/* ---- interfaces ---- */

static bool has_been_read(struct scene *w, const void *arg)
{
    const int64_t *since = arg;
    const struct wanted_is *is = scene_is(w, 1);
    return is && is->point[0].until_ns > *since && is->point[0].from_ns < is->point[0].until_ns;
}

static bool has_begun_anew(struct scene *w, const void *arg)
{
    const int64_t *since = arg;
    const struct wanted_is *is = scene_is(w, 1);
    return is && is->point[0].from_ns > *since;
}

static void an_interface_goes_and_comes_back(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    sh("ip link add wa type veth peer name wb");
    quiet_and_up("wa");
    quiet_and_up("wb");
    struct wanted c = scene_wish(1, WANTED_PACKET, 0, 60000);
    (void)snprintf(c.point[0], sizeof(c.point[0]), "wb");
    scene_want(w, &c, 1);
    scene_wait(w, has_been_read, &c.start_ns);
    int sender = sender_on("wa", 0);
    scene_frame(sender, 0, at);
    scene_wait(w, has_been_read, &at[1].ns);
    close(sender);
    const struct wanted_is first = *scene_is(w, 1);
    sh("ip link del wa");
    const int64_t gone = wall_now().ns;
    scene_pass(w, 100);
    sh("ip link add wa type veth peer name wb");
    quiet_and_up("wa");
    quiet_and_up("wb");
    scene_wait(w, has_begun_anew, &gone);
    sender = sender_on("wa", 0);
    scene_frame(sender, 1, at);
    scene_wait(w, has_been_read, &at[1].ns);
    c.cancelled = true;
    scene_want(w, &c, 1);
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    assert_true(first.point[0].until_ns < gone && is->point[0].from_ns > gone);
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(f->frames, 2);
    scene_file_free(f);
    close(sender);
    sh("ip link del wa");
    scene_free(w);
}

static void an_interface_that_is_never_there(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wanted c[] = {scene_wish(1, WANTED_PACKET, 0, 200),
                         scene_wish(2, WANTED_NETFLOW, 0, 200),
                         scene_wish(3, WANTED_PACKET, -2000, 1000)};
    (void)snprintf(c[0].point[0], sizeof(c[0].point[0]), "none9");
    memset(c[1].point[0], 'n', WANTED_NAME - 1); /* longer than a name can be */
    scene_want(w, c, 3);
    for (uint8_t i = 1; i <= 2; i++) {
        const struct wanted_is *is = scene_state(w, i, WANTED_FAILED);
        assert_int_equal(is->reason, WANTED_POINT_GONE);
        assert_non_null(strstr(is->words, i == 1 ? "none9" : "nnnnnn"));
    }
    const struct wanted_is *is = scene_state(w, 3, WANTED_DONE); /* nobody looked for it */
    assert_int_equal(is->reason, WANTED_STOP_TIME);
    assert_int_equal(is->point[0].until_ns, 0);
    scene_free(w);
}

static bool has_port(struct scene *w, const void *arg)
{
    const struct wanted_port *p = port_named(w, arg);
    return p && p->up;
}

static bool has_not_port(struct scene *w, const void *arg)
{
    return !port_named(w, arg);
}

static bool has_ports(struct scene *w, const void *arg)
{
    const unsigned *n = arg;
    return w->n_ports == *n;
}

static void ports_are_told(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    const struct wanted_port *p = port_named(w, "va");
    assert_non_null(p);
    assert_true(p->up && p->carrier && p->mtu == 9000 && (int)p->ifindex == index_of("va"));
    assert_non_null(port_named(w, "lo"));
    sh("ip link add wa mtu 1300 type bridge && ip link set wa address 02:00:00:00:00:07 up");
    scene_wait(w, has_port, "wa");
    p = port_named(w, "wa");
    assert_true(p->mtu == 1300 && memcmp(p->mac, "\2\0\0\0\0\7", 6) == 0);
    sh("ip link del wa");
    scene_wait(w, has_not_port, "wa");
    scene_free(w);
}

static bool has_speed(struct scene *w, const void *arg)
{
    const struct wanted_port *p = port_named(w, "ta");
    const uint64_t *bps = arg;
    return p && p->speed_bps == *bps;
}

static void speeds_are_told(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    assert_true(port_named(w, "va")->speed_bps == UINT64_C(10000000000));
    assert_true(port_named(w, "lo")->speed_bps == 0);
    sh("ip tuntap add dev ta mode tap && ethtool -s ta speed 1000 duplex full && ip link set ta "
       "up");
    scene_wait(w, has_speed, &(uint64_t){UINT64_C(1000000000)});
    sh("ip link set ta down && ethtool -s ta speed 2500 && ip link set ta up"); /* another peer */
    scene_wait(w, has_speed, &(uint64_t){UINT64_C(2500000000)});
    sh("ip link del ta");
    scene_wait(w, has_not_port, "ta");
    scene_free(w);
}

static void many_ports_are_told(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    char path[2 * WORLD_PATH], command[6 * WORLD_PATH];
    (void)snprintf(path, sizeof(path), "%s/many", w->folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    for (unsigned i = 0; i < 60; i++) { /* more than the socket has room for */
        assert_true(fprintf(f, "link add many%u type bridge\n", i) > 0);
    }
    assert_int_equal(fclose(f), 0);
    (void)snprintf(command, sizeof(command), "ip -batch %s", path);
    sh(command);
    scene_wait(w, has_ports, &(unsigned){63});
    (void)snprintf(command, sizeof(command), "sed -i s/add/del/ %s && ip -batch %s", path, path);
    sh(command);
    scene_wait(w, has_ports, &(unsigned){3});
    scene_free(w);
}

/* Another selection: "vb" is no port any more. A capture of it goes on, and comes back with it. */
static void other_ports_are_selected(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct selection others = w->select;
    struct wall at[2];
    const int sender = sender_on("va", 0);
    struct wanted c = scene_wish(1, WANTED_PACKET, 0, 60000);
    scene_want(w, &c, 1);
    scene_wait(w, has_been_read, &c.start_ns);
    others.word[0] = (struct selection_word){.text = "va"};
    others.n_words = 1;
    engine_select(w->engine, &others);
    scene_wait(w, has_ports, &(unsigned){1});
    assert_non_null(port_named(w, "va"));
    scene_frame(sender, 7, at);
    scene_wait(w, has_been_read, &at[1].ns);
    engine_select(w->engine, &w->select);
    scene_wait(w, has_ports, &(unsigned){3});
    c.cancelled = true;
    scene_want(w, &c, 1);
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    scene_balanced(is);
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(f->frames, 1);
    scene_file_free(f);
    close(sender);
    scene_free(w);
}

/* ---- deaths ---- */

static void an_engine_dies(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int sender = sender_on("va", 0);
    struct wanted c[] = {scene_wish(1, WANTED_PACKET, 0, 60000),
                         scene_wish(2, WANTED_PACKET, 0, 60000)};
    c[1].n_points = 2;
    (void)snprintf(c[1].point[1], sizeof(c[1].point[1]), "va");
    const uint64_t life = w->life;
    for (uint32_t i = 0; i < 3; i++) {
        const int64_t now = wall_now().ns;
        scene_want(w, c, 2);
        scene_wait(w, has_been_read, &now);
        (void)scene_state(w, 2, WANTED_RUNS);
        scene_pass(w, 100);
        scene_frame(sender, i, at);
        scene_wait(w, has_been_read, &at[1].ns);
        assert_true(i == 0 || w->life != life);
        if (i < 2) {
            scene_pass(w, 500); /* that of two points is written, too */
            scene_kill(w);
            scene_frame(sender, 1000, at);
            scene_start(w);
        }
    }
    c[0].cancelled = c[1].cancelled = true;
    scene_want(w, c, 2);
    for (uint8_t id = 1; id <= 2; id++) {
        const struct wanted_is *is = scene_state(w, id, WANTED_DONE);
        struct scene_file *f = scene_pcapng(w, id);
        assert_int_equal(f->sections, 3);
        assert_int_equal(f->frames, 3 * id);
        assert_int_equal(f->frame[f->frames - 1].number, 2);
        assert_int_equal(is->published, f->len);
        scene_file_free(f);
    }
    close(sender);
    scene_free(w);
}

/* ---- sessions ---- */

static bool has_session(struct scene *w, const void *arg)
{
    const unsigned *before = arg;
    return w->sessions > *before && w->rounds > 0 && w->applied == w->generation;
}

static bool has_ended(struct scene *w, const void *arg)
{
    const unsigned *before = arg;
    return w->ended > *before;
}

static void control_comes_and_goes(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int sender = sender_on("va", 0);
    struct wanted c[] = {scene_wish(1, WANTED_PACKET, 0, 60000),
                         scene_wish(2, WANTED_PACKET, 0, 60000)};
    scene_want(w, c, 2);
    scene_wait(w, has_been_read, &c[0].start_ns);
    (void)scene_state(w, 2, WANTED_RUNS);
    scene_pass(w, 100);
    w->away = true;
    scene_hang_up(w);
    scene_frame(sender, 0, at);
    scene_pass(w, 700);
    scene_frame(sender, 1, at);
    w->away = false;
    w->rounds = w->n_is = 0;
    const unsigned before = w->sessions;
    const struct mono end = deadline_s(10);
    while (w->sessions == before) {
        scene_pass(w, 10);
        not_after(end);
    }
    c[0].stop_ns = wall_now().ns + 300 * NSEC_PER_MSEC; /* meanwhile it was changed */
    scene_want(w, c, 1);                                /* and the other one deleted */
    scene_wait(w, has_session, &before);
    scene_frame(sender, 2, at);
    const struct wanted_is *is = scene_state(w, 1, WANTED_DONE);
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(f->frames, 3);
    assert_int_equal(f->sections, 1);
    assert_int_equal(is->point[0].until_ns, c[0].stop_ns);
    scene_file_free(f);
    scene_wait(w, has_no_ring, NULL);
    close(sender);
    scene_free(w);
}

static void what_is_no_message_ends_the_session(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    static struct rolemsg m;
    for (unsigned i = 0; i < 6; i++) {
        unsigned ended = w->ended, sessions = w->sessions;
        m = (struct rolemsg){.type = ROLEMSG_WANT, .generation = ++w->generation, .n = 2};
        m.wanted = scene_wish(1, WANTED_PACKET, 0, 60000);
        switch (i) {
        case 0:
            assert_int_equal(send(w->control, "nonsense", 8, MSG_NOSIGNAL), 8);
            break;
        case 1: /* the second part first */
            m.place = 1;
            scene_send(w, &m);
            break;
        case 2: /* of another set */
            scene_send(w, &m);
            m.place = 1;
            m.generation++;
            scene_send(w, &m);
            break;
        case 3:
            scene_send(w, &(struct rolemsg){.type = ROLEMSG_HELLO, .version = ROLEMSG_VERSION});
            break;
        case 4:
            scene_send(w, &(struct rolemsg){.type = ROLEMSG_PORTS});
            break;
        default:
            m.place = 0;
            m.n = 0;
            scene_send(w, &m); /* an empty set is one */
            m.generation--;
            scene_send(w, &m); /* and an old one is nothing */
            scene_pass(w, 100);
            assert_true(w->ended == ended && w->sessions == sessions);
            assert_int_equal(w->applied, m.generation + 1);
            scene_free(w);
            return;
        }
        scene_wait(w, has_ended, &ended);
        assert_non_null(strstr(w->told, "a message that is none"));
        w->rounds = 0;
        w->applied = w->generation + 10; /* nothing is told that was not applied */
        scene_wait(w, has_session, &sessions);
    }
}

/* ---- disks ---- */

static void a_full_disk(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wall at[2];
    const int sender = sender_on("va", 0);
    close(w->grants.captures);
    assert_int_equal(mount("none", w->folder, "tmpfs", 0, "size=128k"), 0);
    w->grants.captures = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->grants.captures >= 0);
    struct wanted c[] = {scene_wish(1, WANTED_PACKET, 0, 60000)};
    scene_want(w, c, 1);
    scene_wait(w, has_been_read, &c[0].start_ns);
    const struct mono end = deadline_s(20);
    for (uint32_t i = 0; scene_is(w, 1)->state == WANTED_RUNS; i++) {
        for (unsigned k = 0; k < 50; k++) {
            scene_frame(sender, i, at);
        }
        scene_pass(w, 1);
        not_after(end);
    }
    const struct wanted_is *is = scene_state(w, 1, WANTED_FAILED);
    assert_int_equal(is->reason, WANTED_DISK_FULL);
    assert_non_null(strstr(is->words, "no space left"));
    struct scene_file *f = scene_pcapng(w, 1);
    assert_true(f->frames > 500);
    assert_int_equal(is->written, f->frames);
    scene_balanced(is);
    scene_file_free(f);
    close(sender);
    scene_want(w, NULL, 0);
    scene_wait(w, has_no_ring, NULL);
    scene_kill(w);
    close(w->grants.captures);
    assert_int_equal(umount2(w->folder, MNT_DETACH), 0);
    w->grants.captures = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scene_free(w);
}

static void it_stops(void **state)
{
    (void)state;
    struct scene *w = scene_new();
    struct wanted c[] = {
        scene_wish(1, WANTED_PACKET, 0, 60000), scene_wish(2, WANTED_NETFLOW, 0, 60000),
        scene_wish(3, WANTED_ETHERNET, 0, 60000), scene_wish(4, WANTED_PACKET, 50000, 60000)};
    scene_want(w, c, 4);
    scene_wait(w, has_been_read, &c[0].start_ns);
    engine_stop(w->engine);
    const struct mono end = deadline_s(10);
    while (!engine_is_stopped(w->engine)) {
        scene_pass(w, 10);
        not_after(end);
    }
    struct scene_file *f = scene_pcapng(w, 1);
    assert_int_equal(f->interfaces, 1);
    scene_file_free(f);
    scene_free(w);
}

static int own_namespaces(void **state)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        return -1;
    }
    return own_namespace(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_ring_for_all),
        cmocka_unit_test(several_points_in_order),
        cmocka_unit_test(an_interface_goes_and_comes_back),
        cmocka_unit_test(an_interface_that_is_never_there),
        cmocka_unit_test(ports_are_told),
        cmocka_unit_test(speeds_are_told),
        cmocka_unit_test(many_ports_are_told),
        cmocka_unit_test(other_ports_are_selected),
        cmocka_unit_test(an_engine_dies),
        cmocka_unit_test(control_comes_and_goes),
        cmocka_unit_test(what_is_no_message_ends_the_session),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(it_stops),
    };
    return cmocka_run_group_tests(tests, own_namespaces, NULL);
}
