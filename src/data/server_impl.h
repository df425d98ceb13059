/* SPDX-License-Identifier: Apache-2.0
 *
 * What server.c (sockets, handshakes), server_admit.c (whose handshakes are looked at),
 * server_session.c (control records), server_move.c (where taps are), server_taps.c (who is known,
 * with which ports), server_words.c (what is said of them) and server_index.c (finding things
 * without walking) share.
 */
#pragma once

#include "base/table.h"
#include "data/link/clock.h"
#include "data/link/cookie.h"
#include "data/link/proof.h"
#include "data/server.h"
#include "model/guard.h"
#include "model/load.h"

enum {
    SERVER_TAPS = 4096,     /* names remembered */
    SERVER_PORTS = 4095,    /* observation points in all, … */
    SERVER_SHARE = 64,      /* … of which a tap gets so many while there is any, … */
    SERVER_SPARE = 1024,    /* … and more only while there are more than these */
    SERVER_HALF_FREE = 256, /* handshakes that have not become a session, begun without a cookie; */
    SERVER_HALF_REAL = 768, /* with one, … */
    SERVER_HALF_OWN = 512,  /* … of these from one address; */
    SERVER_HALF_LIVE = 512, /* for a session's next key; */
    SERVER_HALF = SERVER_HALF_FREE + SERVER_HALF_REAL + SERVER_HALF_LIVE, /* and in all */
    SERVER_TICK_MS = 200,
    SERVER_REPORT_MS = 1000 - SERVER_TICK_MS / 2, /* so that it is every fifth tick */
    SERVER_SPREAD = 5,
    SERVER_HALF_MS = 10000,
    SERVER_HALF_MIN_MS = 500, /* before another may take the place of one that is half-open */
    SERVER_ALIVE_MS = 2500,   /* a tap reports every second, and one report may be lost */
    SERVER_MOVED_MS = 10000,  /* in which a tap's other addresses are told */
    SERVER_MOVED_TOLD = 4,    /* so many times */
    SERVER_DEVICE_MS = 10000, /* between two tries to make a tap's device */
    SERVER_SILENT_MS = 5000,
    SERVER_FIGURES_S = 1 << 20, /* seconds after which a tap's figures may be any again */
    SERVER_GONE_MS = 30000,
    SERVER_KEY_MS = 240000, /* records under an older key are not taken */
    SERVER_OLD_KEY_MS = 10000,
    SERVER_EVENTS = 64, /* handled before timers get their turn */
    SERVER_HINTS = 32,  /* REJECTs that no handshake stands behind, in a tick */
    SERVER_GUESSES =
        3,            /* wrong passphrases from a live session's address that the guard forgives */
    SERVER_WORDS = 4, /* sentences about handshakes that come to nothing in a second */
    SERVER_TOLD = 24, /* sentences about a tap in the log, and events in the history, … */
    SERVER_TOLD_MS = 60000,   /* in so long */
    SERVER_BEGINS = 1,        /* sessions of a tap in a second, … */
    SERVER_BEGINS_BURST = 16, /* … and at once */
    SERVER_STREAMS = 16,      /* the same of streams that it begins */
    SERVER_STREAMS_BURST = 3 * RECEIVER_STREAMS,
    SERVER_DEVICES = 32,         /* TAP devices that are made in a second, of all taps, … */
    SERVER_DEVICES_BURST = 1024, /* … and at once */
    SERVER_KEYS = 4, /* of a session: the newest, and older ones under which records may come */
    TAP_PORTS = RECEIVER_STREAMS + 256,
    TAP_NAMES_RATE = 1,    /* interfaces that are new: a second, after TAP_PORTS at once */
    SERVER_IDLE_MS = 2000, /* of an observation point before its counts may be put to others' */
};

/* By so much, in a second, a tap's counter may grow: bytes at 2 Tbit/s. */
#define SERVER_FIGURES (UINT64_C(1) << 38)

struct session;
struct key;

/* A key of ours, from the first answer until it is dropped. */
struct key {
    uint32_t index;
    struct handshake_collector handshake;
    bool proven;     /* a record under it was authentic, or will be the proof */
    struct aead *tx; /* NULL: not complete yet */
    uint64_t counter;
    enum aead_alg alg;
    uint32_t remote;
    struct session *session;           /* NULL: half-open */
    struct key *half_prev, *half_next; /* among the half-open, in the order of their making */
    enum load_from kind;               /* of its HELLO */
    bool guessed;                      /* a wrong CONFIRM was counted */
    struct udp_addr from, local;
    struct udp_addr sure;      /* the last address of which it is known that it is the tap's */
    struct link_proof proof;   /* of the present one */
    uint64_t newest;           /* counter of the control record that told them, plus one */
    struct mono made, expires; /* expires {0}: with the session */
    struct mono asked;         /* its first INFO came */
    uint8_t *info;             /* an INFO that waits for another session's end */
    uint16_t info_len;
    struct key **at, *next; /* its place among those of its session */
};

