/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection as it is kept: packed, since a capture may hold millions. For this room only; whoever judges reads the
 * structs of connection.h.
 *
 * What not every connection has stands in records of its own, made when it is needed: each endpoint from its first word
 * on, the course from the handshake on, the rest when something out of the ordinary happens. All lie in the tracker's
 * pool. Times count from 'first_time'.
 */
#ifndef RSTCAUSE_RECORD_H
#define RSTCAUSE_RECORD_H

#include "connection.h"
#include "port_pair.h"

/* In units of 2^27 nanoseconds, which are 0.13 s: up to 9.8 hours. */
enum { SILENCE_BITS = 18, SILENCE_UNIT_BITS = 27 };

struct connection_record {
    port_pair pair; /* first, so that it is its own key; the addresses are those of the hosts */
    int64_t first_time;
    connection_record *next_resting; /* the queue of connections.c */
    place ends[2];                   /* endpoint_record */
    place recent[2];                 /* recent_ring */
    place course;                    /* course_record */
    place history;                   /* history_record */
    uint32_t rests_since;            /* for connections.c, in 2^30 nanoseconds since the epoch */
    unsigned is_begun : 1;           /* a segment of this connection was seen */
    unsigned has_client : 1;
    unsigned client : 1;
    unsigned last_side : 1; /* who spoke last, resets not counted */
    unsigned is_established : 1;
    unsigned is_incomplete : 1;
    unsigned is_closed : 1;
    unsigned is_reset : 1;
    unsigned has_resets : 1;
    unsigned is_queued : 1;  /* in the queue of connections.c */
    unsigned has_fin_of : 2; /* a bit for each side, so that ordinary segments need not look at the course */
    unsigned has_spoken : 1; /* data came from either side */
    unsigned spoke_first : 1;
    unsigned tested_silence : SILENCE_BITS; /* before what the side said that spoke last; see follow_silence() */
};

/* Turns and bursts are counted up to 7, MOST_TURNS. */
enum { TURN_BITS = 3 };
G_STATIC_ASSERT(MOST_TURNS == (1 << TURN_BITS) - 1);

/* Where the run of repeats began; what is kept of that segment anyway is not kept twice. */
typedef enum { RUN_NONE, RUN_FROM_DATA, RUN_FROM_SYN, RUN_FROM_FIN, RUN_IN_RECORD } run_origin;

typedef struct {
    place exception; /* exception_record */
    uint32_t first;  /* the ISN where the SYN was seen */
    uint32_t next;
    uint32_t acknowledged;
    uint32_t frames;
    uint32_t last_frame;
    uint32_t syn_frame;
    uint32_t last_data_frame;
    uint32_t last_data_length;
    uint32_t bytes;
    uint32_t timestamp_value;
    packed_duration answer_delay;
    /* A segment that waits for its ACK, to measure the other side's answer_delay. */
    uint32_t timed_end;
    packed_time timed_at;
    packed_time last_time;
    packed_time syn_time;
    packed_time last_data_time;
    uint16_t window;
    uint16_t last_counted_ip_id;
    uint16_t ip_ids;       /* other than 0; stops at 65,535 */
    uint16_t ip_ids_zero;  /* likewise */
    uint16_t ip_ids_apart; /* not 1 to 64 above the one before */
    uint16_t window_high;
    uint8_t ttl, ttl_low, ttl_high;
    int8_t window_shift;
    uint8_t df_set, df_clear; /* stop at 255 */
    uint16_t turn_bytes;
    unsigned flow_label : 20;  /* RFC 8200 section 3 */
    unsigned http_status : 10; /* three digits */
    unsigned first_is_foreign : 1;
    unsigned turn_asks_http : 1;
    unsigned stack : 4;         /* host_stack */
    unsigned run_origin : 3;    /* run_origin */
    unsigned answers_timed : 3; /* how often answer_delay was measured, up to often_timed */
    unsigned path_is_timed : 1;
    unsigned is_timed : 1;
    unsigned has_next : 1;
    unsigned has_acknowledged : 1;
    unsigned syn_has_ack : 1;
    unsigned syn_is_bare : 1;
    unsigned has_timestamps : 1;
    unsigned last_has_timestamp : 1; /* timestamp_value is that of its last segment */
    unsigned first_said : 4;         /* rstcause_bytes_kind */
    unsigned last_said : 4;
    unsigned turns : TURN_BITS;
    unsigned turn_bursts : TURN_BITS;
} endpoint_record;

