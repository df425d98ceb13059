/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures and functions that the files of this folder share. Each file calls those above it
 * in this list, never those below it:
 *
 *   say.c       sentences about taps, and the collector's history
 *   index.c     the lookups
 *   keys.c      half-open keys and those of sessions
 *   out.c       what is sent: answers to handshakes and control records
 *   move.c      the taps' addresses
 *   clocks.c    the taps' clocks against ours
 *   figures.c   what is told of a tap as a whole
 *   peers.c     the taps and their observation points
 *   admit.c     the verdict on a handshake message
 *   session.c   the control records that come
 *   allow.c     a list of allowed taps that is read anew
 *   listener.c  the data threads' events and the timer, start and end
 */
#pragma once

#include "base/table.h"
#include "data/link/clock.h"
#include "data/link/cookie.h"
#include "data/link/listen/listener.h"
#include "data/link/proof.h"
#include "model/admission.h"
#include "model/clock.h"
#include "model/guard.h"

enum {
    LISTENER_PEERS = 4096, /* names remembered */
    LISTENER_HALF_FREE =
        256, /* handshakes that have not become a session, begun without a cookie; */
    LISTENER_HALF_REAL = 768, /* with one, … */
    LISTENER_HALF_OWN = 512,  /* … of these from one address; */
    LISTENER_HALF_LIVE = 512, /* for a session's next key; */
    LISTENER_HALF = LISTENER_HALF_FREE + LISTENER_HALF_REAL + LISTENER_HALF_LIVE, /* and in all */
    LISTENER_TICK_MS = 200,
    LISTENER_REPORT_MS = 1000 - LISTENER_TICK_MS / 2, /* so that it is every fifth tick */
    LISTENER_SPREAD = 5,
    LISTENER_HALF_MS = 10000,
    LISTENER_HALF_MIN_MS = 500, /* before another may take the place of one that is half-open */
    LISTENER_ALIVE_MS = 2500,   /* a tap reports every second, and one report may be lost */
    LISTENER_MOVED_MS = 10000,  /* in which a tap's other addresses are told */
    LISTENER_MOVED_TOLD = 4,    /* so many times */
    LISTENER_DEVICE_MS = 10000, /* between two tries to make a tap's device */
    LISTENER_SILENT_MS = 5000,
    LISTENER_FIGURES_S = 1 << 20, /* seconds after which a tap's figures may be any again */
    LISTENER_GONE_MS = 30000,
    LISTENER_KEY_MS = 240000, /* records under an older key are not taken */
    LISTENER_OLD_KEY_MS = 10000,
    LISTENER_EVENTS = 64, /* handled before timers get their turn */
    LISTENER_HINTS = 32,  /* REJECTs that no handshake stands behind, in a tick */
    LISTENER_GUESSES =
        3, /* wrong passphrases from a live session's address that the guard forgives */
    LISTENER_WORDS = 4,        /* sentences about handshakes that come to nothing in a second */
    LISTENER_ALIGN_MS = 10000, /* between two frames of a point that tell of its tap's clock, …
                                * … unless it has jumped */
    LISTENER_TOLD = 24,       /* sentences about a tap in the log, and events in the history, … */
    LISTENER_TOLD_MS = 60000, /* in so long */
    LISTENER_BEGINS = 1,      /* sessions of a tap in a second, … */
    LISTENER_BEGINS_BURST = 16, /* … and at once */
    LISTENER_STREAMS = 16,      /* the same of streams that it begins */
    LISTENER_STREAMS_BURST = 3 * POINT_STREAMS,
    LISTENER_DEVICES = 32,         /* TAP devices that are made in a second, of all taps, … */
    LISTENER_DEVICES_BURST = 1024, /* … and at once */
    LISTENER_KEYS = 4,   /* of a session: the newest, and older ones under which records may come */
    PEER_NAMES_RATE = 1, /* interfaces that are new: a second, after POINT_OF_PEER at once */
    LISTENER_IDLE_MS = 2000, /* of an observation point before its counts may be put to others' */
};

/* By so much, in a second, a tap's counter may grow: bytes at 2 Tbit/s. */
#define LISTENER_FIGURES (UINT64_C(1) << 38)

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
    enum admission_from kind;          /* of its HELLO */
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
struct listener_told {
    struct mono since; /* {0}: nothing was told yet */
    unsigned n, more;  /* told since then, and left out */
};