/* Sentences or events about a tap. */
struct server_told {
    struct mono since; /* {0}: nothing was told yet */
    unsigned n, more;  /* told since then, and left out */
};

struct tap {
    char name[LINK_NAME_MAX + 1], host[129], software[129];
    uint64_t number; /* given to no other */
    struct table_link by_name;
    struct receiver_port *port[TAP_PORTS];
    unsigned n_ports;
    struct load_bucket names; /* interfaces that it may announce as new */
    struct server_past *past; /* NULL: none yet */
    struct session *session;  /* NULL: gone */
    struct server_device device;
    struct mono device_next; /* no device could be made: the next try */
    struct mono device_closed;
    unsigned sessions, rekeys, moves;
    unsigned unclosed; /* sessions that ended without the tap's last word */
    struct udp_addr last_addr;
    struct mono moved; /* since then so many other addresses were told */
    unsigned moves_told;
    const char *cipher;
    struct mono since, heard;
    int64_t rtt_ns, clock_offset_ns;
    struct load_bucket begins;  /* sessions */
    struct load_bucket streams; /* that it begins in them */
    struct server_told said, events;
    enum history_kind event_kind; /* of the last event, told or not */
    struct history history;       /* as it tells it */
    uint64_t life;                /* of the process that numbers those events */
};

struct session {
    uint32_t id;
    unsigned thread; /* the data thread that has its streams, and gets all its datagrams */
    uint64_t tag;
    struct table_link by_tag, by_address;
    struct key *keys; /* all that are bound to it */
    struct tap *tap;
    const struct allow_entry *entry; /* NULL: by passphrase or in the clear */
    struct key *key;                 /* the one to send with */
    struct receiver_port *stream[RECEIVER_STREAMS];
    uint16_t stream_id[RECEIVER_STREAMS];
    bool final[RECEIVER_STREAMS];  /* the tap has said how many frames there were in all */
    bool ending[RECEIVER_STREAMS]; /* the data thread closes its books */
    unsigned n_streams;
    uint16_t refused[RECEIVER_STREAMS]; /* streams that it announces and that are not taken */
    unsigned n_refused;
    bool closing; /* the data thread closes its books, … */
    bool asked;   /* … or has yet to be told so */
    bool wants_ack, told_unserved;
    unsigned guesses; /* wrong passphrases from its address since its last key */
    struct mono heard, next_report;
    int64_t last_now; /* the tap's wall time in its last REPORT, and when that came */
    struct mono last_at;
    struct link_clock clock;
};

struct half_list {
    struct key *first, *last;
    unsigned n;
};

struct server {
    struct loop *loop;
    struct server_conf conf;
    struct receiver *receiver[RECEIVER_THREADS];
    unsigned keys_of[RECEIVER_THREADS]; /* of each: those of sessions, and half-open ones */
    struct wake wake;
    struct loop_fd *wake_event;
    struct loop_timer *tick;
    struct mono next_words;
    struct udp_io io;   /* for answers */
    int send_buffer;    /* its size */
    struct guard guard; /* passphrases: who has to wait */
    struct load load;   /* handshakes: whose are taken on */
    struct cookie_jar cookies;
    bool cookies_told[RECEIVER_THREADS]; /* the data thread has the newest secrets */
    struct key *key[RECEIVER_SLOTS];
    struct half_list half[LOAD_KINDS]; /* half-open keys */
    unsigned n_half;
    struct session *session[RECEIVER_SESSIONS];
    unsigned n_sessions, next_session;
    struct table sessions_by_tag, sessions_by_address, taps_by_name;
    struct tap *tap[SERVER_TAPS];
    unsigned n_taps;
    uint64_t last_tap;                /* the number given out last */
    uint32_t n_ports, last_port;      /* in use; the index given out last */
    bool port_used[SERVER_PORTS + 1]; /* by index, from 1 on */
    struct server_forgotten forgotten;
    unsigned hints, words;
    struct load_bucket devices; /* made for taps */
    unsigned untold; /* times that something was left out about a tap and is yet to be counted */
    struct allow_list allow; /* NOISE: the newest list, once the first was replaced */
    struct history history;
    struct server_counters counters;
};

