/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP connection as the capture shows it: what each endpoint sent, acknowledged and closed. This is the room
 * that observes: it takes in segments and knows no cause.
 *
 * A connection lives as long as its tracker. When the port pair is used again the record starts anew and keeps
 * what became of the connection before (see 'past').
 */
#ifndef RSTCAUSE_CONNECTION_H
#define RSTCAUSE_CONNECTION_H

#include "host.h"
#include "recent.h"
#include "rstcause/verdict.h"

/* Everything that one endpoint has sent. Frames are 0 for what was not seen, times nanoseconds since the epoch. */
typedef struct {
    host *host;       /* borrowed from the tracker */
    host_stack stack; /* from the SYN of this connection, else from the host's others */

    guint32 frames; /* segments without RST, copies not counted */
    guint32 last_frame;
    gint64 last_time;

    /* Opening. */
    guint32 syn_frame; /* first SYN or SYN/ACK of this attempt */
    gint64 syn_time, last_syn_time;
    guint16 syn_count;
    guint32 isn;
    gboolean syn_has_ack;
    guint32 accepted_at;  /* the ACK number of its SYN/ACK */
    gboolean syn_is_bare; /* a SYN with no option but MSS: no stack in use sends that by itself */

    /* Its own sequence space. */
    gboolean has_next;
    guint32 next;  /* snd.nxt: behind the highest sequence number seen */
    guint32 first; /* lowest sequence number seen first */
    guint64 bytes; /* payload without repeats */
    guint32 last_data_frame;
    gint64 last_data_time;
    guint32 last_data_length;

    /* What it acknowledged of the other side. */
    gboolean has_acknowledged;
    guint32 acknowledged; /* highest ACK number: its rcv.nxt or somewhat less */
    guint16 window;
    gint8 window_shift;     /* from its SYN; -1 where not offered or not seen */
    gint64 answer_delay;    /* shortest time from a segment of the other side to this side's ACK of it; -1 unknown */
    guint16 answers_timed;  /* how often that was measured */
    gboolean path_is_timed; /* ... once in the handshake, which waits for no application, or often */
    gboolean is_timed;      /* a segment of this side waits for its ACK to measure the other side's answer_delay */
    guint32 timed_end;
    gint64 timed_at;

    /* Closing. */
    guint32 fin_frame;
    gint64 fin_time;
    guint32 fin_end; /* sequence number behind the FIN */

    /* The run of repeats of one segment without progress (retransmission timer), and of keep-alive probes. */
    guint32 repeat_sequence;
    guint16 repeats;
    guint32 repeat_first_frame, repeat_last_frame;
    gint64 repeat_first_time, repeat_last_time, repeat_gap;
    gboolean repeats_back_off; /* each gap was longer than the one before, or as long (the timer's ceiling) */
    guint16 probes;
    guint32 probe_first_frame, probe_last_frame;
    gint64 probe_first_time, probe_last_time;

    /* Handwriting of its ordinary segments. */
    guint8 ttl, ttl_low, ttl_high;
    guint16 last_counted_ip_id;                 /* the latest that is not 0 */
    guint32 ip_ids, ip_ids_zero, ip_ids_rising; /* segments with an ID, with ID 0, with one 1 to 64 above the last */
    gboolean has_timestamps;
    guint32 timestamp_value; /* the latest */
    gint64 timestamp_time;

    guint32 fastclose_frame; /* MP_FASTCLOSE on a segment without RST */
    guint32 last_words_frame;
    char *last_words; /* owned; what the application said in farewell, NULL where nothing */

    recent_segments recent;
} endpoint;

/* How the connection that used this port pair before came to its end. */
typedef enum { PAST_NONE, PAST_OPEN, PAST_CLOSED, PAST_RESET, PAST_REFUSED } past_end;

typedef struct {
    past_end end;
    guint32 frame; /* where it ended, or its last segment */
    gint64 time;
    guint8 closed_first; /* where it was closed in order: the side whose FIN came first, which waits in TIME-WAIT */
    guint32 next[2];     /* its snd.nxt of each side */
    gboolean has_next[2];
} past_connection;

/* The latest reset in one side's name, and what that side and its peer did since. */
typedef struct {
    rstcause_verdict *verdict; /* owned by the tracker; NULL where there was no reset */
    guint32 frame;
    gint64 time;
    guint32 sequence;
    guint32 peer_next; /* what its peer had sent by then */
    guint16 ip_id;
    gboolean id_continues;       /* its IP ID was the next of the counter of the sender it names */
    gboolean sender_continued;   /* ... went on talking after it */
    gboolean receiver_continued; /* ... and so did its peer */
    guint32 answered_frame;      /* the latest trigger of all resets of this side */
} latest_reset;

typedef struct {
    endpoint ends[2]; /* [0] is the side with the lower address and port */
    gint8 client;     /* index of the side that sent the SYN, -1 where no handshake was seen */
    guint32 first_frame;
    guint32 last_frame; /* of either side, resets not counted */
    gint64 last_time;
    gboolean is_established; /* the ACK of the SYN/ACK was seen, or data without a handshake */
    guint32 establish_frame;
    gint64 establish_time;

    /* Both FINs acknowledged. */
    guint32 closed_frame;
    gint64 closed_time;

    /* The first effective reset. */
    guint32 reset_frame;
    gint64 reset_time;
    guint8 reset_side;
    rstcause_verdict *reset_verdict; /* owned by the tracker */
    gboolean reset_is_challenged;    /* a receiver that follows RFC 5961 does not let it pass */

    latest_reset resets[2]; /* in each side's name */

    gboolean is_incomplete; /* an ACK told of data that the capture does not hold */
    copy_habit copies;      /* packets that the capture holds twice */

    past_connection past;
} connection;

/*
 * Its last word in an open connection is the SYN again, which no stack repeats after it had the SYN/ACK: it restarted
 * and came back to the same number (lwIP, whose numbers begin at 6510 after each start; measured).
 */
gboolean endpoint_reopens(const endpoint *endpoint);

/* Prepares one in the caller's memory; the hosts are borrowed and outlive it. Give its own memory back with
 * connection_clear(). */
void connection_init(connection *connection, host *low, host *high);
void connection_clear(connection *connection);

/* Both sides closed it, or one reset it. What comes later is a straggler, or begins anew. */
gboolean connection_is_over(const connection *connection);

/* Gives back the windows of recent segments, which fill again with the next ones. */
void connection_forget_recent(connection *connection);

/* The side that sent the segment: 1 where the source is the higher address and port, else 0. */
guint8 connection_side(const rstcause_segment *segment);

/*
 * Takes in a segment without RST. A SYN that begins a new connection on the same port pair starts the record anew.
 * One that the capture holds already changes nothing.
 */
void connection_follow(connection *connection, guint8 side, const rstcause_segment *segment);

/* Puts a reset and the verdict on it (borrowed) into the window of recent segments, where it is no copy. Whether it
 * ends the connection is for the judge to say. */
void connection_follow_reset(connection *connection, guint8 side, const rstcause_segment *segment,
                             rstcause_verdict *verdict);

/* The side that opened the connection, guessed from the ports where no handshake was seen. */
guint8 connection_client(const connection *connection, const rstcause_segment *segment, guint8 side);

#endif
