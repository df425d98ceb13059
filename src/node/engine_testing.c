/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_testing.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "proto/ether.h"
#include "sys/test_net.h"

enum {
    LOOK_MS = 3,
    FRAME = 60,
};

/* ---- the broker ---- */

static void *be_broker(void *scene)
{
    struct scene *w = scene;
    while (!atomic_load(&w->over)) {
        struct pollfd p = {w->server.sock, POLLIN, 0};
        if (poll(&p, 1, 20) > 0 && broker_server_one(&w->server) < 0) {
            break;
        }
        broker_server_reap(&w->server);
    }
    broker_server_done(&w->server);
    return NULL;
}

static void start_broker(struct scene *w)
{
    int sock[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
    w->server = (struct broker_server){.sock = sock[0],
                                       .requests = w->requests,
                                       .n_requests = SERVE_DATA_REQUESTS,
                                       .ctx = &w->grants};
    w->broker = broker_new(sock[1], &w->server.wall, 0);
    assert_non_null(w->broker);
    atomic_store(&w->over, false);
    assert_int_equal(pthread_create(&w->thread, NULL, be_broker, w), 0);
}

static void end_broker(struct scene *w)
{
    atomic_store(&w->over, true);
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    broker_free(w->broker);
}

/* ---- control's end ---- */

static int on_meet(void *user, int *ret_fd)
{
    struct scene *w = user;
    int sock[2];
    if (w->away) {
        return -EAGAIN;
    }
    scene_hang_up(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
    const int room = 8192; /* little: the engine has to wait for control now and then */
    assert_int_equal(setsockopt(sock[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    w->control = sock[0];
    *ret_fd = sock[1];
    w->sessions++;
    w->n_coming = 0;
    w->generation += 10;
    scene_send(w, &(struct rolemsg){.type = ROLEMSG_HELLO, .version = ROLEMSG_VERSION});
    return 0;
}

static void on_told(void *user, const char *text)
{
    struct scene *w = user;
    (void)snprintf(w->told, sizeof(w->told), "%s", text);
}

static void take_report(struct scene *w, const struct wanted_is *is)
{
    unsigned i = 0;
    while (i < w->n_is && memcmp(w->is[i].id, is->id, sizeof(is->id)) != 0) {
        i++;
    }
    assert_in_range(i, 0, WORLD_HELD - 1);
    w->n_is = MAX(w->n_is, i + 1);
    w->is[i] = *is;
    w->n_reports++;
}

static void take_round(struct scene *w, uint32_t n)
{
    assert_int_equal(n, w->n_coming);
    memcpy(w->port, w->coming, sizeof(w->port));
    w->n_ports = w->n_coming;
    w->n_coming = 0;
    w->rounds++;
}

static void take(struct scene *w, const struct rolemsg *m)
{
    switch (m->type) {
    case ROLEMSG_HELLO:
        assert_int_equal(m->version, ROLEMSG_VERSION);
        w->life = m->life;
        break;
    case ROLEMSG_APPLIED:
        w->applied = m->generation;
        break;
    case ROLEMSG_IS:
        take_report(w, &m->is);
        break;
    case ROLEMSG_PORT:
        w->n_coming = m->round == w->round ? w->n_coming : 0; /* else it begins anew */
        w->round = m->round;
        assert_in_range(w->n_coming, 0, WORLD_HELD - 1);
        w->coming[w->n_coming++] = m->port;
        break;
    case ROLEMSG_PORTS:
        assert_int_equal(m->round, w->round);
        take_round(w, m->ports);
        break;
    case ROLEMSG_SNAPPED:
        w->snapped++;
        w->snapped_code = (int)m->code;
        break;
    case ROLEMSG_TAPPED:
        w->tapped = m->generation;
        break;
    case ROLEMSG_TAP_IS:
        w->tap_is = m->tap_is;
        w->n_tap_is++;
        break;
    case ROLEMSG_WANT:
    case ROLEMSG_SNAPSHOT:
    case ROLEMSG_TAP:
    case ROLEMSG_UNTAP:
    case ROLEMSG_TAPS:
        fail_msg("the engine sent what only control sends");
    }
}

static void read_control(struct scene *w)
{
    static uint8_t buf[WANTED_MESSAGE_MAX];
    static struct rolemsg m;
    while (w->control >= 0) {
        const ssize_t n = recv(w->control, buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            w->ended++;
            scene_hang_up(w);
            return;
        }
        assert_int_equal(rolemsg_get(buf, (size_t)n, &m), 0);
        take(w, &m);
    }
}

void scene_send(struct scene *w, const struct rolemsg *m)
{
    uint8_t buf[WANTED_MESSAGE_MAX];
    const int n = rolemsg_put(buf, sizeof(buf), m);
    assert_true(n > 0);
    assert_int_equal(send(w->control, buf, (size_t)n, MSG_NOSIGNAL), n);
}

void scene_hang_up(struct scene *w)
{
    closep(&w->control);
    w->control = -1;
}

/* ---- time ---- */

static void on_look(struct loop *l, struct mono now, void *user)
{
    struct scene *w = user;
    (void)now;
    read_control(w);
    if (!w->until || w->until(w, w->arg)) {
        w->came = true;
        loop_stop(l, 0);
    }
}

static bool is_after(struct scene *w, const void *arg)
{
    const struct mono *then = arg;
    (void)w;
    return mono_due(mono_now(), *then);
}

static bool run(struct scene *w, bool (*until)(struct scene *w, const void *arg), const void *arg,
                struct mono most)
{
    while (!until(w, arg)) {
        w->until = NULL; /* each look ends the loop */
        assert_int_equal(loop_run(w->loop), 0);
        if (mono_due(mono_now(), most)) {
            return until(w, arg);
        }
    }
    return true;
}

void scene_wait(struct scene *w, bool (*until)(struct scene *w, const void *arg), const void *arg)
{
    if (!run(w, until, arg, mono_add_ms(mono_now(), WORLD_PATIENCE_MS))) {
        fail_msg("waited in vain; the last sentence: %s", w->told);
    }
}

void scene_pass(struct scene *w, int64_t ms)
{
    const struct mono then = mono_add_ms(mono_now(), ms);
    (void)run(w, is_after, &then, mono_add_ms(then, 1000));
}

/* ---- its life ---- */

static bool has_ports(struct scene *w, const void *arg)
{
    (void)arg;
    return w->rounds > 0 && w->control >= 0;
}

void scene_start(struct scene *w)
{
    static struct teller teller;
    struct error err = {""};
    teller = (struct teller){on_told, w};
    const struct engine_conf conf = {.loop = w->loop,
                                     .broker = w->broker,
                                     .teller = &teller,
                                     .select = &w->select,
                                     .system = "Linux",
                                     .meet = on_meet,
                                     .user = w};
    if (engine_new(&conf, &w->engine, &err) < 0) {
        fail_msg("%s", err.text);
    }
    w->rounds = 0;
    scene_wait(w, has_ports, NULL);
}

void scene_kill(struct scene *w)
{
    engine_free(TAKE_PTR(w->engine));
    scene_hang_up(w);
    w->n_is = 0;
}

struct scene *scene_new(void)
{
    struct scene *w = calloc(1, sizeof(*w));
    struct error err = {""};
    assert_non_null(w);
    w->control = -1;
    (void)snprintf(w->folder, sizeof(w->folder), "/tmp/farspan-engine-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    w->select = (struct selection){
        .word = {{"*", "*", false}}, .n_words = 1, .take_links = true, .metered = true};
    assert_int_equal(interface_grants_prepare(&w->select, &w->grants.taps.interfaces, &err), 0);
    w->grants.captures = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w->grants.captures >= 0);
    memcpy(w->requests, serve_data_requests, sizeof(w->requests));
    /* Not in a child, which a sanitizer leaves too little memory to. */
    w->requests[SERVE_COMPILE].handle = TAKE_PTR(w->requests[SERVE_COMPILE].child);
    w->requests[MIRROR_COMPILE].handle = TAKE_PTR(w->requests[MIRROR_COMPILE].child);
    start_broker(w);
    assert_int_equal(loop_new(&w->loop), 0);
    assert_int_equal(
        loop_add_timer(w->loop, mono_now(), LOOK_MS * NSEC_PER_MSEC, on_look, w, &w->look), 0);
    scene_start(w);
    return w;
}

void scene_free(struct scene *w)
{
    char command[2 * WORLD_PATH];
    engine_free(w->engine);
    scene_hang_up(w);
    loop_del_timer(w->loop, w->look);
    loop_free(w->loop);
    end_broker(w);
    close(w->grants.captures);
    mirror_free(w->grants.taps.mirror);
    selection_done(&w->select);
    (void)snprintf(command, sizeof(command), "rm -r %s", w->folder);
    sh(command);
    free(w);
}

/* ---- wishes and reports ---- */

struct wanted scene_wish(uint8_t id, enum wanted_kind kind, int64_t from_ms, int64_t for_ms)
{
    const int64_t start = wall_now().ns + from_ms * NSEC_PER_MSEC;
    return (struct wanted){.id = {0xfe, id},
                           .kind = kind,
                           .n_points = 1,
                           .point = {"vb"},
                           .period_ms = kind == WANTED_ETHERNET ? 10 : 0,
                           .start_ns = start,
                           .stop_ns = start + for_ms * NSEC_PER_MSEC};
}

void scene_want(struct scene *w, const struct wanted *all, unsigned n)
{
    static struct rolemsg m;
    m = (struct rolemsg){.type = ROLEMSG_WANT, .generation = ++w->generation, .n = (uint16_t)n};
    for (unsigned i = 0; i < MAX(n, 1U); i++) {
        m.place = (uint16_t)i;
        m.wanted = n > 0 ? all[i] : (struct wanted){.kind = WANTED_PACKET};
        scene_send(w, &m);
    }
}

const struct wanted_is *scene_is(const struct scene *w, uint8_t id)
{
    for (unsigned i = 0; i < w->n_is; i++) {
        if (w->is[i].id[0] == 0xfe && w->is[i].id[1] == id) {
            return &w->is[i];
        }
    }
    return NULL;
}

struct state {
    uint8_t id;
    enum wanted_state state;
};

static bool has_state(struct scene *w, const void *arg)
{
    const struct state *s = arg;
    const struct wanted_is *is = scene_is(w, s->id);
    return is && is->state >= s->state;
}

const struct wanted_is *scene_state(struct scene *w, uint8_t id, enum wanted_state state)
{
    const struct state s = {id, state};
    scene_wait(w, has_state, &s);
    const struct wanted_is *is = scene_is(w, id);
    if (is->state != state) {
        fail_msg("state %d and not %d: %s", (int)is->state, (int)state, is->words);
    }
    return is;
}

void scene_balanced(const struct wanted_is *is)
{
    assert_int_equal(is->offered, is->unwanted + is->written + is->dropped);
}

/* ---- frames ---- */

void scene_frame(int sender, uint32_t number, struct wall at[2])
{
    uint8_t frame[FRAME] = {0};
    struct wr w = wr_make(frame, sizeof(frame));
    wr_copy(&w, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
    wr_u32(&w, number);
    at[0] = wall_now();
    send_all(sender, frame, sizeof(frame));
    at[1] = wall_now();
}

void scene_datagram(int sender, uint16_t port)
{
    uint8_t frame[FRAME] = {0};
    struct wr w = wr_make(frame, sizeof(frame));
    wr_copy(&w, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
    wr_copy(&w, "\x45\0\0\x20\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2", 20); /* IPv4 and UDP */
    wr_u16(&w, port);
    wr_u16(&w, 53);
    wr_u16(&w, 12);
    send_all(sender, frame, sizeof(frame));
}

/* ---- files ---- */

uint8_t *scene_read(const struct scene *w, uint8_t id, const char *suffix, size_t *ret_len)
{
    char path[2 * WORLD_PATH];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/fe%02x%028d.%s", w->folder, id, 0, suffix);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    bytes[st.st_size] = '\0';
    close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void take_frame(struct scene_file *f, const uint8_t *block)
{
    assert_true(f->frames < ARRAY_SIZE(f->frame));
    const uint8_t *data = block + 28;
    struct rd r = rd_make(data + 14, 4);
    f->frame[f->frames].number = rd_u32(&r);
    f->frame[f->frames].interface = le32(block + 8);
    f->frame[f->frames].ts_ns = (int64_t)((uint64_t)le32(block + 12) << 32 | le32(block + 16));
    f->frame[f->frames].caplen = le32(block + 20);
    f->frame[f->frames].origlen = le32(block + 24);
    f->frames++;
}

struct scene_file *scene_pcapng(const struct scene *w, uint8_t id)
{
    struct scene_file *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->bytes = scene_read(w, id, "data", &f->len);
    for (size_t at = 0; at < f->len;) {
        assert_true(f->len - at >= 12);
        const uint32_t type = le32(f->bytes + at), len = le32(f->bytes + at + 4);
        assert_true(len >= 12 && len <= f->len - at);
        assert_int_equal(le32(f->bytes + at + len - 4), len);
        f->sections += type == 0x0a0d0d0a;
        f->interfaces += type == 1;
        if (type == 6) {
            take_frame(f, f->bytes + at);
        }
        at += len;
    }
    return f;
}

void scene_file_free(struct scene_file *f)
{
    free(f->bytes);
    free(f);
}