struct peer {
    char name[LINK_NAME_MAX + 1], host[129], software[129];
    uint64_t number; /* given to no other */
    struct table_link by_name;
    struct point *point[POINT_OF_PEER];
    unsigned n_points;
    struct bucket names;        /* interfaces that it may announce as new */
    struct listener_past *past; /* NULL: none yet */
    struct session *session;    /* NULL: gone */
    struct listener_device device;
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
    unsigned clock_jumps;
    enum listener_state end; /* without a session: how the last one ended */
    uint64_t frames_missing_most, bytes_missing_most;
    char rung[48];         /* the step of its limit, as its last event has it, … */
    uint64_t breaches;     /* … and the intervals at its rate, with --on-limit stop */
    struct bucket begins;  /* sessions */
    struct bucket streams; /* that it begins in them */
    struct listener_told said, events;
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
    struct peer *peer;
    const struct allow_entry *entry; /* NULL: by passphrase or in the clear */
    struct key *key;                 /* the one to send with */
    struct point *stream[POINT_STREAMS];
    uint16_t stream_id[POINT_STREAMS];
    bool final[POINT_STREAMS];  /* the tap has said how many frames there were in all */
    bool ending[POINT_STREAMS]; /* the data thread closes its books */
    unsigned n_streams;
    uint16_t refused[POINT_STREAMS]; /* streams that it announces and that are not taken */
    unsigned n_refused;
    bool closing; /* the data thread closes its books, … */
    bool asked;   /* … or has yet to be told so */
    bool wants_ack, told_unserved;
    unsigned guesses; /* wrong passphrases from its address since its last key */
    struct mono heard, next_report;
    int64_t last_now; /* the tap's wall time in its last REPORT, and when that came */
    struct mono last_at;
    struct link_clock clock;
    struct clock_model model; /* of the tap's clock */
    struct {
        struct mono of;        /* the exchange from which it is; {0}: none was given yet */
        unsigned era;          /* of our own clock */
        int64_t offset, bound; /* as frames last told it, … */
        struct mono told;      /* … at that time */
    } aligned;                 /* what the data thread corrects by */
};

struct half_list {
    struct key *first, *last;
    unsigned n;
};

struct listener {
    struct loop *loop;
    struct listener_conf conf;
    struct sink *output[FAN_SINKS]; /* in which points have ledgers; NULL: a free place */
    struct receiver *receiver[RECEIVER_THREADS];
    unsigned keys_of[RECEIVER_THREADS]; /* of each: those of sessions, and half-open ones */
    struct wake wake;
    struct loop_fd *wake_event;
    struct loop_timer *tick;
    struct mono next_words;
    struct udp_io io;           /* for answers */
    int send_buffer;            /* its size */
    struct guard guard;         /* passphrases: who has to wait */
    struct admission admission; /* handshakes: whose are taken on */
    struct cookie_jar cookies;
    bool cookies_told[RECEIVER_THREADS]; /* the data thread has the newest secrets */
    struct key *key[RECEIVER_SLOTS];
    struct half_list half[ADMISSION_KINDS]; /* half-open keys */
    unsigned n_half;
    struct session *session[RECEIVER_SESSIONS];
    unsigned n_sessions, next_session;
    struct table sessions_by_tag, sessions_by_address, peers_by_name;
    struct peer *peer[LISTENER_PEERS];
    unsigned n_peers;
    uint64_t last_peer;               /* the number given out last */
    uint32_t n_points, last_point;    /* in use; the index given out last */
    bool point_used[POINT_COUNT + 1]; /* by index, from 1 on */
    struct listener_forgotten forgotten;
    unsigned hints, words;
    unsigned era;          /* our own clock was set so often */
    int64_t ahead;         /* our wall clock less our monotonic one, when it was last looked at */
    struct bucket devices; /* made for taps */
    unsigned untold; /* times that something was left out about a tap and is yet to be counted */
    struct allow_list allow; /* NOISE: the newest list, once the first was replaced */
    struct history history;
    struct listener_counters counters;
};

/* say.c */
void listener_say(struct listener *s, bool error, const char *fmt, ...) _printf_(3, 4);
/* Says something about the tap, of which `fmt` is what follows its name, unless too much was said
 * already. */
void listener_tell(struct listener *s, struct peer *t, bool error, const char *fmt, ...)
    _printf_(4, 5);
/* The same in the collector's history. */
void listener_tell_event(struct listener *s, struct peer *t, enum history_kind kind,
                         const char *words);
/* How much was left out; of all taps where it is time, of this one now. */
void listener_tell_tick(struct listener *s, struct mono now);
void listener_tell_rest(struct listener *s, struct peer *t);

/* index.c */
int listener_index_init(struct listener *s, uint64_t seed);
void listener_index_done(struct listener *s);
/* The session whose newest key was last used from there, or NULL. */
struct session *listener_session_at(const struct listener *s, const struct udp_addr *from);
/* To be called when a session's newest key is another one, or is used from another address. */
void listener_session_moved(struct listener *s, struct session *ss);
/* A session that goes on: the same tag, from one who has proven the same. */
struct session *listener_session_tagged(const struct listener *s, uint64_t tag,
                                        const struct allow_entry *entry);
void listener_session_add(struct listener *s, struct session *ss);
void listener_session_remove(struct listener *s, struct session *ss);
struct peer *listener_peer_named(const struct listener *s, const char *name);
/* The data thread that gets datagrams with this index: the kernel steers them by it. */
struct receiver *listener_receiver(const struct listener *s, uint32_t index);

/* keys.c */
struct key *listener_find_key(struct listener *s, uint32_t index);
/* A half-open key for a HELLO, of the data thread of its session, if it has one: `hint` is the
 * index that the HELLO names. NULL: there is no room now. */