/* From the handshake to the end in order. */
typedef struct {
    uint32_t establish_frame;
    uint32_t closed_frame;
    uint32_t fin_frame[2];
    uint32_t fin_end[2];
    packed_time establish_time;
    packed_time closed_time;
    packed_time fin_time[2];
    packed_duration fin_quiet;       /* of the FIN that came first; as in endpoint */
    packed_duration longest_silence; /* after which both sides spoke; 0 where it was short */
} course_record;

/* Of an endpoint, what most do not have. */
typedef struct {
    /* Several SYNs, or a SYN/ACK to a SYN that the capture lacks. */
    uint32_t accepted_at;
    uint16_t syn_count; /* 0 where there was at most one */
    bool has_accepted_at;
    packed_time last_syn_time;
    packed_time timestamp_time; /* where the last segment had no timestamp */

    /* A run of repeats with origin RUN_IN_RECORD. */
    uint16_t repeats, repeats_uneven;
    uint32_t repeat_sequence, repeat_first_frame, repeat_last_frame;
    packed_time repeat_first_time, repeat_last_time;
    int64_t repeat_gap;

    uint16_t probes;
    uint32_t probe_first_frame, probe_last_frame;
    packed_time probe_first_time, probe_last_time;

    uint32_t fastclose_frame;
    uint32_t last_words_frame;
    rstcause_first_bytes last_words;
} exception_record;

/* Of a connection, what most do not have. */
typedef struct {
    place past;   /* past_connection */
    place resets; /* resets_record */
    copy_habit copies;
} history_record;

typedef struct {
    resets_of_side resets[2];
    int64_t reset_time;
    uint32_t reset_frame;
    uint8_t reset_side;
    bool reset_is_own;
    bool reset_is_challenged;
} resets_record;

host *record_host(const connection_record *record, uint8_t side);

/* The endpoint's record for reading: one that says nothing where the side has not spoken. */
const endpoint_record *record_read_end(const record_pool *pool, const connection_record *record, uint8_t side);

/* The course for reading: all 0 where there is none yet. Likewise the exceptions and the history. */
const course_record *record_read_course(const record_pool *pool, const connection_record *record);
const exception_record *record_read_exception(const record_pool *pool, const endpoint_record *end);
const history_record *record_read_history(const record_pool *pool, const connection_record *record);

/* NULL where there are none. */
const resets_record *record_read_resets(const record_pool *pool, const connection_record *record);

/* For writing: made where there is none. */
endpoint_record *record_open_end(record_pool *pool, connection_record *record, uint8_t side);
course_record *record_open_course(record_pool *pool, connection_record *record);
exception_record *record_open_exception(record_pool *pool, endpoint_record *end);
history_record *record_open_history(record_pool *pool, connection_record *record);
resets_record *record_open_resets(record_pool *pool, connection_record *record);

/* Gives all back but the hosts, the delays of the path and the habit of copies, and keeps what became of it. */
void record_begin_anew(record_pool *pool, connection_record *record, const past_connection *past);

/* The run of repeats of one segment, or what may become one: the latest segment that asks for an ACK. */
typedef struct {
    uint32_t sequence;
    uint32_t first_frame, last_frame; /* first_frame is 0 where there is none */
    int64_t first_time, last_time, gap;
    uint16_t repeats, uneven_gaps; /* shorter than the one before */
} repeat_run;

/* Its sequence number alone; there must be one. */
uint32_t record_run_sequence(const record_pool *pool, const connection_record *record, uint8_t side);

repeat_run record_read_run(const record_pool *pool, const connection_record *record, uint8_t side);
void record_keep_run(record_pool *pool, connection_record *record, uint8_t side, const repeat_run *run);

#endif
