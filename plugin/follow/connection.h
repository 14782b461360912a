/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP connection as the capture shows it: what each endpoint sent, acknowledged and closed. This is the room
 * that observes: it takes in segments and knows no cause.
 *
 * A connection is kept packed (record.h), since there may be millions, and lives as long as its tracker. When the port
 * pair is used again the record starts anew and keeps what became of the connection before (see 'past'). Whoever judges
 * reads it unfolded: the structs here hold the same in plain types, for as long as the judge looks at it.
 */
#ifndef RSTCAUSE_CONNECTION_H
#define RSTCAUSE_CONNECTION_H

#include "host.h"
#include "pool.h"
#include "recent.h"
#include "rstcause/first_bytes.h"

/* A larger gap in sequence numbers is not this connection's: windows reach 2^30 (RFC 7323 section 2.3), but those in use
 * do not exceed 16 MiB. */
enum { OTHER_CONNECTION_GAP = 1 << 24 };

enum { SHIFT_UNKNOWN = -2 };

/* Turns of an endpoint, and bursts within one, are counted up to here. */
enum { MOST_TURNS = 7 };

/* Everything that one endpoint has sent. Frames are 0 for what was not seen, times nanoseconds since
 * the epoch, rounded as packed.h says. */
typedef struct {
    host *host;       /* borrowed from the tracker */
    host_stack stack; /* from the SYN of this connection, else from the host's others */

    uint32_t frames; /* segments without RST, copies not counted */
    uint32_t last_frame;
    int64_t last_time;

    /* Opening. */
    uint32_t syn_frame; /* first SYN or SYN/ACK of this attempt */
    int64_t syn_time, last_syn_time;
    uint16_t syn_count;
    uint32_t isn;
    bool syn_has_ack;
    uint32_t accepted_at; /* the ACK number of its SYN/ACK */
    bool syn_is_bare;     /* a SYN with no option but MSS: no stack in use sends that by itself */

    /* Its own sequence space. */
    bool has_next;
    uint32_t next;  /* snd.nxt: behind the highest sequence number seen */
    uint32_t first; /* the sequence number seen first; the ISN where the SYN was seen */
    uint32_t bytes; /* payload without repeats; stops at 2^32 - 1 */
    uint32_t last_data_frame;
    int64_t last_data_time;
    uint32_t last_data_length;
    uint16_t turn_bytes; /* payload since the other side spoke last; stops at 65,535 */
    uint8_t turn_bursts; /* ... in so many bursts, a fifth of a second or more apart */
    uint8_t turns;       /* how often it began to speak after the other side; both stop at MOST_TURNS */
    bool turn_asks_http; /* the payload with which its latest turn began is an HTTP request */

    /* What it acknowledged of the other side. */
    bool has_acknowledged;
    uint32_t acknowledged; /* highest ACK number: its rcv.nxt or somewhat less */
    uint16_t window;
    int8_t window_shift;  /* from its SYN; -1 where not offered or no SYN seen, SHIFT_UNKNOWN where that is cut off */
    int64_t answer_delay; /* shortest time from a segment of the other side to this side's ACK of it; -1 unknown */
    bool path_is_timed;   /* ... measured in the handshake, where no application delays it, or four times */

    /* Closing. */
    uint32_t fin_frame;
    int64_t fin_time;
    uint32_t fin_end;  /* sequence number behind the FIN */
    int64_t fin_quiet; /* nanoseconds without data of either side before its FIN; -1 unknown, or it came second */

    /* The run of repeats of one segment without progress (retransmission timer), and of keep-alive probes. */
    uint32_t repeat_sequence;
    uint16_t repeats;
    uint32_t repeat_first_frame, repeat_last_frame;
    int64_t repeat_first_time, repeat_last_time, repeat_gap;
    bool repeats_back_off; /* no gap but one was shorter than the one before (the timer has a ceiling) */
    uint16_t probes;
    uint32_t probe_first_frame, probe_last_frame;
    int64_t probe_first_time, probe_last_time;

    /* Fingerprint of its ordinary segments. */
    uint8_t ttl, ttl_low, ttl_high;
    uint32_t df_set, df_clear;                   /* segments of IPv4 with and without DF; stop at 255 */
    uint32_t flow_label;                         /* IPv6, the latest */
    uint16_t window_high;                        /* the widest, but for its SYN's, which is not scaled */
    uint16_t last_counted_ip_id;                 /* the latest that is not 0 */
    uint32_t ip_ids, ip_ids_zero, ip_ids_rising; /* segments with an ID, with ID 0, with one 1 to 64 above the last;
                                                    of the first 65,535 with another ID than 0 */
    bool has_timestamps;
    uint32_t timestamp_value; /* the latest */
    int64_t timestamp_time;

    uint32_t fastclose_frame;        /* MP_FASTCLOSE on a segment without RST */
    rstcause_first_bytes last_words; /* what the application said in farewell, unknown where nothing */
    uint32_t last_words_frame;
    uint8_t first_said, last_said; /* rstcause_bytes_kind of the first and the latest payload, repeats not counted */
    bool first_is_foreign;         /* the first payload was unknown, and nothing that answers HTTP */
    uint16_t http_status;          /* of its latest HTTP response, 0 where none */

    recent_segments recent; /* valid until the next segment is followed */
} endpoint;

/* How the connection that used this port pair before came to its end. */
typedef enum { PAST_NONE, PAST_OPEN, PAST_CLOSED, PAST_RESET, PAST_REFUSED } past_end;