struct key *listener_make_key(struct listener *s, const struct receiver_event *e,
                              enum admission_from kind, uint32_t hint);
/* The handshake is complete: the data thread gets the key. 0 or -errno; `keys` are wiped. */
int listener_key_use(struct listener *s, struct key *k, struct handshake_keys *keys);
/* Before the ANSWER leaves: the data thread learns which CONFIRM is right. 0 or -errno. */
int listener_key_expect(struct listener *s, const struct key *k);
/* A key that becomes a session's is half-open no more, and is listed among those of its session. */
void listener_half_remove(struct listener *s, struct key *k);
void listener_list_key(struct key *k);
/* Takes keys of either kind. */
void listener_drop_key(struct listener *s, struct key *k);
void listener_key_free(struct key *k);

/* out.c */
/* Sends an answer to a handshake message or an unknown record, unless too many are stuck.
 * `real`: the address has shown that it is. `len` not above 0: there is none. */
void listener_answer(struct listener *s, const struct receiver_event *e, bool real,
                     const uint8_t *d, int len);
void listener_reject(struct listener *s, const struct receiver_event *e, uint8_t why,
                     uint32_t receiver);
void listener_send_cookie(struct listener *s, const struct receiver_event *e, uint32_t receiver);
void listener_send_control(struct listener *s, struct key *k, const struct link_control *ctl);
void listener_send_report(struct listener *s, struct session *ss);
void listener_send_close(struct listener *s, struct session *ss, enum link_close why);

/* move.c */
/* An authentic control record of this key came from there. */
void listener_follow(struct listener *s, struct key *k, const struct receiver_event *e);
/* The tap repeats the time of a REPORT: was that sent to where it is now? `k`: its newest key, or
 * NULL. */
void listener_proved(struct key *k, const struct link_report *r);

/* clocks.c */
/* The tap's REPORT tells of its clock. `now`: it has come. */
void listener_clock_report(struct listener *s, struct session *ss, const struct link_report *r,
                           struct mono now);
/* Gives the data thread what is known of the tap's clock, where that is new. */
void listener_clock_align(struct listener *s, struct session *ss);
/* Has our own clock been set? */
void listener_clock_tick(struct listener *s);
/* The tap's clock now; false where it is not known. */
bool listener_clock(const struct session *ss, struct clock_estimate *ret);

/* figures.c */
void listener_traffic(const struct peer *t, struct listener_traffic *ret);
/* Notes the largest differences; to be called now and then. */
void listener_traffic_note(struct peer *t);
/* The newest event of the tap may be that of a step. */
void listener_limit_note(struct peer *t);
enum listener_state listener_state(const struct peer *t, struct mono now);

/* peers.c */
/* NULL: no more are remembered, or, with *ret_wait, its name is taken by a session of which it is
 * not known yet whether it lives. */
struct peer *listener_peer_for(struct listener *s, const struct link_info *info,
                               const struct key *k, bool *ret_wait);
/* Frees a tap, which is in no session, with its observation points. */
void listener_peer_free(struct peer *t);
/* No frames come under it until the tap announces it again. */
void listener_point_idle(struct point *p);
/* The tap's point of that name. One that is new may take the place of another that has been idle
 * for long. NULL: none can be had now, *ret_why says why. */
struct point *listener_point_for(struct listener *s, struct peer *tap, struct link_text ifname,
                                 const char **ret_why);
/* Notes whether an announced stream is refused at present. */
void listener_note_refused(struct session *ss, uint16_t stream, bool refused);

/* admit.c */
enum verdict_kind {
    VERDICT_DROP,   /* nothing is to be sent */
    VERDICT_TAKE,   /* the handshake goes on by `answer` */
    VERDICT_COOKIE, /* the sender has to show by a cookie that its address is real */
    VERDICT_REJECT, /* the sender is told `why`, and a person may want to know */
};

struct verdict {
    enum verdict_kind kind;
    uint8_t why;      /* REJECT: enum link_reason */
    uint32_t guesses; /* REJECT of a wrong secret: so many in a row from that address */
    bool real;        /* TAKE: the address has shown that it is real */
    int len;          /* TAKE: bytes of the answer */
    uint8_t answer[HANDSHAKE_MESSAGE_MAX];
};

/* The one verdict on a HELLO or CONFIRM. Keys are made or dropped and guesses counted by then; the
 * caller sends and says what is due. */
void listener_admit(struct listener *s, const struct receiver_event *e, const struct link_hs *m,
                    struct verdict *ret);

/* session.c */
void listener_control(struct listener *s, const struct receiver_event *e);
void listener_session_closed(struct listener *s, uint32_t id);
void listener_stream_ended(struct listener *s, uint32_t id, uint16_t stream);
/* Looks again at an INFO that waits. */
void listener_info_waits(struct listener *s, struct key *k);
void listener_session_end(struct listener *s, struct session *ss);
void listener_session_tick(struct listener *s, struct session *ss, struct mono now);