/* server.c */
void server_say(struct server *s, bool error, const char *fmt, ...) _printf_(3, 4);
void server_send(struct server *s, const struct udp_addr *to, const struct udp_addr *from,
                 const uint8_t *d, size_t len);
struct key *server_find_key(struct server *s, uint32_t index);
void server_drop_key(struct server *s, struct key *k);

/* server_index.c */
int server_index_init(struct server *s, uint64_t seed);
void server_index_done(struct server *s);
/* The key is among those of its session; server_unlist_key also takes one that is of none. */
void server_list_key(struct key *k);
void server_unlist_key(struct key *k);
/* The session whose newest key was last used from there, or NULL. */
struct session *server_session_at(const struct server *s, const struct udp_addr *from);
/* To be called when a session's newest key is another one, or is used from another address. */
void server_session_moved(struct server *s, struct session *ss);
/* A session that goes on: the same tag, from one who has proven the same. */
struct session *server_session_tagged(const struct server *s, uint64_t tag,
                                      const struct allow_entry *entry);
void server_session_add(struct server *s, struct session *ss);
void server_session_remove(struct server *s, struct session *ss);
struct tap *server_tap_named(const struct server *s, const char *name);
/* The data thread that gets datagrams with this index: the kernel steers them by it. */
struct receiver *server_receiver(const struct server *s, uint32_t index);

/* server_admit.c */
/* Is this HELLO to be worked on? If not it has been answered, where that is due. *ret_from: what is
 * known of its sender. */
bool server_admits(struct server *s, const struct receiver_event *e, const struct link_hs *m,
                   enum load_from *ret_from);
/* Sends an answer to a handshake message or an unknown record, unless too many are stuck.
 * `real`: the address has shown that it is. `len` not above 0: there is none. */
void server_answer(struct server *s, const struct receiver_event *e, bool real, const uint8_t *d,
                   int len);
/* May this address try a passphrase now? */
bool server_may_try(struct server *s, const struct receiver_event *e);
void server_reject(struct server *s, const struct receiver_event *e, uint8_t why,
                   uint32_t receiver);
/* Drops a half-open key where the next one from this address would be one too many; false when
 * there is none to be dropped yet. */
bool server_half_room(struct server *s, const struct udp_addr *from, enum load_from kind);
void server_half_add(struct server *s, struct key *k);
void server_half_remove(struct server *s, struct key *k);

/* server_taps.c */
/* NULL: no more are remembered, or, with *ret_wait, its name is taken by a session of which it is
 * not known yet whether it lives. */
struct tap *server_tap_for(struct server *s, const struct link_info *info, const struct key *k,
                           bool *ret_wait);
/* Frees a tap, which is in no session, with its observation points. */
void server_tap_free(struct tap *t);
/* No frames come under it until the tap announces it again. */
void server_port_idle(struct receiver_port *p);
/* The tap's point of that name. One that is new may take the place of another that has been idle
 * for long. NULL: none can be had now, *ret_why says why. */
struct receiver_port *server_port_for(struct server *s, struct tap *tap, struct link_text ifname,
                                      const char **ret_why);
/* Notes whether an announced stream is refused at present. */
void server_note_refused(struct session *ss, uint16_t stream, bool refused);

/* server_words.c */
/* Says something about the tap, of which `fmt` is what follows its name, unless too much was said
 * already. */
void server_tell(struct server *s, struct tap *t, bool error, const char *fmt, ...) _printf_(4, 5);
/* The same in the collector's history. */
void server_tell_event(struct server *s, struct tap *t, enum history_kind kind, const char *words);
/* How much was left out; of all taps where it is time, of this one now. */
void server_tell_tick(struct server *s, struct mono now);
void server_tell_rest(struct server *s, struct tap *t);

/* server_move.c */
/* An authentic control record of this key came from there. */
void server_follow(struct server *s, struct key *k, const struct receiver_event *e);
/* The tap repeats the time of a REPORT: was that sent to where it is now? `k`: its newest key, or
 * NULL. */
void server_proved(struct key *k, const struct link_report *r);

/* server_session.c */
void server_control(struct server *s, const struct receiver_event *e);
void server_session_closed(struct server *s, uint32_t id);
void server_stream_ended(struct server *s, uint32_t id, uint16_t stream);
/* Looks again at an INFO that waits. */
void server_info_waits(struct server *s, struct key *k);
void server_session_end(struct server *s, struct session *ss);
void server_session_tick(struct server *s, struct session *ss, struct mono now);
void server_session_send_close(struct server *s, struct session *ss, enum link_close why);