typedef struct {
    past_end end;
    uint32_t frame; /* where it ended, or its last segment */
    int64_t time;
    uint8_t closed_first; /* where it was closed in order: the side whose FIN came first, which waits in TIME-WAIT */
    uint32_t next[2];     /* its snd.nxt of each side */
    bool has_next[2];
} past_connection;

/* The resets in one side's name. */
typedef struct {
    uint32_t frame;          /* the latest, 0 where there was none */
    uint32_t count;          /* copies not counted */
    uint32_t answered_frame; /* the latest segment of the other side that one of them answered */
} resets_of_side;

/* A connection as it is kept; see record.h. */
typedef struct connection_record connection_record;

/* Unfolded. A judge may change what is said of resets; see connection_fold_resets(). */
typedef struct {
    const connection_record *record; /* what it is unfolded from; borrowed from the tracker */
    endpoint ends[2];                /* [0] is the side with the lower address and port */
    uint32_t vantage;                /* where it was captured; see port_pair.h */
    int8_t client;                   /* index of the side that sent the SYN, -1 where no handshake was seen */
    int8_t spoke_first;              /* index of the side whose data came first, -1 where none came */
    uint32_t last_frame;             /* of either side, resets not counted */
    int64_t last_time;
    bool is_established; /* the ACK of the SYN/ACK was seen, or data without a handshake */
    uint32_t establish_frame;
    int64_t establish_time;

    /* Both FINs acknowledged. */
    uint32_t closed_frame;
    int64_t closed_time;

    /* The first effective reset. */
    uint32_t reset_frame;
    int64_t reset_time;
    uint8_t reset_side;
    bool reset_is_own;        /* it answered nothing */
    bool reset_is_challenged; /* a receiver that follows RFC 5961 does not let it pass */

    resets_of_side resets[2]; /* in each side's name */

    bool is_incomplete; /* an ACK told of data that the capture does not hold */
    copy_habit copies;  /* packets that the capture holds twice */

    past_connection past;
} connection;

/*
 * Its last word in an open connection is the SYN again, which no stack repeats after it had the SYN/ACK: it restarted
 * and came back to the same number (lwIP, whose numbers begin at 6510 after each start; measured).
 */
bool endpoint_reopens(const endpoint *endpoint);

/* The side that opened the connection, guessed from the ports where no handshake was seen. */
uint8_t connection_client(const connection *connection, const rstcause_segment *segment, uint8_t side);

/* A connection between two hosts, which it borrows and which outlive it. [0] is the host with the lower address and
 * port. It goes with its pool. */
connection_record *connection_new(record_pool *pool, host *const hosts[2], const uint16_t ports[2], uint32_t vantage);

/* The side that sent the segment: 1 where the source is the higher address and port, else 0. */
uint8_t connection_side(const rstcause_segment *segment);

/* Both sides closed it, or one reset it. What comes later is a straggler, or begins anew. */
bool connection_is_over(const connection_record *record);

/* Resets were seen and kept: later segments may tell more of them. */
bool connection_has_resets(const connection_record *record);

/*
 * Takes in a segment without RST. A SYN that begins a new connection on the same port pair starts the record anew.
 * One that the capture holds already changes nothing. O(1), but for the look back of at most RECENT_LIMIT segments where
 * it may be a copy. Returns whether connection_longest_silence() has become longer.
 */
bool connection_follow(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment);

/* Puts a reset, and a number of the caller's for it, into the window of recent segments, where it is no copy. Whether it
 * ends the connection is for the judge to say. */
void connection_follow_reset(record_pool *pool, connection_record *record, uint8_t side,
                             const rstcause_segment *segment, uint32_t reset_number);

/*
 * For a connection that has rested for longer than any answer takes: gives back the memory for segments that nobody can
 * ask for any more. Of one that is over that is all of them; the window fills again with the next ones.
 */
void connection_forget_recent(record_pool *pool, connection_record *record, int64_t now);

/* Gives it back. It must not be in the queue of connections.c. */
void connection_free(record_pool *pool, connection_record *record);

/* The frame of its latest segment, copies not counted; 0 where there was none. */
uint32_t connection_latest_frame(const record_pool *pool, const connection_record *record);

/* The time of the last segment of either side, resets not counted; 0 where there was none. */
int64_t connection_last_time(const record_pool *pool, const connection_record *record);

/* Unfolds it for a judge. 'room' is the caller's and outlives the look back on recent segments. O(1): those are unfolded
 * one by one as they are asked for. */
void connection_unfold(record_pool *pool, connection_record *record, connection *unfolded, recent_room room[2]);

/* What a look over all connections wants of one. Addresses are borrowed from the hosts. */
typedef struct {
    const rstcause_address *server, *client; /* by the SYN, from the ports only where no handshake was seen */
    uint16_t server_port;
    int64_t accepted_time; /* of the server's SYN/ACK, 0 where it was not seen */
    int64_t last_time;     /* of its last segment */
    uint32_t server_bytes;
    uint8_t server_first_said, client_first_said; /* rstcause_bytes_kind */
    bool is_established, has_resets;
} connection_outline;

connection_outline connection_outline_of(const record_pool *pool, const connection_record *record);

/* The longest silence after which both sides spoke, in nanoseconds, rounded down; 0 where it was shorter than a second. */
int64_t connection_longest_silence(const record_pool *pool, const connection_record *record);

/* Keeps what a judge has changed in 'resets' and 'reset_...' of the unfolded connection; nothing else is taken over. */
void connection_fold_resets(record_pool *pool, connection_record *record, const connection *unfolded);

#endif
